// What a figure shows, as plain data; it is drawn in the terminal and as SVG.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/real.h"
#include "tasks/loss_curve.h"
#include "tutorials/lesson/writing.h"

namespace mesagrad::lesson {

struct LineStyle {
  Numbers std = {};     // of each y
  bool band = false;    // drawn around the line: y ± std
  bool given = false;   // measured elsewhere, not by this run: dashed, and not among its results
  bool dashed = false;  // theory
  bool thin = false;
  bool points = false;    // a dot at every value
  bool unjoined = false;  // dots only, without the line between them
  std::string like = {};  // take the colour of the curve with this label
};

struct Line {
  std::string label = {};
  std::vector<double> x = {};
  std::vector<double> y = {};
  LineStyle style = {};
};

struct LinePanel {
  std::string title = {};
  std::vector<Line> lines = {};
};

// Curves over common axes. Call panel() before line() to have several panels side by side; a label
// that occurs in many panels has one colour. A NaN leaves a gap. A lesson that shows a plot keeps its curves.
struct LinePlot {
  std::string name = {};  // of the file: name.svg
  std::string title = {};
  std::string x = {};
  std::string y = {};
  std::string caption = {};
  bool log_x = false;
  bool log_y = false;
  std::optional<double> y_low = {};  // what lies outside is cut off
  std::optional<double> y_high = {};
  int columns = 0;      // of panels; 0: chosen
  bool timing = false;  // another machine, or another minute, measures something else
  std::vector<LinePanel> panels = {};

  void panel(const std::string& panel_title) { panels.push_back({.title = panel_title}); }
  void line(const std::string& label, const Numbers& xs, const Numbers& ys, LineStyle style = {});
  void curve(const std::string& label, const LossCurve& losses, LineStyle style = {});
};

// Losses at each position, and losses of a test on the way through training.
LinePlot by_position(LinePlot plot);
LinePlot by_updates(LinePlot plot);

struct HeatPanel {
  std::string title = {};
  Index rows = 0;
  Index columns = 0;
  std::vector<double> values = {};  // row-major
};

// Matrices side by side, with one colour scale: blue below zero, white at zero, orange above.
struct HeatMap {
  std::string name = {};  // of the file: name.svg
  std::string title = {};
  std::string caption = {};
  int columns = 0;                              // of panels; 0: chosen
  std::vector<std::string> row_titles = {};     // one for each row of panels
  std::vector<std::string> column_titles = {};  // one for each column of panels
  Index block = 0;                              // a separating line after each `block` cells
  std::vector<std::string> row_labels = {};     // one for each block, or each cell, of a matrix
  std::vector<std::string> column_labels = {};
  std::optional<double> limit = {};  // of the colour scale; default: the largest value
  std::vector<HeatPanel> panels = {};

  void panel(const std::string& panel_title, Index rows, Index cols, const Numbers& values);
};

// A small table of text and numbers.
struct Table {
  std::string title = {};
  std::string caption = {};
  std::vector<std::string> columns = {};
  std::vector<std::vector<std::string>> rows = {};

  void row(const std::vector<std::string>& cells);
};

// Figures and tables as lines of text.
struct Screen {
  int width = 80;
  bool colour = false;  // without colours every curve has a letter, every sign a texture
};

std::string draw_text(const LinePlot& plot, const Screen& screen);
std::string draw_text(const HeatMap& map, const Screen& screen);
std::string draw_text(const Table& table, const Screen& screen);

// Figures as SVG: small enough to read, good enough to print, in light and in dark.
std::string draw_svg(const LinePlot& plot);
std::string draw_svg(const HeatMap& map);

}  // namespace mesagrad::lesson
