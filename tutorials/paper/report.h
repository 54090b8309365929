// Runs of many lessons and seeds, merged into a page of Markdown: what is not as in the paper, what has not
// run, and every number beside theirs.
#pragma once
#include <string>

#include "tutorials/paper/runs.h"

namespace mesagrad::reproduction {

std::string report(const Found& found, const std::string& scale);

}  // namespace mesagrad::reproduction
