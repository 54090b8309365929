// What the programs of the course have in common.
#pragma once
#include <string>
#include <vector>

namespace mesagrad::course {

// What a program does with its words, of which the first is its name: its exit status. What it throws is one
// sentence and the status 2.
int run(const std::vector<std::string>& words);

}  // namespace mesagrad::course
