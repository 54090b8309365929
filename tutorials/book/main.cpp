// The program behind `make book`.
#include <exception>

#include "core/error.h"
#include "core/files.h"
#include "tutorials/book/book.h"
#include "tutorials/lesson/options.h"
#include "tutorials/lesson/page.h"
#include "tutorials/lesson/terminal.h"

using namespace mesagrad;

namespace {

void write_book(const std::filesystem::path& out) {
  const std::filesystem::path folder = out / "book";
  create_writable(folder);
  const book::Book made = book::make_book(".", out);
  std::vector<NewFile> files;
  for (const auto& [name, page] : made.pages) files.push_back({folder / name, {page}});
  write_files(files);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {  // files that are gone
    const bool old = !made.pages.contains(entry.path().filename().string());
    if (old && entry.path().extension() == ".html") std::filesystem::remove(entry.path());
  }
  lesson::write_index(out, "tutorials");
  for (const int n : made.not_run) {
    lesson::print(text("Lesson ", n, " has not run yet: make tutorial-", n, "\n"));
  }
  lesson::print(text("The book: file://", std::filesystem::absolute(folder).string(), "/contents.html\n"));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    write_book(lesson::parse_options({argv + (argc > 0 ? 1 : 0), argv + argc}).out);
  } catch (const std::exception& problem) {
    lesson::print_error(text("book: ", problem.what(), "\n"));
    return 2;
  }
}
