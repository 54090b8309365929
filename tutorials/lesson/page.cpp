#include "tutorials/lesson/page.h"

#include <ctime>

#include "tutorials/lesson/fingerprint.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/page_style.h"
#include "tutorials/lesson/source.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {
namespace {

std::string element(const std::string& tag, const std::string& content,
                    const std::string& kind = "") {
  const std::string attributes = kind.empty() ? "" : " class=\"" + kind + "\"";
  return "<" + tag + attributes + ">" + content + "</" + tag + ">";
}

// What a phone may scroll sideways, instead of making it too small to read.
std::string wide(const std::string& markup) { return element("div", markup, "wide") + "\n"; }

constexpr std::string_view holds_mark = "✓ ";
constexpr std::string_view fails_mark = "✗ ";

std::string marked(const Claim& claim, Scale scale, bool colour) {
  const Verdict verdict = judge(claim, scale);
  if (verdict == Verdict::not_judged) return "– " + claim.name + " (not judged at this scale)";
  // Green and orange of the palette, which colour-blind readers can tell apart.
  if (verdict == Verdict::holds) return tinted(std::string(holds_mark), 35, colour) + claim.name;
  return tinted(std::string(fails_mark), 166, colour) + claim.name;
}

// Marks at the start of a cell get their colour.
std::string cell_markup(const std::string& cell) {
  if (cell.starts_with(holds_mark)) return element("span", "✓", "holds") + escape(cell.substr(3));
  if (cell.starts_with(fails_mark)) return element("span", "✗", "fails") + escape(cell.substr(3));
  return escape(cell);
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm local = {};
  localtime_r(&now, &local);
  char text[64] = {};
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local);
  return text;
}

std::string verdict_line(const Results& results) {
  const int hold = results.claims_that(Verdict::holds);
  const int fail = results.claims_that(Verdict::fails);
  if (hold + fail == 0) {
    return element("p", "At this scale no claim is judged.");
  }
  const std::string text =
      std::to_string(hold) + " of " + std::to_string(hold + fail) + " claims hold.";
  return element("p", text, fail > 0 ? "fails" : "holds");
}

std::string facts(const Results& results) {
  return element("p", "Run on " + today() + " with scale " + name_of(results.scale) + ", seed " +
                          std::to_string(results.seed) + " and " +
                          std::to_string(results.threads) +
                          (results.threads == 1 ? " thread" : " threads") + ", in " +
                          duration(results.seconds) + ".",
                 "facts");
}

std::string settings_list(const Results& results) {
  if (results.settings.empty()) return "";
  std::string rows;
  for (const Setting& setting : results.settings) {
    rows += "<div>" + element("dt", escape(setting.name)) + element("dd", escape(shown(setting))) +
            "</div>\n";
  }
  return "<h2>Settings</h2>\n" + element("dl", rows) + "\n";
}

std::string figures(const Lesson& lesson) {
  std::string html;
  int number = 0;
  for (const Exhibit& exhibit : lesson.exhibits()) {
    html += "<figure>\n" + wide(exhibit.markup);
    const std::string label =
        exhibit.name.empty() ? "" : "<b>Figure " + std::to_string(++number) + ".</b> ";
    if (!label.empty() || !exhibit.caption.empty()) {
      html += element("figcaption", label + escape(exhibit.caption)) + "\n";
    }
    html += "</figure>\n";
  }
  return html.empty() ? "" : "<h2>Figures</h2>\n" + html;
}

}  // namespace

std::string html_table(const Table& table) {
  std::string head;
  for (const std::string& column : table.columns) head += element("th", escape(column));
  std::string rows;
  for (const std::vector<std::string>& row : table.rows) {
    std::string cells;
    for (const std::string& cell : row) cells += element("td", cell_markup(cell));
    rows += element("tr", cells) + "\n";
  }
  const std::string title = table.title.empty() ? "" : element("caption", escape(table.title));
  return "<table>" + title + element("thead", element("tr", head)) + "\n" +
         element("tbody", rows) + "</table>\n";
}

Table claims_table(const Lesson& lesson, bool colour) {
  Table table{.columns = {"claim", "measured", "expected"}};
  const Results& results = lesson.results();
  for (const Claim& claim : results.claims) {
    table.row({marked(claim, results.scale, colour), short_number(claim.measured, 5),
               expectation(claim)});
  }
  return table;
}

Table comparison_table(const Lesson& lesson) {
  Table table{.columns = {"", "this run", "paper", "difference"}};
  for (const Comparison& row : lesson.results().comparisons) {
    table.row({row.name, short_number(row.this_run), short_number(row.paper), difference(row)});
  }
  return table;
}

std::string html_page(const Lesson& lesson, const std::string& source) {
  const Introduction& intro = lesson.introduction();
  const Results& results = lesson.results();
  const std::string heading =
      "Tutorial " + std::to_string(intro.number) + ": " + escape(intro.title);
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n";
  html += element("title", heading) + "\n<style>\n" + std::string(page_style) + "</style>\n";
  html += "</head>\n<body>\n<main>\n" + element("h1", heading) + "\n";
  html += element("p", escape(intro.question), "question") + "\n";
  html += facts(results) + "\n" + verdict_line(results) + "\n";
  html += element("p", escape(about_fingerprint(results))) + "\n";
  html += "<h2>Claims</h2>\n" + wide(html_table(claims_table(lesson)));
  if (!results.comparisons.empty()) {
    html += "<h2>This run and the paper</h2>\n" + wide(html_table(comparison_table(lesson)));
  }
  html += figures(lesson) + settings_list(results);
  html += "<h2>The lesson</h2>\n" + html_of_source(source);
  return html + "</main>\n</body>\n</html>\n";
}

}  // namespace mesagrad::lesson
