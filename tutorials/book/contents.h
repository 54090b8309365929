// What the book consists of: the parts and the chapters that contents.txt lists.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tutorials/lesson/page.h"

namespace mesagrad::book {

// A file. (If the list has a folder, or "core/real", that is all files of this name.)
struct Chapter {
  std::string file = {}, source = {};
  std::string title = {}, sentence = {}, page = {};  // the first two are markup
  std::size_t part = 0;                              // from 1
  std::vector<std::string> tests = {};               // their names
  // Of a lesson.cpp:
  int lesson = 0;
  std::string short_title = {};           // without its number
  std::vector<lesson::Piece> steps = {};  // their headings, each at its line
  // Of an assignment:
  bool is_handout = false;
  std::vector<std::string> handout = {};   // what students get to read
  std::map<std::string, int> points = {};  // for all checks of an exercise ("3.1") together
};

struct Contents {
  std::vector<std::string> parts = {};
  std::vector<Chapter> chapters = {};
};

// Those of the tree at `root`. Throws Error if a listed file is missing (but for those that a starter of the
// course withholds), and if a file is listed twice.
Contents read_contents(const std::filesystem::path& root);

}  // namespace mesagrad::book
