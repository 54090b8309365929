// Exercises: marked regions of source that students write themselves. In a source file,
//
//     // exercise 3.1: what is asked, and where one line is not enough,
//     //    more lines, indented by three spaces
//     ... the solution, with the comments that give it away ...
//     //| return x;
//     // end 3.1
//
// is exercise 1 of assignment 3. A starter has `todo("3.1");` in the solution's place, or, if there are lines
// that begin with `//|`, these without that prefix. Several regions may belong to one exercise.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace mesagrad::course {

using Path = std::filesystem::path;
using Lines = std::vector<std::string>;

std::string joined(const Lines& lines);

struct Region {
  std::string id;     // "3.1"
  std::size_t mark;   // the line of its first mark, from 0
  std::size_t begin;  // its first line, behind what is asked
  std::size_t end;    // the line of its last mark
  int assignment() const { return std::stoi(id); }
};

// All regions of a file, in order. `path` is for messages. Throws Error with file and line if a mark is
// nested, stray, unclosed, or not of the form above.
std::vector<Region> regions_of(const Path& path, const Lines& lines);

// "line 12: `}` without its partner", or whatever else would let a region reach beyond its marks; empty if
// nothing does. What is to be graded must not bring directives, assembly or attributes either.
std::string escapes(const Lines& lines, std::size_t first, std::size_t last, bool to_grade);

// The file as a starter has it: solved up to assignment `upto`, without solutions of later ones, and without
// the lines of starting code in those that are solved. Throws Error as regions_of does, and if a region
// escapes, with its starting code, without it, or this alone; or if starting code is a mark itself.
Lines cut(const Path& path, const Lines& lines, int upto);

// What a student wrote for an exercise: its regions, one after another, and why they can't be graded (empty:
// they can).
struct Answer {
  std::vector<Lines> regions;
  std::string problem = {};
};
using Answers = std::map<std::string, Answer>;

// Those of a student's file that are not as they were handed out. Throws Error as regions_of does.
Answers answers_of(const Path& path, const Lines& lines);

// The file with the answers to those exercises that `wanted` says in the place of its own regions. Throws
// Error if the numbers of regions differ.
Lines splice(const Path& path, const Lines& lines, const Answers& answers,
             const std::function<bool(const std::string& id)>& wanted);

// Is it a source file of core, nn or tasks?
bool may_have_marks(const Path& file);

// Where the pieces of each exercise begin in a tree, "core/ops.cpp:88, 120", which has them in one file.
std::map<std::string, std::string> places(const Path& tree);

// A starter's own file: how far it is solved and whose it is, and then of each file that may have marks the
// checksum of what lies outside of them.
inline const Path starter_file = "tests/course/starter";
std::string sum_outside(const Path& path, const Lines& lines);

// The files of a starter in which something outside of the marks is not as it was handed out. Throws Error as
// regions_of does.
std::vector<Path> edited_outside(const Path& tree);

}  // namespace mesagrad::course
