// Tables in the terminal: the first column to the left, all others to the right.
#include <algorithm>

#include "tutorials/lesson/draw.h"
#include "tutorials/lesson/terminal.h"

namespace mesagrad::lesson {
namespace {

constexpr int gap = 3;

std::string row_text(const std::vector<std::string>& cells, const std::vector<int>& widths) {
  std::vector<std::string> name = wrap(cells[0], widths[0]);
  if (name.empty()) name.emplace_back();
  std::string text = "  " + pad_right(name[0], widths[0]);
  for (std::size_t i = 1; i < cells.size(); ++i) text += repeat(" ", gap) + pad_left(cells[i], widths[i]);
  text += "\n";
  for (std::size_t i = 1; i < name.size(); ++i) text += "    " + name[i] + "\n";
  return text;
}

}  // namespace

std::string draw_text(const Table& table, const Screen& screen) {
  if (table.columns.empty()) return "";
  std::vector<int> widths;
  int others = 0;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    widths.push_back(columns(table.columns[i]));
    for (const auto& row : table.rows) widths[i] = std::max(widths[i], columns(row[i]));
    if (i > 0) others += widths[i] + gap;
  }
  // Names may be whole sentences; numbers are never broken.
  widths[0] = std::min(widths[0], std::max(std::min(screen.width, 100) - 4 - others, 20));
  std::string text = table.title.empty() ? "" : "  " + bold(table.title, screen.colour) + "\n";
  text += row_text(table.columns, widths) + "  " + repeat("─", widths[0] + others) + "\n";
  for (const auto& row : table.rows) text += row_text(row, widths);
  return text;
}

}  // namespace mesagrad::lesson
