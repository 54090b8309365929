// The page of a lesson: one HTML file that needs nothing else, in light and in dark.
#pragma once
#include <string>
#include <vector>

#include "tutorials/lesson/plot.h"
#include "tutorials/lesson/results.h"

namespace mesagrad::lesson {

class Lesson;

std::string html_table(const Table& table);

// The tables of the end: claims for the terminal, the comparison for the page too.
Table claims_table(const Lesson& lesson, bool colour);
Table comparison_table(const Lesson& lesson);

// `source` is the text of the lesson's own lesson.cpp.
std::string html_page(const Lesson& lesson, const std::string& source);

// The page that lists all lessons: for each an entry, as markup. That of a lesson that has run links to it.
std::string html_index(const std::vector<std::string>& entries);
std::string index_entry(const Results& results);

}  // namespace mesagrad::lesson
