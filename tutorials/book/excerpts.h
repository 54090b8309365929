// What the book takes from sources besides their code.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "tutorials/lesson/page.h"

namespace mesagrad::book {

// The first sentence of the comment that a file begins with; empty if there is none.
std::string first_sentence(const std::string& source);

// What students get to read of an assignment: its comment without hints, mistakes, and what is withheld.
std::vector<std::string> handout_of(const std::string& assignment);

// How many points all checks of an exercise give together, by exercises ("3.1").
std::map<std::string, int> points_of(const std::string& assignment);

// The headings of a lesson's steps, each at its line.
std::vector<lesson::Piece> headings(const std::string& source);

}  // namespace mesagrad::book
