// What shows that the course holds what it promises: solutions do not leak, and mistakes are caught.
#pragma once
#include "tests/course/teacher/tree.h"

namespace mesagrad::course {

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
