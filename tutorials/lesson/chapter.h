// A lesson's page as a chapter: prose and code of its source, and what the run showed, each where it was
// made.
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

}  // namespace mesagrad::lesson
