// The page of all lessons.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "core/error.h"
#include "core/files.h"
#include "tutorials/lesson/page.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {

void write_index(const std::string& out, const std::filesystem::path& lessons) {
  std::map<int, std::string> entries;
  std::error_code ignored;
  for (const auto& folder : std::filesystem::directory_iterator(lessons, ignored)) {
    std::string title = folder.path().filename().string();
    const std::size_t start = title.find('_') + 1;
    const int number = std::atoi(title.c_str());
    if (number <= 0 || start == 0 || start == title.size()) continue;
    std::ranges::replace(title, '_', ' ');
    char& first = title[start];
    if (first >= 'a' && first <= 'z') first = static_cast<char>(first - 'a' + 'A');
    const std::string entry = text(out, "/tutorial-", number, "/", index_entry_name);
    entries[number] = std::filesystem::exists(entry)
                          ? read_file(entry)
                          : text(escape(title.substr(start)), " <code>make tutorial-", number, "</code>");
  }
  std::string items;
  for (const auto& [number, entry] : entries) items += element("li", entry);
  const bool book = std::filesystem::exists(out + "/book/contents.html");
  const std::string about =
      book ? " <a href=\"book/contents.html\">The book</a> shows them among the whole source." : "";
  const std::string first = element("p", "The lessons, and what those found that have run here." + about);
  write_file(out + "/index.html", whole_page("mesagrad", first + element("ol", items)));
}

}  // namespace mesagrad::lesson
