// What a student can ask of a lesson on the command line: SEED=1 SCALE=lesson THREADS=2 OUT=out.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace mesagrad::lesson {

// How much a lesson computes: about 2 s for tests, 90 s for a student, or all that the authors did.
enum class Scale { smoke, lesson, paper };

std::string name_of(Scale scale);

struct Options {
  std::uint64_t seed = 1;
  Scale scale = Scale::lesson;
  int threads = 0;  // 0: as many as OpenMP likes
  std::string out = "out";
};

// An empty value keeps the default. Throws Error for anything that is not one of the four settings.
Options parse_options(const std::vector<std::string>& arguments);

}  // namespace mesagrad::lesson
