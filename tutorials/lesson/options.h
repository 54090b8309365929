// What a student can ask of a lesson on the command line: SEED=1 SCALE=lesson THREADS=2 OUT=out
// RATE=1 RESUME=1 SAVE_EVERY=60 TEXT=.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace mesagrad::lesson {

// How much a lesson computes: about 2 s for tests, 90 s for a student, or all that the authors did.
enum class Scale { smoke, lesson, paper };

std::string name_of(Scale scale);

constexpr int most_threads = 1024;

struct Options {
  std::uint64_t seed = 1;
  Scale scale = Scale::lesson;
  int threads = 0;  // 0: as many as OpenMP likes
  double rate =
      1;  // times all learning rates; 0 is the control: what does a lesson say if nothing is learned?
  std::string out = "out";
  bool resume = false;     // go on with a run that was killed
  double save_every = 60;  // seconds between two saves of a long training
  std::string text = {};   // a file or folder to read, in the lesson about language; empty: its own choice
};

// An empty value keeps the default. Throws Error for anything that is not one of these settings.
Options parse_options(const std::vector<std::string>& arguments);

}  // namespace mesagrad::lesson
