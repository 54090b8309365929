// Did this run compute the published numbers, to the last bit?
//
// For one source every machine computes the same curves, so a checksum of them is all that has to be known
// of a run elsewhere. Beside each lesson lies fingerprints.txt with those of seed 1, a line for each scale
// and precision: "smoke float 0123456789abcdef".
#pragma once
#include <filesystem>
#include <string>

#include "tutorials/lesson/results.h"

namespace mesagrad::lesson {

// The checksum of all curves that are not timings: their names and the bits of their numbers.
std::string fingerprint(const Results& results);

// The published fingerprint of such a run, or "" if there is none. Throws Error if the file is not what it
// should be.
std::string published_fingerprint(const Results& results, const std::filesystem::path& lesson_source);

// For people: the comparison in one sentence.
std::string about_fingerprint(const Results& results);

}  // namespace mesagrad::lesson
