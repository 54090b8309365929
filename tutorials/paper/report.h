// Runs of many lessons and seeds, merged into a page of Markdown: what is not as in the paper, what has not
// run, and every number beside theirs.
#pragma once
#include <string>

#include "tutorials/paper/runs.h"

namespace mesagrad::reproduction {

std::string report(const Found& found, const std::string& scale);

// Of how many runs such a page tells; 0 if it is none.
std::size_t runs_behind(const std::string& page);

}  // namespace mesagrad::reproduction
