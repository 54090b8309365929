#include "tutorials/lesson/page.h"

#include <filesystem>
#include <sstream>

#include "core/checksum.h"
#include "core/error.h"
#include "core/files.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/process.h"
#include "tutorials/lesson/svg.h"
#include "tutorials/lesson/writing.h"

namespace mesagrad::lesson {
namespace {

// Every colour is a variable with a value for light and one for dark.
constexpr const char* page_style = R"css(
:root {
  --paper: #fff; --ink: #1c1e21; --soft: #5f6670; --line: #dfe2e6; --shade: #f6f7f8; --mark: #fff0b8;
  --shadow: #0006;
  --good: #00754f; --bad: #b83a00;
  --keyword: #0b5fa5; --string: #8a4b00; --number: #8b3a80; --comment: #667078;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #17191d; --ink: #e2e4e8; --soft: #9aa1ab; --line: #33373e; --shade: #1f2227; --mark: #4a4110;
    --shadow: #fff6;
    --good: #35c99a; --bad: #ff8a4d;
    --keyword: #74b9f0; --string: #e8b66b; --number: #dd9ad2; --comment: #8d96a0;
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 17px/1.6 system-ui, "Helvetica Neue", "DejaVu Sans", sans-serif }
main { max-width: 980px; margin: 0 auto; padding: 40px 20px 80px }
h1 { font-size: 1.9em; line-height: 1.2; margin: 0 0 .4em; overflow-wrap: anywhere }
h1[id], .part { margin-top: 1.6em }
.part { font-size: 2.4em; break-before: page }
nav { margin-bottom: 1em; overflow-wrap: anywhere }
h3 { font-size: 1.08em; margin: 2em 0 .6em }
h2 { font-size: 1.25em; margin: 2.4em 0 .6em; padding-bottom: .25em; border-bottom: 1px solid var(--line) }
p { margin: 0 0 1em; max-width: 42em }
.box { background: var(--shade); border: 1px solid var(--line); border-radius: 8px; padding: 1em 1.2em .4em;
  margin-bottom: 2em }
.question { font-size: 1.15em }
.said { border-left: 3px solid var(--good); padding-left: .8em }
.claim { margin-bottom: .4em }
a { color: var(--keyword) }
sub, sup { font-size: .75em; line-height: 0; white-space: nowrap }
details { margin: 0 0 1.4em }
summary { color: var(--soft); cursor: pointer; margin-bottom: .6em }
li { margin-bottom: 1em }
.facts { color: var(--soft); font-size: .9em }
.holds { color: var(--good); font-weight: 700 }
.fails { color: var(--bad); font-weight: 700 }
.wide, .shaped { overflow-x: auto;
  /* with a shadow where there is more: paper that scrolls along hides it at an end */
  background: linear-gradient(90deg, var(--paper) 40%, transparent) left / 40px 100% no-repeat local,
    linear-gradient(270deg, var(--paper) 40%, transparent) right / 40px 100% no-repeat local,
    linear-gradient(90deg, var(--shadow), transparent) left / 16px 100% no-repeat scroll,
    linear-gradient(270deg, var(--shadow), transparent) right / 16px 100% no-repeat scroll }
table { border-collapse: collapse; width: 100%; font-size: .9em; line-height: 1.4 }
caption { text-align: left; font-weight: 600; padding-bottom: .4em }
th, td { text-align: right; padding: .45em 0 .45em 1.2em; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; white-space: nowrap }
th { color: var(--soft); font-weight: 500 }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal; min-width: 12em }
figure { margin: 1.6em 0 2.4em }
figure svg { display: block; width: 100%; min-width: 540px; height: auto }
figure .paper { display: none }
figcaption { color: var(--soft); font-size: .9em; line-height: 1.5; margin-top: .5em }
figcaption b { color: var(--ink); font-weight: 600 }
dl { display: flex; flex-wrap: wrap; gap: .3em 2em; margin: 0; font-size: .9em }
dl div { display: flex; gap: .6em }
dt { color: var(--soft) }
dd { margin: 0; font-variant-numeric: tabular-nums }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace }
code { font-size: .88em; background: var(--shade); padding: .1em .3em; border-radius: 3px }
pre { overflow-x: auto; line-height: 1.5; margin: 0 0 1.4em }
pre.shaped { font-size: .88em; padding-left: 2em }
pre.code { font-size: 12.5px; background: var(--shade); border: 1px solid var(--line);
  border-radius: 6px; padding: .8em .9em .8em 0; tab-size: 2 }
