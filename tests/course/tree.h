// Whole trees of files: read, and written where they differ.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace mesagrad::course {

// The files of a project by their paths in it.
using Tree = std::map<std::filesystem::path, std::string>;

// Everything that a release consists of: core, nn, tasks, tests, tutorials, and the files beside them. Throws
// Error if one of these is missing.
Tree read_tree(const std::filesystem::path& root);

// The tree as a starter for those who have solved assignments up to `upto`: later exercises cut, without what
// these withhold, and without what is the teacher's. Throws Error for any mistake in a mark.
Tree starter_of(const Tree& tree, int upto, const std::string& student);

// Makes `root` hold these files and, in the folders of a release, no others. What is there already is not
// touched, so that nothing is compiled again without need. Throws Error; then no file has changed.
void write_tree(const std::filesystem::path& root, const Tree& tree);

// Is it a source file of core, nn or tasks?
bool may_have_marks(const std::filesystem::path& file);

// The assignments: their numbers and the files that are their handouts and checks.
std::map<int, std::filesystem::path> assignments_of(const Tree& tree);

// A wrong solution that the checks of its exercise have to catch: in an assignment's comments,
// "// Mistake 3.1: this text ==> that text".
struct Mistake {
  int assignment = 0;
  std::string exercise, right, wrong;
};
std::vector<Mistake> mistakes_of(const Tree& tree);

// The tree with the mistake in the first place where the exercise's regions have the right text. Throws Error
// if there is none.
Tree with_mistake(Tree tree, const Mistake& mistake);

// Three lines in a row of a solution beyond `upto` that a starter has all the same, and where; empty: none.
std::string leak_of(const Tree& tree, const Tree& starter, int upto);

}  // namespace mesagrad::course
