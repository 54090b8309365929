#include "tutorials/lesson/markup.h"

#include <locale>
#include <regex>
#include <set>

#include "core/error.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {
namespace {

// Of ASCII alone, in whatever locale.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool in_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

// Does a letter of its own, or a d before one, end before `end`: x in "x" and "dx", but not in "max"? Greek
// ones have two bytes.
bool single_letter_before(const std::string& text, std::size_t end) {
  if (end == 0) return false;
  if (static_cast<unsigned char>(text[end - 1]) >= 0x80) return true;
  if (!is_letter(text[end - 1])) return false;
  const std::size_t start = end > 1 && text[end - 2] == 'd' ? end - 2 : end - 1;
  return start == 0 || !in_word(text[start - 1]);
}

// Where the index that begins at `start` ends: `{...}`, or letters and digits, or a number with its sign. The
// same place if there is none.
std::size_t end_of_index(const std::string& text, std::size_t start) {
  if (start >= text.size()) return start;
  if (text[start] == '{') {
    const std::size_t close = text.find('}', start);
    return close == std::string::npos ? start : close + 1;
  }
  std::size_t end = start + (text[start] == '-' ? 1 : 0);
  while (end < text.size() && (is_letter(text[end]) || is_digit(text[end]))) ++end;
  const bool name_goes_on = end < text.size() && (text[end] == '_' || text[end] == '(');
  return name_goes_on || (text[start] == '-' && end == start + 1) ? start : end;
}

// A backtick without a partner stays one.
std::string paragraph_markup(const std::string& text) {
  std::string markup;
  std::size_t start = 0;
  while (true) {
    const std::size_t open = text.find('`', start);
    const std::size_t close = open == std::string::npos ? open : text.find('`', open + 1);
    if (close == std::string::npos) return markup + formula_markup(text.substr(start));
    markup += formula_markup(text.substr(start, open - start)) + "<code>" +
              escape(text.substr(open + 1, close - open - 1)) + "</code>";
    start = close + 1;
  }
}

}  // namespace

std::string formula_markup(const std::string& raw) {
  const std::string text = escape(raw);
  std::string markup;
  for (std::size_t i = 0; i < text.size();) {
    const bool below = text[i] == '_' && single_letter_before(text, i);
    const bool above = text[i] == '^' && i > 0 && text[i - 1] != ' ';
    const std::size_t end = below || above ? end_of_index(text, i + 1) : i + 1;
    if (end == i + 1) {
      markup += text[i++];
      continue;
    }
    const std::size_t brace = text[i + 1] == '{' ? 1 : 0;
    const std::string index = text.substr(i + 1 + brace, end - i - 1 - 2 * brace);
    markup += (below ? "<sub>" : "<sup>") + index + (below ? "</sub>" : "</sup>");
    i = end;
  }
  return markup;
}

std::string prose_markup(const std::vector<std::string>& lines) {
  std::string html, pending;
  bool shaped = false;
  const auto finish = [&] {
    if (shaped && !pending.empty()) {
      html += "<pre class=\"shaped\">" + formula_markup(pending) + "</pre>\n";
    } else if (pending.starts_with("# ")) {
      html += "<h3>" + paragraph_markup(pending.substr(2)) + "</h3>\n";
    } else if (!pending.empty()) {
      html += "<p>" + paragraph_markup(pending) + "</p>\n";
    }
    pending.clear();
  };
  for (const std::string& line : lines) {
    const bool blank = line.find_first_not_of(" \t\r") == std::string::npos, indented = line.starts_with("  ");
    if (blank || indented != shaped) finish();
    if (blank) continue;
    shaped = indented;
    if (!pending.empty()) pending += shaped ? "\n" : " ";
    pending += line;
  }
  finish();
  return html;
}

std::string code_markup(const std::vector<std::string>& lines, int first) {
  std::string html = "<pre class=\"code\">";
  for (const std::string& line : lines) html += text("<b>", first++, "</b>", highlighted(line), "\n");
  return html + "</pre>\n";
}

std::string highlighted(const std::string& line) {
  static const std::set<std::string> keywords = {
      "auto",   "bool",  "break",    "case",   "catch",   "char",     "class",    "const",    "constexpr",
      "continue", "default", "do",   "double", "else",    "enum",     "explicit", "false",    "float",
      "for",    "if",    "inline",   "int",    "long",    "namespace", "new",     "nullptr",  "operator",
      "private", "public", "return", "signed", "sizeof",  "static",   "struct",   "switch",   "template",
      "this",   "throw", "true",     "try",    "typename", "unsigned", "using",   "void",     "while"};
  // Comments and directives, quoted texts, numbers such as 1'000 and 1e-3, and words.
  static const std::regex tokens = [] {
    std::regex regex;
    regex.imbue(std::locale::classic());
    return regex.assign(R"RE((//.*|^#.*)|("(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?)|)RE"
                        R"RE(([0-9](?:[eE][-+]|[0-9A-Za-z_.'])*)|([A-Za-z_][0-9A-Za-z_]*))RE");
  }();
  std::string html;
  auto plain = line.begin();  // what has been written ends here
  for (std::sregex_iterator token(line.begin(), line.end(), tokens), end; token != end; ++token) {
    const std::string text = token->str();
    const char* kind = (*token)[1].matched ? "c" : (*token)[2].matched ? "s" : (*token)[3].matched ? "n" : "k";
    if ((*token)[4].matched && !keywords.contains(text)) continue;
    html += escape({plain, (*token)[0].first}) + "<i class=\"" + kind + "\">" + escape(text) + "</i>";
    plain = (*token)[0].second;
  }
  return html + escape({plain, line.end()});
}

}  // namespace mesagrad::lesson
