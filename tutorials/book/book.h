// The book: every lesson and every file of the library as a chapter, linked to all others, in pages that need
// no server, script or network.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace mesagrad::book {

struct Book {
  std::map<std::string, std::string> pages = {};  // by their names: contents.html, names.html, all.html, ...
  std::vector<int> not_run = {};                  // the lessons without a page in `out`
};

// The book of the tree at `root`, in the order of tutorials/book/contents.txt, with what lessons showed whose
// pages are in `out`. Throws Error, as read_contents does.
Book make_book(const std::filesystem::path& root, const std::filesystem::path& out);

}  // namespace mesagrad::book
