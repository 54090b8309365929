// A lesson's source, taken apart: its comments become prose, its code keeps line numbers.
#pragma once
#include <string>
#include <vector>

namespace mesagrad::lesson {

// Of ASCII alone, in whatever locale.
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool in_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

struct SourceBlock {
  bool prose = false;
  int first_line = 1;
  std::vector<std::string> lines = {};  // of prose: without the slashes
};

// Two or more whole-line comments in a row are prose; everything else is code.
std::vector<SourceBlock> split_source(const std::string& source);

// Takes blank lines off both ends.
void trim_blank_lines(SourceBlock& block);

std::string prose_markup(const std::vector<std::string>& lines);
std::string code_markup(const SourceBlock& block);

// Escaped text with its formulas set: s_t, s_{t+1}, W_q, Σ_i and 10^-3 get real sub- and superscripts.
// An index belongs to a single letter; a_name of several letters is left alone.
std::string formula_markup(const std::string& text);

// C++ with <i class=...> around keywords, numbers, strings and comments.
std::string highlighted(const std::string& code);

}  // namespace mesagrad::lesson
