// What the book consists of: the parts and the chapters that contents.txt lists.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace mesagrad::book {

// A file; of a folder or of "core/real" in the list, all files.
struct Chapter {
  std::string file = {}, source = {};
  std::string title = {}, sentence = {}, page = {};  // the sentence is markup
  std::size_t part = 0;                              // from 1
  int lesson = 0;                                    // its number, if it is a lesson.cpp
  bool is_handout = false;                           // of an assignment
};

struct Contents {
  std::vector<std::string> parts = {};
  std::vector<Chapter> chapters = {};
};

// Those of the tree at `root`. Throws Error if a listed file is missing (but for those that a starter of the
// course withholds), and if a file is listed twice.
Contents read_contents(const std::filesystem::path& root);

}  // namespace mesagrad::book
