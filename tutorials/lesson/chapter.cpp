#include "tutorials/lesson/page.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/files.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {
namespace {

bool is_blank(const std::string& line) { return trimmed(line).empty(); }

// Does a letter of its own, or a d before one, end before `end`: x in "x", "x'" and "dx", but not in "max"?
// Greek ones have two bytes.
bool single_letter_before(const std::string& text, std::size_t end) {
  if (end > 1 && text[end - 1] == '\'') --end;
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
  const auto is_greek = [](char byte) { return byte == '\xCE' || byte == '\xCF'; };  // the first of two bytes
  for (; end < text.size(); ++end) {
    if (is_greek(text[end]) && end + 1 < text.size()) ++end;
    else if (!is_letter(text[end]) && !is_digit(text[end])) break;
  }
  const bool name_goes_on = end < text.size() && (text[end] == '_' || text[end] == '(');
  return name_goes_on || (text[start] == '-' && end == start + 1) ? start : end;
}

// Is the _ at i that of out_t, dout_ij, (AB)_ij or argmin_Φ, and not that of next_id, take_in, log_x, a_long_t
// or std::size_t?
bool index_behind_name(const std::string& text, std::size_t i) {
  const bool closes = i > 0 && (text[i - 1] == ')' || text[i - 1] == ']');
  std::size_t start = closes ? i - 1 : i;
  while (start > 0 && is_letter(text[start - 1])) --start;
  const std::string index = text.substr(i + 1, end_of_index(text, i + 1) - i - 1);
  const std::string before = start > 0 ? text.substr(start - 1, 1) : "";
  if (start == i || (before >= "." && before <= ":") || before == "_" || index.empty()) return false;
  const bool is_greek = static_cast<unsigned char>(index[0]) >= 0x80;
  return index.size() < 3 && (is_greek || std::string("hijk mn st").find(index) != std::string::npos);
}

// Is the _ at i that of y_columns or o_proj?
bool begins_word(const std::string& text, std::size_t i) {
  const bool is_lower = i > 0 && text[i - 1] >= 'a' && text[i - 1] <= 'z';
  return is_lower && text[i + 1] != '{' && end_of_index(text, i + 1) > i + 4;
}

std::string set_formula(const std::string& text) {  // which is escaped
  std::string markup;
  for (std::size_t i = 0; i < text.size();) {
    const bool is_index = text[i] == '_' && !begins_word(text, i);
    const bool below = is_index && (single_letter_before(text, i) || index_behind_name(text, i));
    const bool above = text[i] == '^' && i > 0 && text[i - 1] != ' ';
    const std::size_t end = below || above ? end_of_index(text, i + 1) : i + 1;
    if (end == i + 1) {
      markup += text[i++];
      continue;
    }
    const std::size_t brace = text[i + 1] == '{' ? 1 : 0;
    const std::string index = set_formula(text.substr(i + 1 + brace, end - i - 1 - 2 * brace));
    markup += (below ? "<sub>" : "<sup>") + index + (below ? "</sub>" : "</sup>");
    i = end;
  }
  return markup;
}

// Signs that have no key, in text that is escaped; a minus stays with what it is subtracted from.
std::string with_signs(std::string text) {
  for (const auto& [typed, sign] : {std::pair{"&lt;=", "≤"},
                                    {"&gt;=", "≥"},
                                    {" -&gt; ", " → "},
                                    {" &lt;- ", " ← "},
                                    {"||", "‖"},
                                    {" - ", "\u00a0− "}}) {
    const std::string before = typed;
    for (std::size_t at = 0; (at = text.find(before, at)) != std::string::npos; ++at) {
      const bool is_arrow = text.compare(at + before.size(), 1, "=") == 0;  // <====
      if (!is_arrow) text.replace(at, before.size(), sign);
    }
  }
  return text;
}

}  // namespace

std::string formula_markup(const std::string& raw) { return set_formula(with_signs(escape(raw))); }

// A backtick without a partner stays one.
std::string paragraph_markup(const std::string& text) {
  const std::size_t open = text.find('`');
  const std::size_t close = open == std::string::npos ? open : text.find('`', open + 1);
  if (close == std::string::npos) return formula_markup(text);
  return formula_markup(text.substr(0, open)) + "<code>" + escape(text.substr(open + 1, close - open - 1)) +
         "</code>" + paragraph_markup(text.substr(close + 1));
}

