// A lesson's source as a chapter: its comments become prose, its code keeps line numbers.
#pragma once
#include <string>
#include <vector>

namespace mesagrad::lesson {

struct SourceBlock {
  bool prose = false;
  int first_line = 1;
  std::vector<std::string> lines = {};  // of prose: without the slashes
};

// Two or more whole-line comments in a row are prose; everything else is code.
std::vector<SourceBlock> split_source(const std::string& source);

std::string html_of_source(const std::string& source);

// C++ with <i class=...> around keywords, numbers, strings and comments.
std::string highlighted(const std::string& code);

}  // namespace mesagrad::lesson
