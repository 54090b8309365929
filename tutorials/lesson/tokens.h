// C++ as a reader's eye sees it: line after line, words, numbers, texts and comments.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mesagrad::lesson {

// Of ASCII alone, in whatever locale.
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool in_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

std::string trimmed(const std::string& line);  // without blanks at its ends

enum class Kind { other, comment, text, number, keyword, word };  // directives count as comments

struct Token {
  Kind kind = Kind::other;
  std::size_t column = 0;  // of the line, from 0
  std::string_view text = {};
};

// Cuts the lines of a file, one after another, into tokens without a gap. A raw string may have several
// lines.
class Tokenizer {
 public:
  std::vector<Token> operator()(std::string_view line);

 private:
  std::string raw_end_;  // what ends the raw string that we are in
};

// The line with <i class=...> around keywords, numbers, texts and comments. `marked` may add to the markup of
// a token.
using Marked = std::function<std::string(const Token& token, const std::string& markup)>;
std::string highlighted(std::string_view line, Tokenizer& tokenizer, const Marked& marked = nullptr);

}  // namespace mesagrad::lesson
