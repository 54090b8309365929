#include "tutorials/lesson/page.h"

#include <ctime>
#include <filesystem>

#include "core/error.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/chapter.h"
#include "tutorials/lesson/page_style.h"
#include "tutorials/lesson/svg.h"

namespace mesagrad::lesson {
namespace {

std::string element(const std::string& tag, const std::string& content, const std::string& kind = "") {
  return "<" + tag + (kind.empty() ? "" : " class=\"" + kind + "\"") + ">" + content + "</" + tag + ">\n";
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
  const int hold = results.claims_that(Verdict::holds), fail = results.claims_that(Verdict::fails);
  if (hold + fail == 0) return element("p", "At this scale no claim is judged.");
  std::string html =
      element("p", text(hold, " of ", hold + fail, " claims hold."), fail > 0 ? "fails" : "holds");
  for (const Claim& claim : results.claims) {
    if (judge(claim, results.scale) == Verdict::fails) html += claim_markup(claim, results.scale);
  }
  return html;
}

// To the pages of other lessons that have run.
std::string navigation(const Lesson& lesson) {
  std::string html = "<a href=\"../index.html\">All lessons</a>";
  for (const auto& [step, word] : {std::pair{-1, "previous"}, {1, "next"}}) {
    const std::string page = text("tutorial-", lesson.introduction().number + step, "/index.html");
    if (!std::filesystem::exists(lesson.options().out + "/" + page)) continue;
    html += " · <a href=\"../" + page + "\">" + word + "</a>";
  }
  return element("nav", html);
}

std::string settings_list(const Results& results) {
  std::string rows;
  for (const Setting& setting : results.settings) {
    rows += element("div", element("dt", escape(setting.name)) + element("dd", escape(shown(setting))));
  }
  return rows.empty() ? "" : "<h2>Settings</h2>\n" + element("dl", rows);
}

std::string whole_page(const std::string& title, const std::string& content) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n" +
         element("title", title) + "<style>\n" + std::string(page_style) + "</style>\n</head>\n<body>\n" +
         element("main", element("h1", title) + content) + "</body>\n</html>\n";
}

}  // namespace

std::string html_table(const Table& table) {
  const auto row = [](const char* tag, const std::vector<std::string>& cells) {
    std::string html;
    for (const std::string& cell : cells) html += element(tag, escape(cell));
    return element("tr", html);
  };
  std::string rows;
  for (const std::vector<std::string>& cells : table.rows) rows += row("td", cells);
  return element("table", (table.title.empty() ? "" : element("caption", escape(table.title))) +
                              element("thead", row("th", table.columns)) + element("tbody", rows));
}

Table comparison_table(const Results& results) {
  Table table{.columns = {"", "this run", "paper", "difference"}};
  for (const Comparison& one : results.comparisons) {
    table.row({one.name, short_number(one.this_run), short_number(one.paper), difference(one)});
  }
  return table;
}

std::string circumstances(const Results& results) {
  return text("scale ", name_of(results.scale), ", seed ", results.seed, ", ", results.threads,
              results.threads == 1 ? " thread" : " threads",
              results.rate == 1 ? "" : ", learning rates times " + short_number(results.rate));
}

std::string html_page(const Lesson& lesson, const std::string& source) {
  const Introduction& intro = lesson.introduction();
  const Results& results = lesson.results();
  std::string box = element("p", formula_markup(intro.question), "question");
  if (!results.found.empty()) box += element("p", formula_markup(results.found));
  box += verdict_lines(results) +
         element("p",
                 text("Run on ", today(), ": ", circumstances(results), ", ", duration(results.seconds), "."),
                 "facts") +
         navigation(lesson);
  std::string html = element("div", box, "box") + chapter_markup(source, lesson.pieces());
  if (!results.comparisons.empty()) {
    // A phone may scroll it sideways, instead of making it too small to read.
    html +=
        "<h2>This run and the paper</h2>\n" + element("div", html_table(comparison_table(results)), "wide");
  }
  html += settings_list(results) + element("p", escape(about_fingerprint(results))) + navigation(lesson);
  return whole_page(text("Tutorial ", intro.number, ": ", escape(intro.title)), html);
}

std::string index_entry(const Results& results) {
  const std::string found = results.found.empty() ? "" : "<br>" + formula_markup(results.found);
  return text("<a href=\"tutorial-", results.lesson, "/index.html\">", escape(results.title), "</a>", found,
              verdict_lines(results));
}

std::string html_index(const std::vector<std::string>& entries) {
  std::string items;
  for (const std::string& entry : entries) items += element("li", entry);
  return whole_page("mesagrad", element("p", "The lessons, and what those found that have run here.") +
                                    element("ol", items));
}

}  // namespace mesagrad::lesson
