// A lesson's page as a chapter: prose and code of its source as HTML, and what the run showed, each where it
// was made.
#pragma once
#include <string>
#include <vector>

#include "tutorials/lesson/results.h"

namespace mesagrad::lesson {

// What one line of the source showed; line 0: something else than the source did.
struct Piece {
  int line = 0;
  std::string markup = {};
};

std::string sentence_markup(const std::string& sentence);
std::string heading_markup(const std::string& heading);
std::string claim_markup(const Claim& claim, Scale scale);
// A figure or a table; `label` is markup.
std::string exhibit_markup(const std::string& markup, const std::string& label, const std::string& caption);

// Two or more whole-line comments in a row are prose; everything else is code. `pieces` come in the order in
// which they were shown, and appear behind the statement that showed them. What comes before the first step,
// but for the first prose, and what comes after the last piece is folded.
std::string chapter_markup(const std::string& source, const std::vector<Piece>& pieces);

// -- The texts that it is made of ------------------------------------------------------------------

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
