// The page of a lesson: one HTML file that needs nothing else, in light and in dark. It is a chapter of prose
// and code, which are the lesson's source, and of what the run showed, each where it was made.
#pragma once
#include <string>
#include <vector>

#include "tutorials/lesson/plot.h"
#include "tutorials/lesson/results.h"

namespace mesagrad::lesson {

class Lesson;

// `source` is the text of the lesson's own lesson.cpp.
std::string html_page(const Lesson& lesson, const std::string& source);

// The page that lists all lessons: for each an entry, as markup. That of a lesson that has run links to it.
std::string html_index(const std::vector<std::string>& entries);
std::string index_entry(const Results& results);

// What the terminal shows as well: a table, and "scale lesson, seed 1, 2 threads".
Table comparison_table(const Results& results);
std::string circumstances(const Results& results);

// -- What a run showed -----------------------------------------------------------------------------

// Of one line of the source; line 0: something else than the source showed it.
struct Piece {
  int line = 0;
  std::string markup = {};
};

// <tag class="kind">content</tag>, on a line of its own.
std::string element(const std::string& tag, const std::string& content, const std::string& kind = "");

std::string html_table(const Table& table);
std::string claim_markup(const Claim& claim, Scale scale);
// A figure or a table; `label` is markup.
std::string exhibit_markup(const std::string& markup, const std::string& label, const std::string& caption);

// -- The source as a chapter -----------------------------------------------------------------------

// Two or more whole-line comments in a row are prose; everything else is code. `pieces` come in the order in
// which they were shown, and appear behind the statement that showed them. What comes before the first step,
// but for the first prose, and what comes after the last piece is folded.
std::string chapter_markup(const std::string& source, const std::vector<Piece>& pieces);

// Text in which no character means markup, with its formulas set: s_t, s_{t+1}, W_q, Σ_i and 10^-3 get real
// sub- and superscripts. An index belongs to a single letter; a_name of several letters is left alone.
std::string formula_markup(const std::string& text);

// Blank lines separate paragraphs; what is indented keeps its shape (formulas, drawings); a paragraph that
// starts with # is a heading; `code` is code.
std::string prose_markup(const std::vector<std::string>& lines);

// Lines of C++ with their numbers, of which the first is `first`.
std::string code_markup(const std::vector<std::string>& lines, int first);

// One line of C++ with <i class=...> around keywords, numbers, strings and comments.
std::string highlighted(const std::string& line);

}  // namespace mesagrad::lesson
