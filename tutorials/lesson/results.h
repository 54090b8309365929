// What a lesson measured, and whether it is what the paper promises.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/real.h"
#include "tutorials/lesson/options.h"

namespace mesagrad::lesson {

enum class Relation { within, between, below, above };

// A statement that can turn out to be wrong. below and above compare with `expected`; between is
// within, told by its two ends.
struct Claim {
  std::string name = {};
  double measured = 0;
  Relation relation = Relation::within;
  double expected = 0;
  double tolerance = 0;
  Scale from = Scale::lesson;  // smaller runs do not judge it
};

enum class Verdict { holds, fails, not_judged };

// NaN and infinity never hold.
Verdict judge(const Claim& claim, Scale scale);
const char* sign_of(Verdict verdict);  // ✓, ✗ or –

// Throws Error when a claim could not fail, or could not hold, whatever is measured.
void check_claim(const Claim& claim);

// For people: "1.667 ± 0.017", "0.1 to 0.2", "below 0.5".
std::string expectation(const Claim& claim);

// What is compared with the paper, for the report that merges many runs (tutorials/paper).
struct Reproduces {
  std::string figure = {};   // of the paper: "4C"
  Index updates = 0;         // of the model that is compared; 0: there is none, or it does not learn
  double tolerance = 0.05;   // how far ours may be from theirs, as a part of it
  int sequences = 5 * 256;   // of which the authors' losses are means
};

struct Comparison {
  std::string name = {};
  double this_run = 0;
  double paper = 0;
  Reproduces row = {};
};

// "+1.2 %", of the paper's number.
std::string difference(const Comparison& comparison);

struct Setting {
  std::string name = {};
  std::string shown = {};  // to people
  std::string json = {};
};

struct Curve {
  std::string name = {};
  std::vector<double> x = {};
  std::vector<double> mean = {};
  std::vector<double> std = {};
  bool timing = false;  // another machine, or another minute, measures something else
};

struct Results {
  int lesson = 0;
  std::string title = {};
  std::string found = {};  // a sentence
  Options options = {};
  int threads = 1;
  double seconds = 0;  // with those of runs that were killed, until they last saved themselves
  double processor_seconds = 0;  // the same, of all threads: what a busy machine does not change much
  std::string fingerprint = {};
  std::string published_fingerprint = {};  // empty if there is none
  std::vector<Setting> settings = {};
  std::vector<Claim> claims = {};
  std::vector<Comparison> comparisons = {};
  std::vector<Curve> curves = {};

  int claims_that(Verdict verdict) const;
};

std::string to_json(const Results& results);

// Of a run that is not over, beside its checkpoints: the same as results.json, as far as it goes.
inline constexpr const char* so_far_name = "so-far.json";

// Did this run compute the published numbers, to the last bit? For one source every machine computes the same
// curves, so a checksum of them (their names and bits, but no timings) is all that has to be known of a run
// elsewhere. Beside each lesson lies fingerprints.txt with those of seed 1, a line for each scale and
// precision: "smoke float 0123456789abcdef".
std::string fingerprint(const Results& results);

// That of such a run, or "" if there is none. Throws Error if the file is not what it should be.
std::string published_fingerprint(const Results& results, const std::filesystem::path& lesson_source);

// For people: the comparison in one sentence.
std::string about_fingerprint(const Results& results);

}  // namespace mesagrad::lesson
