#include "tutorials/lesson/page.h"

#include <algorithm>
#include <locale>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "core/error.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {
namespace {

// Of ASCII alone, in whatever locale.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool in_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

std::string trimmed(const std::string& line) {
  const std::size_t first = line.find_first_not_of(" \t\r"), last = line.find_last_not_of(" \t\r");
  return first == std::string::npos ? "" : line.substr(first, last - first + 1);
}
bool is_blank(const std::string& line) { return trimmed(line).empty(); }

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
  const std::size_t open = text.find('`');
  const std::size_t close = open == std::string::npos ? open : text.find('`', open + 1);
  if (close == std::string::npos) return formula_markup(text);
  return formula_markup(text.substr(0, open)) + "<code>" + escape(text.substr(open + 1, close - open - 1)) +
         "</code>" + paragraph_markup(text.substr(close + 1));
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
      html += element("pre", formula_markup(pending), "shaped");
    } else if (pending.starts_with("# ")) {
      html += element("h3", paragraph_markup(pending.substr(2)));
    } else if (!pending.empty()) {
      html += element("p", paragraph_markup(pending));
    }
    pending.clear();
  };
  for (const std::string& line : lines) {
    const bool indented = line.starts_with("  ");
    if (is_blank(line) || indented != shaped) finish();
    if (is_blank(line)) continue;
    shaped = indented;
    if (!pending.empty()) pending += shaped ? "\n" : " ";
    pending += line;
  }
  finish();
  return html;
}

std::string code_markup(const std::vector<std::string>& lines, int first) {
  std::string html;
  for (const std::string& line : lines) html += text("<b>", first++, "</b>", highlighted(line), "\n");
  return element("pre", html, "code");
}

std::string highlighted(const std::string& line) {
  static const std::set<std::string> keywords = {
      "auto",     "bool",    "break",  "case",   "catch",    "char",      "class",    "const",   "constexpr",
      "continue", "default", "do",     "double", "else",     "enum",      "explicit", "false",   "float",
      "for",      "if",      "inline", "int",    "long",     "namespace", "new",      "nullptr", "operator",
      "private",  "public",  "return", "signed", "sizeof",   "static",    "struct",   "switch",  "template",
      "this",     "throw",   "true",   "try",    "typename", "unsigned",  "using",    "void",    "while"};
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
    std::size_t kind = 1;
    while (!(*token)[kind].matched) ++kind;
    if (kind == 4 && !keywords.contains(token->str())) continue;
    html += escape({plain, (*token)[0].first}) +
            text("<i class=\"", " csnk"[kind], "\">", escape(token->str()), "</i>");
    plain = (*token)[0].second;
  }
  return html + escape({plain, line.end()});
}

namespace {

bool is_comment(const std::string& line) { return trimmed(line).starts_with("//"); }
bool is_rule(const std::string& line) { return trimmed(line).starts_with("// ---"); }
bool is_step(const std::string& line) { return trimmed(line).starts_with("L.step("); }
bool only_closes(const std::string& line) {
  const std::string text = trimmed(line);
  return !text.empty() && text.find_first_not_of("});") == std::string::npos;
}

std::string without_slashes(const std::string& line) {
  const std::string text = line.substr(line.find("//") + 2);
  return text.starts_with(' ') ? text.substr(1) : text;
}

// Writes a source, block after block, and pieces between.
class Chapter {
 public:
  Chapter(const std::string& source, const std::vector<Piece>& pieces) {
    std::istringstream stream(source);
    for (std::string line; std::getline(stream, line);) lines_.push_back(line);
    for (const Piece& piece : pieces) at_line_[piece.line] += piece.markup;
    if (!at_line_.empty()) last_line_ = at_line_.rbegin()->first;
    const auto step = std::ranges::find_if(lines_, is_step);
    if (step != lines_.end()) first_step_ = static_cast<int>(step - lines_.begin()) + 1;
  }

  std::string markup() {
    bool first = true;
    for (std::size_t i = 0; i < lines_.size();) {
      std::size_t end = i;
      while (end < lines_.size() && is_comment(lines_[end])) ++end;
      if (end - i < 2) {
        add_code(i++);
        continue;
      }
      add_pending_code();
      show_waiting();
      fold(!first && number(i) < first_step_, "Includes and helpers");
      first = false;
      std::vector<std::string> prose;
      for (; i < end; ++i) prose.push_back(without_slashes(lines_[i]));
      html_ += prose_markup(prose);
    }
    add_pending_code();
    show_waiting();
    fold(false);
    for (const auto& [line, markup] : at_line_) html_ += markup;  // of no line that is here
    return html_;
  }

 private:
  static int number(std::size_t i) { return static_cast<int>(i) + 1; }

  void add_code(std::size_t i) {
    const std::string& line = lines_[i];
    const bool blank_first = pending_.empty() && trimmed(line).empty();
    if (!is_rule(line) && !is_step(line) && !blank_first) {
      if (pending_.empty()) pending_first_ = number(i);
      pending_.push_back(line);
    }
    if (const auto found = at_line_.find(number(i)); found != at_line_.end()) {
      waiting_ += found->second;
      at_line_.erase(found);
    }
    const bool ends = trimmed(line).ends_with(';') || only_closes(line);
    const bool goes_on = i + 1 < lines_.size() && only_closes(lines_[i + 1]);
    if (is_step(line) || (ends && !goes_on)) show_waiting();
  }

  void add_pending_code() {
    while (!pending_.empty() && trimmed(pending_.back()).empty()) pending_.pop_back();
    if (pending_.empty()) return;
    const bool before = pending_first_ < first_step_;
    const bool after = first_step_ > 0 && pending_first_ > last_line_;
    fold(before || after, before ? "Includes and helpers" : "The rest of the source");
    html_ += code_markup(pending_, pending_first_);
    pending_.clear();
  }

  void show_waiting() {
    if (waiting_.empty()) return;
    add_pending_code();
    fold(false);
    html_ += waiting_;
    waiting_.clear();
  }

  // From here on things are folded away under `summary`, or not.
  void fold(bool folded, const std::string& summary = "") {
    if (folded == folded_) return;
    html_ += folded ? "<details>\n" + element("summary", summary) : "</details>\n";
    folded_ = folded;
  }

  std::vector<std::string> lines_, pending_;  // of code
  std::map<int, std::string> at_line_;
  int first_step_ = 0, last_line_ = 0, pending_first_ = 0;
  std::string waiting_, html_;
  bool folded_ = false;
};

}  // namespace

std::string chapter_markup(const std::string& source, const std::vector<Piece>& pieces) {
  return Chapter(source, pieces).markup();
}

}  // namespace mesagrad::lesson