pre.code span { display: block; padding-left: 6.2em; text-indent: -6.2em }
pre.code span::before { content: attr(id); display: inline-block; width: 3em; margin-right: 1.2em;
  text-align: right; text-indent: 0; color: var(--soft); opacity: .6 }
pre.code i { font-style: normal }
pre.code a { color: inherit; text-decoration-color: var(--line) }
pre.code a:hover { color: var(--keyword); text-decoration-color: currentColor }
pre.code :target, pre.code span:target { background: var(--mark) }
pre.code [id] { scroll-margin-top: 5em }
pre.plain { font-size: 12px; padding-left: 4em }
pre.plain b { float: left; margin-left: -4em; color: var(--soft); font-weight: 400 }
dfn { font-style: normal; font-weight: 700 }
.uses { margin-top: -1em; font-size: .85em }
.uses p { margin: 0 0 .3em; color: var(--soft) }
.promises li { margin: 0 0 .2em }
.toc { display: grid; grid-template-columns: 17em 1fr; gap: .35em 1.5em }
.toc dt, .toc dd { overflow-wrap: anywhere }
.index { columns: 19em; padding: 0; list-style: none; font-size: .9em }
.index li { margin: 0 0 .2em; padding-left: 1em; text-indent: -1em; overflow-wrap: anywhere;
  break-inside: avoid }
i.k { color: var(--keyword) }
i.s { color: var(--string) }
i.n { color: var(--number) }
i.c { color: var(--comment) }
@media (max-width: 600px) {
  body { font-size: 16px }
  main { padding: 20px 14px 60px }
  pre { white-space: pre-wrap; overflow-wrap: anywhere }
  pre.shaped { padding-left: 0; white-space: pre }
  pre.plain { padding-left: 3em }
  pre.plain b { margin-left: -3em }
  pre .far { font-size: 20% }
  .toc { display: block }
  .toc dd { margin-bottom: .8em }
  pre.code span { padding-left: 4em; text-indent: -4em }
  pre.code span::before { width: 2.2em; margin-right: .8em }
  th, td { padding-left: .6em }
  th:first-child, td:first-child { min-width: 7em }
}
@page { margin: 18mm 16mm; @bottom-center { content: counter(page) } }
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --shade: #fff }
  main { max-width: none; padding: 0 }
  nav, .uses { display: none }
  body { font-size: 13px }
  h1, h2, h3 { break-after: avoid }
  pre { white-space: pre-wrap; overflow-wrap: anywhere }
  p { max-width: none }
  pre.code, pre.plain { font-size: 9px }
  pre.shaped { font-size: 12px }
  figure { break-inside: avoid }
  figure svg { min-width: 0 }
  .wide, .shaped { background: none }
}
)css";

// What holds and what does not, and by how much that missed.
std::string verdict_lines(const Results& results) {
  const int hold = results.claims_that(Verdict::holds), fail = results.claims_that(Verdict::fails);
  if (hold + fail == 0) return element("p", "At this scale no claim is judged.");
  const std::string count = text(hold, " of ", hold + fail, " claims hold.");
  std::string html = element("p", count, fail > 0 ? "fails" : "holds");
  const Scale scale = results.options.scale;
  for (const Claim& claim : results.claims) {
    if (judge(claim, scale) == Verdict::fails) html += claim_markup(claim, scale);
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
    rows += element("div", element("dt", escape(setting.name)) + element("dd", escape(setting.shown)));
  }
  return rows.empty() ? "" : element("h2", "Settings") + element("dl", rows);
}

// Where on a page something begins and ends that its run made, for record_on.
constexpr std::string_view mark = "<!--of the run: ", end_mark = "<!--end-->";

std::string marked(const std::string& what, const std::string& markup) {
  return text(mark, what, "-->\n", markup, end_mark, "\n");
}

std::string checksum(const std::string& bytes) {
  Checksum sum;
  sum.add(bytes);
  return sum.text();
}

std::string line_of(const std::vector<std::string>& lines, int number) {
  const auto i = static_cast<std::size_t>(number) - 1;  // huge for 0
  return i < lines.size() ? lines[i] : "";
}

}  // namespace

std::string breakable(const std::string& title) {
  std::string markup;
  for (const char c : title) markup += std::string(1, c) + (c == '/' || c == '_' ? "<wbr>" : "");
  return markup;
}

std::string whole_page(const std::string& title, const std::string& content) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n" +
         element("title", title) + "<style>\n" + page_style + "</style>\n</head>\n<body>\n" +
         element("main", element("h1", breakable(title)) + content) + "</body>\n</html>\n";
}

std::string element(const std::string& tag, const std::string& content, const std::string& kind) {
  return "<" + tag + (kind.empty() ? "" : " class=\"" + kind + "\"") + ">" + content + "</" + tag + ">\n";
}

