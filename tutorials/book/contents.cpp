#include "tutorials/book/contents.h"

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "tutorials/book/excerpts.h"
#include "tutorials/lesson/page.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::book {
namespace {

constexpr const char* contents_file = "tutorials/book/contents.txt";

// Those of a folder, or a header and what belongs to it.
std::vector<std::string> files_of(const std::filesystem::path& root, const std::string& entry) {
  std::vector<std::string> files = {entry + ".h", entry + ".cpp"};
  if (is_directory(root / entry)) {
    files.clear();
    for (const auto& file : std::filesystem::directory_iterator(root / entry)) {
      files.push_back(entry + "/" + file.path().filename().string());
    }
    std::ranges::sort(files);
  }
  std::erase_if(files, [&](const std::string& file) {
    return !exists(root / file) || !(file.ends_with(".h") || file.ends_with(".cpp"));
  });
  return files;
}

Chapter chapter_of(const std::string& file, const std::string& source) {
  Chapter chapter{file, source, file, lesson::formula_markup(first_sentence(source)), file + ".html"};
  std::ranges::replace(chapter.page, '/', '-');
  const std::size_t digits = file.find_first_of("0123456789");
  if (file.starts_with("tests/")) {
    chapter.is_handout = true;
    chapter.title = text("Assignment ", std::stoi(file.substr(digits)));
  } else if (digits < file.size() && file.ends_with("/lesson.cpp")) {
    chapter.lesson = std::stoi(file.substr(digits));
    chapter.title = text("Lesson ", chapter.lesson);
  }
  return chapter;
}

}  // namespace

Contents read_contents(const std::filesystem::path& root) {
  Contents contents;
  const bool is_starter = exists(root / "tests/course/starter");
  for (const std::string& line : lines_of(read_file(root / contents_file))) {
    if (line.starts_with("# ")) contents.parts.push_back(lesson::escape(line.substr(2)));
    if (line.empty() || line.starts_with("#")) continue;
    const std::vector<std::string> files = files_of(root, line);
    check(!files.empty() || is_starter, contents_file, " lists ", line, ", which is not there");
    for (const std::string& file : files) {
      const bool again = std::ranges::count(contents.chapters, file, &Chapter::file) > 0;
      check(!again, contents_file, " lists ", file, " twice");
      contents.chapters.push_back(chapter_of(file, read_file(root / file)));
      contents.chapters.back().part = contents.parts.size();
    }
  }
  return contents;
}

}  // namespace mesagrad::book
