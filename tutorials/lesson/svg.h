// Figures as SVG: small enough to read, good enough to print, in light and in dark.
#pragma once
#include <string>
#include <string_view>

#include "tutorials/lesson/plot.h"

namespace mesagrad::lesson {

std::string draw_svg(const LinePlot& plot);
std::string draw_svg(const HeatMap& map);

// Text in which no character means markup; right for SVG and for HTML.
std::string escape(std::string_view text);

// The pen that both drawings share. Every rule of style starts with the figure's own id, so that
// many figures can be part of one page.
class Svg {
 public:
  Svg(const std::string& name, const std::string& title);

  Svg& add(const std::string& element);  // written as it is
  Svg& style(const std::string& rule);   // "selector { declarations }"
  Svg& dark_style(const std::string& rule);
  Svg& text(double x, double y, const std::string& content, const std::string& attributes = "");
  Svg& line(double x1, double y1, double x2, double y2, const std::string& attributes);
  std::string finish(double width, double height) const;

  std::string id() const { return "figure-" + name_; }

 private:
  std::string name_;
  std::string title_;
  std::string rules_;
  std::string dark_rules_;
  std::string body_;
};

inline constexpr double svg_width = 720;

// A coordinate with two decimals, and ' name="coordinate"'.
std::string at(double value);
std::string attribute(std::string_view name, double value);

// How wide a text will probably be; SVG cannot measure it for us.
double text_width(std::string_view text, double font_size);

}  // namespace mesagrad::lesson
