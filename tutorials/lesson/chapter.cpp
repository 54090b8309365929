#include "tutorials/lesson/chapter.h"

#include <map>

#include "core/error.h"
#include "tutorials/lesson/numbers.h"
#include "tutorials/lesson/source.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {
namespace {

std::string trimmed(const std::string& line) {
  const std::size_t first = line.find_first_not_of(" \t\r"), last = line.find_last_not_of(" \t\r");
  return first == std::string::npos ? "" : line.substr(first, last - first + 1);
}

bool is_rule(const std::string& line) { return trimmed(line).starts_with("// ---"); }
bool is_step(const std::string& line) { return trimmed(line).starts_with("L.step("); }
bool only_closes(const std::string& line) {
  const std::string text = trimmed(line);
  return !text.empty() && text.find_first_not_of("});") == std::string::npos;
}

// Writes the blocks of a source one after another, and pieces between them.
class Chapter {
 public:
  Chapter(const std::vector<SourceBlock>& blocks, const std::vector<Piece>& pieces) : blocks_(blocks) {
    for (const Piece& piece : pieces) at_line_[piece.line] += piece.markup;
    if (!at_line_.empty()) last_line_ = at_line_.rbegin()->first;
    for (const SourceBlock& block : blocks) {
      for (std::size_t i = 0; !block.prose && i < block.lines.size() && first_step_ == 0; ++i) {
        if (is_step(block.lines[i])) first_step_ = block.first_line + static_cast<int>(i);
      }
    }
  }

  std::string markup() {
    bool first = true;
    for (const SourceBlock& block : blocks_) {
      if (block.prose) {
        fold(!first && block.first_line < first_step_, "Includes and helpers");
        html_ += prose_markup(block.lines);
      } else {
        add_code(block);
      }
      first = false;
    }
    fold(false);
    for (const auto& [line, markup] : at_line_) html_ += markup;  // of no line that is here
    return html_;
  }

 private:
  void add_code(const SourceBlock& block) {
    int line = block.first_line;
    for (auto text = block.lines.begin(); text != block.lines.end(); ++text, ++line) {
      const auto next = text + 1;
      const bool shows = is_step(*text);
      if (!is_rule(*text) && !shows) add_line(*text, line);
      if (const auto found = at_line_.find(line); found != at_line_.end()) {
        waiting_ += found->second;
        at_line_.erase(found);
      }
      const bool ends = trimmed(*text).ends_with(';') || only_closes(*text);
      const bool goes_on = next != block.lines.end() && only_closes(*next);
      if (!waiting_.empty() && (shows || (ends && !goes_on))) show_waiting();
    }
    add_pending_code();
    show_waiting();
  }

  void add_line(const std::string& text, int line) {
    if (pending_.lines.empty()) pending_.first_line = line;
    pending_.lines.push_back(text);
  }

  void add_pending_code() {
    trim_blank_lines(pending_);
    if (!pending_.lines.empty()) {
      const bool before = pending_.first_line < first_step_, after = pending_.first_line > last_line_;
      fold(before || (after && first_step_ > 0), before ? "Includes and helpers" : "The rest of the source");
      html_ += code_markup(pending_);
    }
    pending_.lines.clear();
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

  const std::vector<SourceBlock>& blocks_;
  std::map<int, std::string> at_line_;
  int first_step_ = 0, last_line_ = 0;
  SourceBlock pending_;
  std::string waiting_, html_;
  bool folded_ = false;
};

}  // namespace

std::string sentence_markup(const std::string& sentence) {
  return "<p class=\"said\">" + formula_markup(escape(sentence)) + "</p>\n";
}

std::string heading_markup(const std::string& heading) {
  return "<h2>" + formula_markup(escape(heading)) + "</h2>\n";
}

std::string claim_markup(const Claim& claim, Scale scale) {
  const Verdict verdict = judge(claim, scale);
  const char* kind = verdict == Verdict::holds ? "holds" : verdict == Verdict::fails ? "fails" : "open";
  const char* mark = verdict == Verdict::holds ? "✓" : verdict == Verdict::fails ? "✗" : "–";
  return text("<p class=\"claim\"><span class=\"", kind, "\">", mark, "</span> ",
              formula_markup(escape(claim.name)), ": <b>", escape(short_number(claim.measured, 5)),
              "</b> <span class=\"facts\">(expected ", escape(expectation(claim)),
              verdict == Verdict::not_judged ? "; not judged at this scale" : "", ")</span></p>\n");
}

std::string exhibit_markup(const std::string& markup, const std::string& label, const std::string& caption) {
  std::string html = "<figure>\n<div class=\"wide\">" + markup + "</div>\n";
  if (!label.empty() || !caption.empty()) {
    html += "<figcaption>" + label + formula_markup(escape(caption)) + "</figcaption>\n";
  }
  return html + "</figure>\n";
}

std::string chapter_markup(const std::string& source, const std::vector<Piece>& pieces) {
  const std::vector<SourceBlock> blocks = split_source(source);
  return Chapter(blocks, pieces).markup();
}

}  // namespace mesagrad::lesson
