#include "tutorials/lesson/tokens.h"

#include <algorithm>
#include <set>

#include "core/utf8.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {
namespace {

bool is_keyword(std::string_view word) {
  static const std::set<std::string_view> keywords = {
      "auto",      "bool",     "break",    "case",    "catch",    "char",     "class",  "const",
      "constexpr", "continue", "default",  "do",      "double",   "else",     "enum",   "explicit",
      "false",     "float",    "for",      "if",      "inline",   "int",      "long",   "namespace",
      "new",       "nullptr",  "operator", "private", "public",   "requires", "return", "signed",
      "sizeof",    "static",   "struct",   "switch",  "template", "this",     "throw",  "true",
      "try",       "typename", "unsigned", "using",   "void",     "while"};
  return keywords.contains(word);
}

// Where a quoted text that begins at `start` ends; at the end of the line, if it has no end.
std::size_t end_of_quotation(std::string_view line, std::size_t start) {
  std::size_t end = start + 1;
  while (end < line.size() && line[end] != line[start]) end += line[end] == '\\' ? 2 : 1;
  return std::min(end + 1, line.size());
}

// Numbers such as 1'000, 0x1p-3 and 1e-3f.
std::size_t end_of_number(std::string_view line, std::size_t start) {
  std::size_t end = start + 1;
  const auto goes_on = [&] {
    const char before = static_cast<char>(line[end - 1] | 0x20);  // in lower case
    const bool sign = (line[end] == '-' || line[end] == '+') && (before == 'e' || before == 'p');
    return in_word(line[end]) || line[end] == '.' || line[end] == '\'' || sign;
  };
  while (end < line.size() && goes_on()) ++end;
  return end;
}

}  // namespace

std::string trimmed(const std::string& line) {
  const std::size_t first = line.find_first_not_of(" \t\r"), last = line.find_last_not_of(" \t\r");
  return first == std::string::npos ? "" : line.substr(first, last - first + 1);
}

std::vector<Token> Tokenizer::operator()(std::string_view line) {
  std::vector<Token> tokens;
  bool blank = true;  // so far
  for (std::size_t start = 0, end = 0; start < line.size(); start = end) {
    const char c = line[start];
    Kind kind = Kind::other;
    end = start + 1;
    if (c == 'R' && raw_end_.empty() && end < line.size() && line[end] == '"') {
      const std::size_t open = std::min(line.find('(', end), line.size());
      raw_end_ = ")" + std::string(line.substr(end + 1, open - end - 1)) + "\"";
    }
    if (!raw_end_.empty()) {
      const std::size_t close = line.find(raw_end_, start);
      end = close == std::string_view::npos ? line.size() : close + raw_end_.size();
      if (close != std::string_view::npos) raw_end_.clear();
      kind = Kind::text;
    } else if (line.substr(start).starts_with("//") || (c == '#' && blank)) {
      end = line.size();
      kind = Kind::comment;
    } else if (c == '"' || c == '\'') {
      end = end_of_quotation(line, start);
      kind = Kind::text;
    } else if (is_digit(c)) {
      end = end_of_number(line, start);
      kind = Kind::number;
    } else if (in_word(c)) {
      while (end < line.size() && in_word(line[end])) ++end;
      kind = is_keyword(line.substr(start, end - start)) ? Kind::keyword : Kind::word;
    } else {
      while (end < line.size() && continues_character(line[end])) ++end;
    }
    blank = blank && c == ' ';
    tokens.push_back({kind, start, line.substr(start, end - start)});
  }
  return tokens;
}

std::string highlighted(std::string_view line, Tokenizer& tokenizer, const Marked& marked) {
  std::string html;
  for (const Token& token : tokenizer(line)) {
    const char letter = " csnk "[static_cast<int>(token.kind)];
    std::string markup = escape(std::string(token.text));
    if (marked) markup = marked(token, markup);
    html += letter == ' ' ? markup : std::string("<i class=\"") + letter + "\">" + markup + "</i>";
  }
  return html;
}

}  // namespace mesagrad::lesson
