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
// touched, so that nothing is compiled again without need. Throws Error; then each file is the old or the
// new.
void write_tree(const std::filesystem::path& root, const Tree& tree);

// The assignments: their numbers and the files that are their handouts and checks.
std::map<int, std::filesystem::path> assignments_of(const Tree& tree);

}  // namespace mesagrad::course
