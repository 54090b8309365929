#include "tutorials/lesson/svg.h"

#include "core/error.h"
#include "core/utf8.h"
#include "tutorials/lesson/page.h"

namespace mesagrad::lesson {

std::string escape(std::string_view text) {
  std::string result;
  for (const char c : valid_utf8(text)) {
    switch (c) {
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '&': result += "&amp;"; break;
      case '"': result += "&quot;"; break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') result += c;
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

double text_width(std::string_view text, double font_size) { return 0.55 * font_size * columns(text); }

Svg::Svg(const std::string& name, const std::string& title) : name_(name), title_(title) {
  style("text { font: 13px system-ui, 'Helvetica Neue', 'DejaVu Sans', sans-serif }");
  style(".title { font-size: 15px; font-weight: 600 }");
  colour("text", "fill", "#333", "#c4c7cc");
  colour(".title", "fill", "#111", "#f0f1f3");
  colour(".name", "fill", "#111", "#f0f1f3");
  colour(".paper", "fill", "#fff", "#17191d");
  colour(".axis", "stroke", "#555", "#8b8f96");
  colour(".grid", "stroke", "#e4e4e4", "#2c2f36");
  for (const std::string& part : wrap(title, 78)) text(svg_margin, top_ += 17, part, "class=\"title\"");
}

void Svg::colour(const std::string& selector, const std::string& property, std::string_view light,
                 std::string_view dark) {
  style(mesagrad::text(selector, " { ", property, ": ", light, " }"));
  dark_rules_ += mesagrad::text("  #", id(), " ", selector, " { ", property, ": ", dark, " }\n");
}

namespace {

// Formulas as SVG knows them: an index is lower, and what follows (at least a space of no width) higher
// again.
std::string shifted(const std::string& content) {
  std::string markup = formula_markup(content);
  for (const auto& [tag, down] : {std::pair{"sub", 4}, {"sup", -5}}) {
    const std::string open = text("<", tag, ">"), close = text("</", tag, ">");
    for (std::size_t at = 0; (at = markup.find(open)) != std::string::npos;) {
      markup.replace(at, open.size(), text("<tspan dy=\"", down, "\" font-size=\"75%\">"));
      at = markup.find(close, at);
      markup.replace(at, close.size(), text("</tspan><tspan dy=\"", -down, "\">\u200b</tspan>"));
    }
  }
  return markup;
}

}  // namespace

void Svg::text(double x, double y, const std::string& content, const std::string& look) {
  add("<text x=\"" + at(x) + "\" y=\"" + at(y) + "\" " + look + ">" + shifted(content) + "</text>");
}

void Svg::upwards(double x, double y, const std::string& content) {
  text(x, y, content,
       "class=\"name\" text-anchor=\"middle\" transform=\"rotate(-90 " + at(x) + " " + at(y) + ")\"");
}

void Svg::line(double x1, double y1, double x2, double y2, const std::string& look) {
  add("<line x1=\"" + at(x1) + "\" y1=\"" + at(y1) + "\" x2=\"" + at(x2) + "\" y2=\"" + at(y2) + "\" " +
      look + "/>");
}

void Svg::box(const Box& box, const std::string& look) {
  add("<rect x=\"" + at(box.left) + "\" y=\"" + at(box.top) + "\" width=\"" + at(box.width) + "\" height=\"" +
      at(box.height) + "\" " + look + "/>");
}

void Svg::path(const std::string& kind, const std::string& steps) {
  add("<path class=\"" + kind + "\" d=\"" + steps + "\"/>");
}

std::string Svg::finish(double height) const {
  const std::string size = "width=\"" + at(svg_width) + "\" height=\"" + at(height) + "\"";
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"" + id() + "\" " + size + " viewBox=\"0 0 " +
         at(svg_width) + " " + at(height) + "\" role=\"img\" aria-label=\"" + escape(title_) +
         "\">\n<style>\n" + rules_ + "@media (prefers-color-scheme: dark) {\n" + dark_rules_ +
         "}\n</style>\n<rect class=\"paper\" " + size + "/>\n" + body_ + "</svg>\n";
}

}  // namespace mesagrad::lesson
