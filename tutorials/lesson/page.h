// The page of a lesson: one HTML file that needs nothing else, in light and in dark.
#pragma once
#include <string>
#include <vector>

#include "tutorials/lesson/plot.h"
#include "tutorials/lesson/results.h"

namespace mesagrad::lesson {

class Lesson;

std::string html_table(const Table& table);

// What stands at the end of page and terminal.
Table comparison_table(const Results& results);

// `source` is the text of the lesson's own lesson.cpp.
std::string html_page(const Lesson& lesson, const std::string& source);

// The page that lists all lessons: for each an entry, as markup. That of a lesson that has run links to it.
std::string html_index(const std::vector<std::string>& entries);
std::string index_entry(const Results& results);

// "scale lesson, seed 1, 2 threads".
std::string circumstances(const Results& results);

}  // namespace mesagrad::lesson
