// Texts as HTML: formulas, prose and code of a lesson's source.
#pragma once
#include <string>
#include <vector>

namespace mesagrad::lesson {

// Text in which no character means markup, with its formulas set: s_t, s_{t+1}, W_q, Σ_i and 10^-3 get real sub-
// and superscripts. An index belongs to a single letter; a_name of several letters is left alone.
std::string formula_markup(const std::string& text);

// Blank lines separate paragraphs; what is indented keeps its shape (formulas, drawings); a paragraph that
// starts with # is a heading; `code` is code.
std::string prose_markup(const std::vector<std::string>& lines);

// Lines of C++ with their numbers, of which the first is `first`.
std::string code_markup(const std::vector<std::string>& lines, int first);

// One line of C++ with <i class=...> around keywords, numbers, strings and comments.
std::string highlighted(const std::string& line);

}  // namespace mesagrad::lesson
