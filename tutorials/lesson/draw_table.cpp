// Tables in the terminal: the first column to the left, all others to the right.
#include <algorithm>

#include "tutorials/lesson/draw.h"
#include "tutorials/lesson/terminal.h"
#include "tutorials/lesson/utf8.h"

namespace mesagrad::lesson {
namespace {

constexpr int gap = 3;

std::vector<int> column_widths(const Table& table, int room) {
  std::vector<int> widths;
  int others = 0;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    int width = columns(table.columns[i]);
    for (const auto& row : table.rows) width = std::max(width, columns(row[i]));
    widths.push_back(width);
    if (i > 0) others += width + gap;
  }
  // Names may be whole sentences; numbers are never broken.
  widths[0] = std::min(widths[0], std::max(room - others, 20));
  return widths;
}

std::string row_text(const std::vector<std::string>& cells, const std::vector<int>& widths) {
  std::vector<std::string> name = wrap(cells[0], widths[0]);
  if (name.empty()) name.emplace_back();
  std::string text = "  " + pad_right(name[0], widths[0]);
  for (std::size_t i = 1; i < cells.size(); ++i) {
    text += repeat(" ", gap) + pad_left(cells[i], widths[i]);
  }
  text += "\n";
  for (std::size_t i = 1; i < name.size(); ++i) text += "    " + name[i] + "\n";
  return text;
}

}  // namespace

std::string draw_text(const Table& table, const Screen& screen) {
  if (table.columns.empty()) return "";
  const std::vector<int> widths = column_widths(table, std::min(screen.width, 100) - 4);
  int total = gap * static_cast<int>(widths.size() - 1);
  for (const int width : widths) total += width;
  std::string text;
  if (!table.title.empty()) text += "  " + bold(table.title, screen.colour) + "\n";
  text += row_text(table.columns, widths) + "  " + repeat("─", total) + "\n";
  for (const auto& row : table.rows) text += row_text(row, widths);
  return text;
}

}  // namespace mesagrad::lesson
