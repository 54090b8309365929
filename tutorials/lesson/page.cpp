#include "tutorials/lesson/page.h"

#include <ctime>
#include <filesystem>

#include "core/error.h"
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

std::string marked(const Claim& claim, Scale scale, bool colour) {
  const Verdict verdict = judge(claim, scale);
  if (verdict == Verdict::not_judged) return "– " + claim.name + " (not judged at this scale)";
  // Green and orange of the palette, which colour-blind readers can tell apart.
  if (verdict == Verdict::holds) return tinted("✓ ", 35, colour) + claim.name;
  return tinted("✗ ", 166, colour) + claim.name;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm local = {};
  localtime_r(&now, &local);
  char text[64] = {};
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local);
  return text;
}

// What holds and what does not, and by how much that missed.
std::string verdict_lines(const Results& results) {
  const int hold = results.claims_that(Verdict::holds);
  const int fail = results.claims_that(Verdict::fails);
  if (hold + fail == 0) return element("p", "At this scale no claim is judged.");
  std::string html = element("p", text(hold, " of ", hold + fail, " claims hold."), fail > 0 ? "fails" : "holds");
  for (const Claim& claim : results.claims) {
    if (judge(claim, results.scale) == Verdict::fails) html += claim_markup(claim, results.scale);
  }
  return html;
}

// To the pages of other lessons that have run.
std::string navigation(const Lesson& lesson) {
  const int number = lesson.introduction().number;
  std::string html = "<a href=\"../index.html\">All lessons</a>";
  const auto neighbour = [&](int n, const std::string& words) {
    const std::string page = text("tutorial-", n, "/index.html");
    if (!std::filesystem::exists(lesson.options().out + "/" + page)) return;
    html += " · <a href=\"../" + page + "\">" + words + "</a>";
  };
  neighbour(number - 1, "previous");
  neighbour(number + 1, "next");
  return element("nav", html);
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

// The beginning of every page, up to <main>.
std::string head_of_page(const std::string& title) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n" +
         element("title", title) + "\n<style>\n" + std::string(page_style) +
         "</style>\n</head>\n<body>\n<main>\n" + element("h1", title) + "\n";
}

constexpr const char* end_of_page = "</main>\n</body>\n</html>\n";

}  // namespace

std::string html_table(const Table& table) {
  std::string head;
  for (const std::string& column : table.columns) head += element("th", escape(column));
  std::string rows;
  for (const std::vector<std::string>& row : table.rows) {
    std::string cells;
    for (const std::string& cell : row) cells += element("td", escape(cell));
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
  std::string html = head_of_page(text("Tutorial ", intro.number, ": ", escape(intro.title)));
  std::string box = element("p", formula_markup(escape(intro.question)), "question") + "\n";
  if (!results.found.empty()) box += element("p", formula_markup(escape(results.found))) + "\n";
  box += verdict_lines(results) + "\n" + facts(results) + "\n" + navigation(lesson) + "\n";
  html += element("div", box, "box") + "\n" + chapter_markup(source, lesson.pieces());
  if (!results.comparisons.empty()) {
    html += "<h2>This run and the paper</h2>\n" + wide(html_table(comparison_table(lesson)));
  }
  html += settings_list(results) + element("p", escape(about_fingerprint(results))) + "\n" + navigation(lesson);
  return html + end_of_page;
}

std::string index_entry(const Results& results) {
  const std::string link = text("<a href=\"tutorial-", results.lesson, "/index.html\">", escape(results.title), "</a>");
  const std::string found = results.found.empty() ? "" : "<br>" + formula_markup(escape(results.found));
  return link + found + verdict_lines(results);
}

std::string html_index(const std::vector<std::string>& entries) {
  std::string items;
  for (const std::string& entry : entries) items += element("li", entry) + "\n";
  return head_of_page("mesagrad") +
         element("p", "The lessons, and what those found that have run here.") + element("ol", items) + end_of_page;
}

}  // namespace mesagrad::lesson
