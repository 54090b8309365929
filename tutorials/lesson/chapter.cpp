#include "tutorials/lesson/chapter.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "core/error.h"
#include "tutorials/lesson/markup.h"
#include "tutorials/lesson/svg.h"
#include "tutorials/lesson/writing.h"

namespace mesagrad::lesson {
namespace {

std::string trimmed(const std::string& line) {
  const std::size_t first = line.find_first_not_of(" \t\r"), last = line.find_last_not_of(" \t\r");
  return first == std::string::npos ? "" : line.substr(first, last - first + 1);
}

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
    first_step_ = static_cast<int>(std::ranges::find_if(lines_, is_step) - lines_.begin()) + 1;
    if (first_step_ > std::ssize(lines_)) first_step_ = 0;
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
    const bool before = pending_first_ < first_step_, after = pending_first_ > last_line_ && first_step_ > 0;
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
    html_ += folded ? "<details>\n<summary>" + summary + "</summary>\n" : "</details>\n";
    folded_ = folded;
  }

  std::vector<std::string> lines_, pending_;  // of code
  std::map<int, std::string> at_line_;
  int first_step_ = 0, last_line_ = 0, pending_first_ = 0;
  std::string waiting_, html_;
  bool folded_ = false;
};

}  // namespace

std::string sentence_markup(const std::string& sentence) {
  return "<p class=\"said\">" + formula_markup(sentence) + "</p>\n";
}

std::string heading_markup(const std::string& heading) { return "<h2>" + formula_markup(heading) + "</h2>\n"; }

std::string claim_markup(const Claim& claim, Scale scale) {
  const Verdict verdict = judge(claim, scale);
  const char* kind = verdict == Verdict::holds ? "holds" : verdict == Verdict::fails ? "fails" : "open";
  const char* mark = verdict == Verdict::holds ? "✓" : verdict == Verdict::fails ? "✗" : "–";
  return text("<p class=\"claim\"><span class=\"", kind, "\">", mark, "</span> ", formula_markup(claim.name), ": <b>",
              escape(short_number(claim.measured, 5)), "</b> <span class=\"facts\">(expected ",
              escape(expectation(claim)), verdict == Verdict::not_judged ? "; not judged at this scale" : "",
              ")</span></p>\n");
}

std::string exhibit_markup(const std::string& markup, const std::string& label, const std::string& caption) {
  const std::string words = label + formula_markup(caption);
  return "<figure>\n<div class=\"wide\">" + markup + "</div>\n" +
         (words.empty() ? "" : "<figcaption>" + words + "</figcaption>\n") + "</figure>\n";
}

std::string chapter_markup(const std::string& source, const std::vector<Piece>& pieces) {
  return Chapter(source, pieces).markup();
}

}  // namespace mesagrad::lesson
