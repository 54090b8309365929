// The page of a lesson: one HTML file that needs nothing else, in light and in dark. It is a chapter of prose
// and code, which are the lesson's source, and of what the run showed, each where it was made.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tutorials/lesson/plot.h"
#include "tutorials/lesson/results.h"
#include "tutorials/lesson/tokens.h"

namespace mesagrad::lesson {

class Lesson;

// `source` is the text of the lesson's own lesson.cpp.
std::string html_page(const Lesson& lesson, const std::string& source);

// Writes OUT/index.html, which lists the lessons (folders NN_a_title in `lessons`), what those found that
// have written results to `out`, and the book if it is there. The entry of a lesson that has run is a file
// beside its results. Throws Error.
constexpr const char* index_entry_name = "entry.html";
std::string index_entry(const Results& results);
void write_index(const std::string& out, const std::filesystem::path& lessons);

// A title that is a file's path may be broken behind each / and _, where the screen is narrow.
std::string breakable(const std::string& title);

// Any page, with the style that all share. The title is markup without tags.
std::string whole_page(const std::string& title, const std::string& content);

// What the terminal shows as well: a table, and "scale lesson, seed 1, 2 threads".
Table comparison_table(const Results& results);
std::string circumstances(const Results& results);

// -- What a run showed -----------------------------------------------------------------------------

// Of one line of the source; line 0: something else than the source showed it.
struct Piece {
  int line = 0;
  std::string markup = {};
};

// What a lesson's page keeps of its run.
struct Record {
  std::string summary = {};  // what came out, and when: markup, empty if the page has none
  std::vector<Piece> pieces = {};
  std::string rest = {};  // what stands behind the chapter
  bool same_source = false;
};

// `source` is what lesson.cpp is today. If it was another one that ran, pieces go to the line that says the
// same as theirs did, and to 0 if there is none.
Record record_on(const std::string& page, const std::string& source);

// <tag class="kind">content</tag>, on a line of its own.
std::string element(const std::string& tag, const std::string& content, const std::string& kind = "");

std::string html_table(const Table& table);
std::string claim_markup(const Claim& claim, Scale scale);
// A figure or a table; `label` is markup.
std::string exhibit_markup(const std::string& markup, const std::string& label, const std::string& caption);

// -- The source as a chapter -----------------------------------------------------------------------

struct SourceLine {
  int number = 0;  // from 1
  std::string text = {};
};
using Listing = std::vector<SourceLine>;

// Blank lines separate paragraphs; what is indented keeps its shape (formulas, drawings, and code, which has
// a line that ends with a semicolon); a paragraph that starts with # is a heading; `code` is code.
std::string prose_markup(const std::vector<std::string>& lines);

// Lines of C++. Each has its number as its id. `marked` may add to the markup of a line's token.
using MarkedAt = std::function<std::string(int line, const Token& token, const std::string& markup)>;
std::string code_markup(const Listing& lines, const MarkedAt& marked = nullptr);

// How a chapter is set.
struct Typesetting {
  std::function<std::string(const std::vector<std::string>& lines)> prose = prose_markup;
  std::function<std::string(const Listing&)> code = [](const Listing& lines) { return code_markup(lines); };
  bool folds = true;
};

// Two or more whole-line comments in a row are prose, and so is what a file begins with, and a comment with
// an index or a power; everything else is code, but marks of exercises, which are left out. `pieces` come in
// the order in which they were shown, and appear behind the statement that showed them. What comes before the
// first step, but for the first prose, and what comes after the last piece is folded.
std::string chapter_markup(const std::string& source, const std::vector<Piece>& pieces,
                           const Typesetting& set = {});

// The source, with nothing in its first line if that is this title.
std::string without_title(const std::string& source, const std::string& title);

// Text in which no character means markup, with its formulas set: s_t, s_{t+1}, W_q, Σ_i and 10^-3 get real
// sub- and superscripts. A name of several letters has an index of one letter, h to k, m, n, s or t, or of
// two neighbours: out_t and dout_ij; next_id and log_x are left alone. And `<=` is ≤, `->` is →.
std::string formula_markup(const std::string& text);

// The same, where `this` is code.
std::string paragraph_markup(const std::string& text);

}  // namespace mesagrad::lesson
