// The pen for figures in SVG.
#pragma once
#include <string>
#include <string_view>

#include "tutorials/lesson/writing.h"

namespace mesagrad::lesson {

// Text in which no character means markup; right for SVG and for HTML.
std::string escape(std::string_view text);

inline constexpr double svg_width = 720, svg_margin = 14;

// A coordinate with two decimals.
std::string at(double value);

// How wide a text will probably be; SVG cannot measure it for us.
double text_width(std::string_view text, double font_size);

struct Box {
  double left, top, width, height;
};

// The pen that both drawings share. `look` is attributes: class="..." and the like.
class Svg {
 public:
  Svg(const std::string& name, const std::string& title);  // which it writes on top

  void add(const std::string& element) { body_ += element + "\n"; }
  void text(double x, double y, const std::string& content, const std::string& look = "");
  void upwards(double x, double y, const std::string& content);  // centred, read from below
  void line(double x1, double y1, double x2, double y2, const std::string& look);
  void box(const Box& box, const std::string& look);
  void path(const std::string& kind, const std::string& steps);  // in the language of <path d="...">

  // For this figure alone, since many can be part of one page: "selector { declarations }", and a colour in
  // light and in dark.
  void style(const std::string& rule) { rules_ += "#" + id() + " " + rule + "\n"; }
  void colour(const std::string& selector, const std::string& property, std::string_view light,
              std::string_view dark);

  std::string id() const { return "figure-" + name_; }
  double top() const { return top_; }  // of what is below the title
  std::string finish(double height) const;

 private:
  std::string name_, title_, rules_, dark_rules_, body_;
  double top_ = svg_margin;
};

}  // namespace mesagrad::lesson
