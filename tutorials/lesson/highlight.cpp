// Just enough C++ to colour a lesson: it reads one token after another and never backtracks.
#include <algorithm>
#include <array>
#include <string_view>

#include "tutorials/lesson/source.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {
namespace {

constexpr std::array<std::string_view, 44> keywords = {
    "auto",     "bool",     "break",   "case",    "catch",    "char",      "class",   "const",
    "constexpr", "continue", "default", "do",      "double",   "else",      "enum",    "false",
    "float",    "for",      "if",      "inline",  "int",      "long",      "namespace", "new",
    "nullptr",  "operator", "private", "public",  "return",   "signed",    "sizeof",  "static",
    "struct",   "switch",   "template", "this",   "throw",    "true",      "try",     "typename",
    "unsigned", "using",    "void",    "while"};

// Where a quoted text that starts at `start` ends; at the latest with its line.
std::size_t end_of_quote(std::string_view code, std::size_t start) {
  std::size_t i = start + 1;
  while (i < code.size() && code[i] != code[start] && code[i] != '\n') {
    i += code[i] == '\\' ? 2 : 1;
  }
  return std::min(i + (i < code.size() && code[i] == '\n' ? 0 : 1), code.size());
}

std::size_t end_of_word(std::string_view code, std::size_t start) {
  std::size_t i = start;
  while (i < code.size()) {
    // 1'000, 0.5 and 1e-3 are one number each.
    const bool number = is_digit(code[start]);
    const bool exponent_sign = (code[i] == '-' || code[i] == '+') && i > start &&
                               (code[i - 1] == 'e' || code[i - 1] == 'E');
    const bool inside = number && (code[i] == '.' || code[i] == '\'' || exponent_sign);
    if (!in_word(code[i]) && !inside) break;
    ++i;
  }
  return i;
}

struct Token {
  std::size_t end;
  std::string_view kind;  // the class of its colour; empty for plain text
};

Token token_at(std::string_view code, std::size_t start) {
  const std::string_view rest = code.substr(start);
  const char first = rest[0];
  const std::size_t line_end = std::min(code.find('\n', start), code.size());
  const bool line_start = start == 0 || code[start - 1] == '\n';
  if (rest.starts_with("//")) return {line_end, "c"};
  if (line_start && first == '#') return {line_end, "c"};
  if (first == '"' || first == '\'') return {end_of_quote(code, start), "s"};
  if (!in_word(first)) return {start + 1, ""};
  const std::size_t end = end_of_word(code, start);
  if (is_digit(first)) return {end, "n"};
  const bool keyword = std::ranges::find(keywords, rest.substr(0, end - start)) != keywords.end();
  return {end, keyword ? "k" : ""};
}

}  // namespace

std::string highlighted(const std::string& code) {
  std::string html;
  std::string plain;
  for (std::size_t start = 0; start < code.size();) {
    const auto [end, kind] = token_at(code, start);
    const std::string text = code.substr(start, end - start);
    start = end;
    if (kind.empty()) {
      plain += text;  // gathered, because escape() needs whole characters
      continue;
    }
    html += escape(plain) + "<i class=\"" + std::string(kind) + "\">" + escape(text) + "</i>";
    plain.clear();
  }
  return html + escape(plain);
}

}  // namespace mesagrad::lesson
