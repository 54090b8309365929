#include "tutorials/lesson/svg.h"

#include "tutorials/lesson/utf8.h"

namespace mesagrad::lesson {

std::string escape(std::string_view text) {
  std::string result;
  for (const char c : valid_utf8(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else if (c == '&') {
      result += "&amp;";
    } else if (c == '"') {
      result += "&quot;";
    } else if (byte >= 0x20 || c == '\n' || c == '\t') {
      result += c;
    }
  }
  return result;
}

std::string at(double value) {
  std::string digits = fixed_number(value, 2);
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.') digits.pop_back();
  return digits == "-0" ? "0" : digits;
}

std::string attribute(std::string_view name, double value) {
  return " " + std::string(name) + "=\"" + at(value) + "\"";
}

double text_width(std::string_view text, double font_size) {
  return 0.55 * font_size * columns(text);
}

Svg::Svg(const std::string& name, const std::string& title) : name_(name), title_(title) {
  style("text { font: 13px system-ui, 'Helvetica Neue', 'DejaVu Sans', sans-serif; fill: #333 }");
  style(".paper { fill: #fff }");
  style(".title { font-size: 15px; font-weight: 600; fill: #111 }");
  style(".name { fill: #111 }");
  style(".axis { stroke: #555; stroke-width: 1 }");
  style(".grid { stroke: #e4e4e4; stroke-width: 1 }");
  dark_style("text { fill: #c4c7cc }");
  dark_style(".paper { fill: #17191d }");
  dark_style(".title { fill: #f0f1f3 }");
  dark_style(".name { fill: #f0f1f3 }");
  dark_style(".axis { stroke: #8b8f96 }");
  dark_style(".grid { stroke: #2c2f36 }");
}

Svg& Svg::add(const std::string& element) {
  body_ += element + "\n";
  return *this;
}

Svg& Svg::style(const std::string& rule) {
  rules_ += "#" + id() + " " + rule + "\n";
  return *this;
}

Svg& Svg::dark_style(const std::string& rule) {
  dark_rules_ += "  #" + id() + " " + rule + "\n";
  return *this;
}

Svg& Svg::text(double x, double y, const std::string& content, const std::string& attributes) {
  return add("<text" + attribute("x", x) + attribute("y", y) + " " + attributes + ">" +
             escape(content) + "</text>");
}

Svg& Svg::line(double x1, double y1, double x2, double y2, const std::string& attributes) {
  return add("<line" + attribute("x1", x1) + attribute("y1", y1) + attribute("x2", x2) +
             attribute("y2", y2) + " " + attributes + "/>");
}

std::string Svg::finish(double width, double height) const {
  const std::string size = attribute("width", width) + attribute("height", height);
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"" + id() + "\"" + size +
         " viewBox=\"0 0 " + at(width) + " " + at(height) + "\" role=\"img\" aria-label=\"" +
         escape(title_) + "\">\n<style>\n" + rules_ +
         "@media (prefers-color-scheme: dark) {\n" + dark_rules_ + "}\n</style>\n" +
         "<rect class=\"paper\"" + size + "/>\n" + body_ + "</svg>\n";
}

}  // namespace mesagrad::lesson