std::string claim_markup(const Claim& claim, Scale scale) {
  const Verdict verdict = judge(claim, scale);
  const char* kind = verdict == Verdict::holds ? "holds" : verdict == Verdict::fails ? "fails" : "open";
  const char* note = verdict == Verdict::not_judged ? "; not judged at this scale" : "";
  const std::string measured = "<b>" + escape(short_number(claim.measured, 5)) + "</b> ";
  const std::string expected =
      element("span", "(expected " + escape(expectation(claim)) + note + ")", "facts");
  const std::string sign = element("span", sign_of(verdict), kind);
  return element("p", sign + formula_markup(claim.name) + ": " + measured + expected, "claim");
}

std::string exhibit_markup(const std::string& markup, const std::string& label, const std::string& caption) {
  const std::string words = label + formula_markup(caption);
  return element("figure",
                 element("div", markup, "wide") + (words.empty() ? "" : element("figcaption", words)));
}

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
  const Options& options = results.options;
  return text("scale ", name_of(options.scale), ", seed ", options.seed, ", ", results.threads,
              results.threads == 1 ? " thread" : " threads",
              options.rate == 1 ? "" : ", learning rates times " + short_number(options.rate));
}

std::string html_page(const Lesson& lesson, const std::string& source) {
  const Introduction& intro = lesson.introduction();
  const Results& results = lesson.results();
  std::string box = element("p", formula_markup(intro.question), "question");
  if (!results.found.empty()) box += element("p", formula_markup(results.found));
  const std::string facts = text(circumstances(results), ", ", duration(results.seconds),
                                 commit().empty() ? "" : ", commit " + commit());
  box += verdict_lines(results) + element("p", "Run on " + today() + ": " + facts + ".", "facts");
  const std::vector<std::string> lines = lines_of(source);
  std::vector<Piece> pieces = lesson.pieces();
  for (Piece& piece : pieces) {
    piece.markup = marked(text("line ", piece.line, " ", checksum(line_of(lines, piece.line))), piece.markup);
  }
  std::string html = element("div", marked("run " + checksum(source), box) + navigation(lesson), "box") +
                     chapter_markup(without_title(source, intro.title), pieces);
  std::string rest;
  if (!results.comparisons.empty()) {
    // A phone may scroll it sideways, instead of making it too small to read.
    rest += element("h2", "This run and the paper");
    rest += element("div", html_table(comparison_table(results)), "wide");
  }
  rest += settings_list(results) + element("p", escape(about_fingerprint(results)));
  html += marked("rest", rest) + navigation(lesson);
  return whole_page(text("Tutorial ", intro.number, ": ", escape(intro.title)), html);
}

Record record_on(const std::string& page, const std::string& source) {
  const std::vector<std::string> lines = lines_of(source);
  std::vector<std::string> sums;
  for (const std::string& line : lines) sums.push_back(checksum(line));
  // The line of today's source that is the nearest to where it was, of those that say the same.
  const auto today = [&](int line, const std::string& sum) {
    int nearest = 0;
    for (int i = 1; i <= static_cast<int>(sums.size()); ++i) {
      if (sums[static_cast<std::size_t>(i) - 1] != sum) continue;
      if (nearest == 0 || std::abs(i - line) < std::abs(nearest - line)) nearest = i;
    }
    return nearest;
  };
  Record record;
  constexpr std::string_view end_of_mark = "-->";
  for (std::size_t at = page.find(mark); at != std::string::npos; at = page.find(mark, at)) {
    const std::size_t begin = page.find(end_of_mark, at), end = page.find(end_mark, at);
    if (begin > end || end == std::string::npos) break;
    std::istringstream words(page.substr(at + mark.size(), begin - at - mark.size()));
    words.imbue(std::locale::classic());
    const std::string markup = page.substr(begin + end_of_mark.size(), end - begin - end_of_mark.size());
    std::string kind, sum;
    int line = 0;
    words >> kind;
    if (kind == "run" && words >> sum) {
      record.summary = markup;
      record.same_source = sum == checksum(source);
    } else if (kind == "line" && words >> line >> sum) {
      record.pieces.push_back({line == 0 ? 0 : today(line, sum), markup});
    } else if (kind == "rest") {
      record.rest = markup;
    }
    at = end;
  }
  return record;
}

std::string index_entry(const Results& results) {
  const std::string found = results.found.empty() ? "" : "<br>" + formula_markup(results.found);
  return text("<a href=\"tutorial-", results.lesson, "/index.html\">", escape(results.title), "</a>", found,
              verdict_lines(results));
}

}  // namespace mesagrad::lesson