std::string prose_markup(const std::vector<std::string>& lines) {
  std::string html, pending;
  bool shaped = false;
  const auto finish = [&] {
    if (shaped && !pending.empty()) {
      const bool is_code = pending.ends_with(';') || pending.find(";\n") != std::string::npos;
      html += element("pre", is_code ? escape(pending) : formula_markup(pending), "shaped");
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

std::string code_markup(const Listing& lines, const MarkedAt& marked) {
  Tokenizer tokenizer;
  std::string html;
  for (const SourceLine& line : lines) {
    const auto marked_here = [&](const Token& token, const std::string& markup) {
      return marked ? marked(line.number, token, markup) : markup;
    };
    std::string markup = highlighted(line.text, tokenizer, marked_here);
    const std::size_t indented = markup.find_first_not_of(' '), near = 8;
    if (indented > near && indented != std::string::npos) {  // blanks that a phone has no room for
      markup.insert(indented, "</i>");
      markup.insert(near, "<i class=\"far\">");
    }
    html += text("<span id=\"", line.number, "\">", markup, "\n</span>");
  }
  return element("pre", html, "code");
}

namespace {

bool is_comment(const std::string& line) { return trimmed(line).starts_with("//"); }
bool has_formula(const std::string& comment) { return set_formula(comment) != comment; }
bool is_deep(const std::string& line) { return line.starts_with("    "); }  // amid a function
bool is_rule(const std::string& line) { return trimmed(line).starts_with("// ---"); }
bool is_step(const std::string& line) { return trimmed(line).starts_with("L.step("); }
bool only_closes(const std::string& line) {
  const std::string text = trimmed(line);
  return !text.empty() && text.find_first_not_of("});") == std::string::npos;
}

// Marks of the course's exercises, and how what is asked goes on (tests/course/exercises.h).
bool is_mark(const std::string& line) {
  const std::string text = trimmed(line);
  return text.starts_with("//|") || (text.starts_with("// end ") && text.size() > 7 && is_digit(text[7]));
}
bool is_question(const std::string& line) { return trimmed(line).starts_with("//   "); }

// "Title" of "// -- Title -----", or "".
std::string title_in(const std::string& line) {
  const std::string text = trimmed(line), start = "// -- ";
  const std::size_t end = text.find(" -", start.size());
  return text.starts_with(start) && end != std::string::npos ? text.substr(start.size(), end - start.size()) : "";
}

std::string without_slashes(const std::string& line) {
  const std::string text = line.substr(line.find("//") + 2);
  return text.starts_with(' ') ? text.substr(1) : text;
}

// Writes a source, block after block, and pieces between.
class Chapter {
 public:
  Chapter(const std::string& source, const std::vector<Piece>& pieces, const Typesetting& set) : set_(set) {
    int number = 0;
    bool in_question = false;
    for (const std::string& line : lines_of(source)) {
      ++number;
      in_question = trimmed(line).starts_with("// exercise ") || (in_question && is_question(line));
      if (!in_question && !is_mark(line)) lines_.push_back({number, line});
    }
    for (const Piece& piece : pieces) at_line_[piece.line] += piece.markup;
    if (!at_line_.empty()) last_line_ = at_line_.rbegin()->first;
    const auto step = std::ranges::find_if(lines_, is_step, &SourceLine::text);
    if (step != lines_.end()) first_step_ = step->number;
  }

  std::string markup() {
    bool first = true;
    for (std::size_t i = 0; i < lines_.size();) {
      std::size_t end = i;
      while (end < lines_.size() && is_comment(lines_[end].text)) ++end;
      const bool stands_alone = end == i + 1 && i > 0 && title_in(lines_[i].text).empty();
      if (end == i || (stands_alone && (!has_formula(lines_[i].text) || is_deep(lines_[i].text)))) {
        add_code(i++);
        continue;
      }
      add_pending_code();
      show_waiting();
      fold(!first && lines_[i].number < first_step_, "Includes and helpers");
      first = false;
      std::vector<std::string> prose;
      for (; i < end; ++i) {
        const std::string title = title_in(lines_[i].text);
        if (title.empty()) prose.push_back(without_slashes(lines_[i].text));
        else prose.insert(prose.end(), {"", "# " + title, ""});
      }
      html_ += set_.prose(prose);
    }
    add_pending_code();
    show_waiting();
    fold(false);
    for (const auto& [line, markup] : at_line_) html_ += markup;  // of no line that is here
    return html_;
  }

 private:
  void add_code(std::size_t i) {
    const auto& [number, line] = lines_[i];
    const bool blank_first = pending_.empty() && is_blank(line);
    if (!is_rule(line) && !is_step(line) && !blank_first) pending_.push_back(lines_[i]);
    if (const auto found = at_line_.find(number); found != at_line_.end()) {
      waiting_ += found->second;
      at_line_.erase(found);
    }
    const bool ends = trimmed(line).ends_with(';') || only_closes(line);
    const bool goes_on = i + 1 < lines_.size() && only_closes(lines_[i + 1].text);
    if (is_step(line) || (ends && !goes_on)) show_waiting();
  }

  void add_pending_code() {
    while (!pending_.empty() && is_blank(pending_.back().text)) pending_.pop_back();
    if (pending_.empty()) return;
    const bool before = pending_[0].number < first_step_;
    const bool after = first_step_ > 0 && pending_[0].number > last_line_;
    fold(before || after, before ? "Includes and helpers" : "The rest of the source");
    html_ += set_.code(pending_);
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
    if (folded == folded_ || !set_.folds) return;
    html_ += folded ? "<details>\n" + element("summary", summary) : "</details>\n";
    folded_ = folded;
  }

  const Typesetting& set_;
  Listing lines_, pending_;  // of code
  std::map<int, std::string> at_line_;
  int first_step_ = 0, last_line_ = 0;
  std::string waiting_, html_;
  bool folded_ = false;
};

}  // namespace

std::string without_title(const std::string& source, const std::string& title) {
  for (const char* end : {".\n", "\n"}) {
    const std::string again = "// " + title + end;
    if (source.starts_with(again)) return "//" + source.substr(again.size() - 1);
  }
  return source;
}

std::string chapter_markup(const std::string& source, const std::vector<Piece>& pieces,
                           const Typesetting& set) {
  return Chapter(source, pieces, set).markup();
}

}  // namespace mesagrad::lesson
