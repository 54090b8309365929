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
    if (close == std::string::npos) return markup + escape(text.substr(start));
    markup += escape(text.substr(start, open - start)) + "<code>" +
              escape(text.substr(open + 1, close - open - 1)) + "</code>";
    start = close + 1;
  }
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
      html += "<pre class=\"shaped\">" + escape(pending) + "</pre>\n";
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

}  // namespace

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

std::string html_of_source(const std::string& source) {
  std::string html;
  for (const SourceBlock& block : split_source(source)) {
    html += block.prose ? prose_markup(block.lines) : code_markup(block);
  }
  return html;
}

}  // namespace mesagrad::lesson
