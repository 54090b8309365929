#include "tutorials/lesson/source.h"

#include <sstream>

#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {
namespace {

bool is_comment(const std::string& line) {
  const std::size_t start = line.find_first_not_of(' ');
  return start != std::string::npos && line.compare(start, 2, "//") == 0;
}

bool is_blank(const std::string& line) {
  return line.find_first_not_of(" \t\r") == std::string::npos;
}

std::string without_slashes(const std::string& line) {
  const std::string text = line.substr(line.find("//") + 2);
  return text.starts_with(' ') ? text.substr(1) : text;
}

// `code` in a paragraph; a backtick without a partner stays one.
std::string paragraph_markup(const std::string& text) {
  std::string markup;
  std::size_t start = 0;
  while (true) {
    const std::size_t open = text.find('`', start);
    const std::size_t close = open == std::string::npos ? open : text.find('`', open + 1);
    if (close == std::string::npos) return markup + formula_markup(escape(text.substr(start)));
    markup += formula_markup(escape(text.substr(start, open - start))) + "<code>" +
              escape(text.substr(open + 1, close - open - 1)) + "</code>";
    start = close + 1;
  }
}

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

}  // namespace

std::string formula_markup(const std::string& text) {
  std::string markup;
  for (std::size_t i = 0; i < text.size();) {
    const bool below = text[i] == '_' && single_letter_before(text, i);
    const bool above = text[i] == '^' && i > 0 && text[i - 1] != ' ';
    const std::size_t end = below || above ? end_of_index(text, i + 1) : i + 1;
    if ((!below && !above) || end == i + 1) {
      markup += text[i++];
      continue;
    }
    const std::string index = text[i + 1] == '{' ? text.substr(i + 2, end - i - 3) : text.substr(i + 1, end - i - 1);
    markup += std::string(below ? "<sub>" : "<sup>") + index + (below ? "</sub>" : "</sup>");
    i = end;
  }
  return markup;
}

// Blank lines separate paragraphs; what is indented keeps its shape (formulas, drawings); a
// paragraph that starts with # is a heading.
std::string prose_markup(const std::vector<std::string>& lines) {
  std::string html;
  std::string pending;
  bool shaped = false;
  const auto finish = [&] {
    if (pending.empty()) return;
    if (shaped) {
      html += "<pre class=\"shaped\">" + formula_markup(escape(pending)) + "</pre>\n";
    } else if (pending.starts_with("# ")) {
      html += "<h3>" + paragraph_markup(pending.substr(2)) + "</h3>\n";
    } else {
      html += "<p>" + paragraph_markup(pending) + "</p>\n";
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

std::string code_markup(const SourceBlock& block) {
  std::string code;
  for (const std::string& line : block.lines) code += line + "\n";
  std::istringstream lines(highlighted(code));
  std::string html = "<pre class=\"code\">";
  int number = block.first_line;
  for (std::string line; std::getline(lines, line); ++number) {
    html += "<b>" + std::to_string(number) + "</b>" + line + "\n";
  }
  return html + "</pre>\n";
}

void trim_blank_lines(SourceBlock& block) {
  while (!block.lines.empty() && is_blank(block.lines.back())) block.lines.pop_back();
  while (!block.lines.empty() && is_blank(block.lines.front())) {
    block.lines.erase(block.lines.begin());
    ++block.first_line;
  }
}

std::vector<SourceBlock> split_source(const std::string& source) {
  std::vector<std::string> lines;
  std::istringstream stream(source);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);

  std::vector<SourceBlock> blocks;
  const auto add = [&](bool prose, std::size_t line) {
    if (blocks.empty() || blocks.back().prose != prose) {
      blocks.push_back({.prose = prose, .first_line = static_cast<int>(line) + 1});
    }
    blocks.back().lines.push_back(prose ? without_slashes(lines[line]) : lines[line]);
  };
  for (std::size_t start = 0; start < lines.size();) {
    std::size_t end = start;
    while (end < lines.size() && is_comment(lines[end])) ++end;
    const bool prose = end - start >= 2;
    if (end == start) ++end;
    for (; start < end; ++start) add(prose, start);
  }
  std::vector<SourceBlock> kept;
  for (SourceBlock& block : blocks) {
    trim_blank_lines(block);
    if (!block.lines.empty()) kept.push_back(block);
  }
  return kept;
}

}  // namespace mesagrad::lesson
