// Runs of many lessons and seeds, merged into a page of Markdown: what is not as in the paper, what has not
// run, and every number beside theirs.
#pragma once
#include <string>

#include "tutorials/paper/runs.h"

namespace mesagrad::reproduction {

std::string report(const Found& found, const std::string& scale);

// A text with the numbers of such a page: in its rows "| Figure 4C: 2 layers | ours | theirs | difference |"
// and in the sentence that sums up. Other lines stay as they are.
std::string with_numbers_of(const std::string& page, const std::string& text);

}  // namespace mesagrad::reproduction
