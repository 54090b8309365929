// Figures and tables as lines of text.
#pragma once
#include <string>

#include "tutorials/lesson/plot.h"

namespace mesagrad::lesson {

struct Screen {
  int width = 80;
  bool colour = false;  // without colours every curve has a letter, every sign a texture
};

std::string draw_text(const LinePlot& plot, const Screen& screen);
std::string draw_text(const HeatMap& map, const Screen& screen);
std::string draw_text(const Table& table, const Screen& screen);

}  // namespace mesagrad::lesson
