#include "tutorials/lesson/results.h"

#include <cmath>
#include <limits>
#include <sstream>

#include "core/checksum.h"
#include "core/error.h"
#include "core/files.h"
#include "core/real.h"
#include "tutorials/lesson/json.h"
#include "tutorials/lesson/process.h"
#include "tutorials/lesson/writing.h"

namespace mesagrad::lesson {
namespace {

constexpr int digits = 5;

bool holds(const Claim& claim) {
  if (!std::isfinite(claim.measured)) return false;
  if (claim.relation == Relation::below) return claim.measured < claim.expected;
  if (claim.relation == Relation::above) return claim.measured > claim.expected;
  return std::abs(claim.measured - claim.expected) <= claim.tolerance;
}

std::string claim_json(const Claim& claim, Scale scale) {
  const bool one_sided = claim.relation == Relation::below || claim.relation == Relation::above;
  const char* relation = claim.relation == Relation::below ? "below" : one_sided ? "above" : "within";
  const char* pass = scale < claim.from ? "null" : holds(claim) ? "true" : "false";
  return json_object({{"name", json_quoted(claim.name)},
                      {"measured", json(claim.measured)},
                      {"relation", json_quoted(relation)},
                      {"expected", json(claim.expected)},
                      {"tolerance", one_sided ? "null" : json(claim.tolerance)},
                      {"pass", pass}});
}

std::string curves_json(const std::vector<Curve>& curves, bool timing) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (const Curve& curve : curves) {
    const auto& [name, x, mean, std, is_timing] = curve;
    if (is_timing != timing) continue;
    fields.emplace_back(name, json_object({{"x", json(x)}, {"mean", json(mean)}, {"std", json(std)}}));
  }
  return json_object(fields);
}

}  // namespace

Verdict judge(const Claim& claim, Scale scale) {
  if (scale < claim.from) return Verdict::not_judged;
  return holds(claim) ? Verdict::holds : Verdict::fails;
}

const char* sign_of(Verdict verdict) {
  return verdict == Verdict::holds ? "✓" : verdict == Verdict::fails ? "✗" : "–";
}

void check_claim(const Claim& claim) {
  check(std::isfinite(claim.expected), "claim '", claim.name, "': the expected value is ", claim.expected);
  check(std::isfinite(claim.tolerance) && claim.tolerance >= 0, "claim '", claim.name,
        "': the tolerance must be finite and not negative, and is ", claim.tolerance);
}

std::string expectation(const Claim& claim) {
  const auto number = [](double value) { return short_number(value, digits); };
  switch (claim.relation) {
    case Relation::within:
      return number(claim.expected) + (claim.tolerance == 0 ? "" : " ± " + number(claim.tolerance));
    case Relation::between:
      return number(claim.expected - claim.tolerance) + " to " + number(claim.expected + claim.tolerance);
    case Relation::below: return "below " + number(claim.expected);
    case Relation::above: return "above " + number(claim.expected);
  }
  return "";
}

std::string difference(const Comparison& comparison) {
  double percent = 100 * (comparison.this_run - comparison.paper) / std::abs(comparison.paper);
  if (!std::isfinite(percent)) return "–";
  if (std::abs(percent) < 0.05) percent = 0;  // and not "-0.0"
  // One decimal can hide a small difference, but a percentage of a percent is noise.
  return (percent > 0 ? "+" : "") +
         (std::abs(percent) < 1000 ? fixed_number(percent, 1) : short_number(percent, 2)) + " %";
}

int Results::claims_that(Verdict verdict) const {
  int count = 0;
  for (const Claim& claim : claims) count += judge(claim, options.scale) == verdict ? 1 : 0;
  return count;
}

std::string to_json(const Results& results) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (const Setting& setting : results.settings) settings.emplace_back(setting.name, setting.json);
  std::vector<std::string> claims, comparisons;
  for (const Claim& claim : results.claims) claims.push_back(claim_json(claim, results.options.scale));
  for (const auto& [name, this_run, paper, row] : results.comparisons) {
    comparisons.push_back(json_object({{"name", json_quoted(name)},
                                       {"this_run", json(this_run)},
                                       {"paper", json(paper)},
                                       {"figure", json_quoted(row.figure)},
                                       {"updates", std::to_string(row.updates)},
                                       {"tolerance", json(row.tolerance)}}));
  }
  return json_object({{"lesson", std::to_string(results.lesson)},
                      {"title", json_quoted(results.title)},
                      {"found", json_quoted(results.found)},
                      {"scale", json_quoted(name_of(results.options.scale))},
                      {"seed", std::to_string(results.options.seed)},
                      {"threads", std::to_string(results.threads)},
                      {"precision", json_quoted(real_name)},
                      {"rate", json(results.options.rate)},
                      {"seconds", json(results.seconds)},
                      {"fingerprint", json_quoted(results.fingerprint)},
                      {"published_fingerprint", json_quoted(results.published_fingerprint)},
                      {"settings", json_object(settings)},
                      {"claims", json_array(claims)},
                      {"comparisons", json_array(comparisons)},
                      {"curves", curves_json(results.curves, false)},
                      // From here on nothing is the same in every run.
                      {"timings", curves_json(results.curves, true)},
                      {"processor_seconds", json(results.processor_seconds)},
                      {"machine", json_quoted(machine())},
                      {"commit", json_quoted(commit())},
                      {"date", json_quoted(today())}}) +
         "\n";
}

std::string fingerprint(const Results& results) {
  Checksum sum;
  for (const Curve& curve : results.curves) {
    if (curve.timing) continue;
    sum.add(curve.name);
    for (std::vector<double> numbers : {curve.x, curve.mean, curve.std}) {
      // Processors disagree on the bits of a NaN, so all of them count as one.
      for (double& x : numbers) x = std::isnan(x) ? std::numeric_limits<double>::quiet_NaN() : x;
      sum.add(std::span<const double>(numbers));
    }
  }
  return sum.text();
}

std::string published_fingerprint(const Results& results, const std::filesystem::path& lesson_source) {
  const std::filesystem::path path = lesson_source.parent_path() / "fingerprints.txt";
  const Options& options = results.options;
  if (options.seed != 1 || options.rate != 1 || !std::filesystem::exists(path)) return "";
  std::istringstream lines(read_file(path));
  const std::string run = text(name_of(options.scale), " ", real_name, " ");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    const std::size_t start = line.rfind(' ') + 1;
    check(start > 0 && line.size() == start + 16, path.string(), ": '", line,
          "' should be a scale, float or double, and a fingerprint of 16 hexadecimal digits");
    if (line.starts_with(run)) return line.substr(start);
  }
  return "";
}

std::string about_fingerprint(const Results& results) {
  const std::string &ours = results.fingerprint, &published = results.published_fingerprint;
  if (ours == published) {
    return "This machine computed exactly the published numbers, to the last bit (fingerprint " + ours + ").";
  }
  if (published.empty()) {
    return "The fingerprint of this run's numbers is " + ours +
           ". Any machine that runs the same source with the same settings gets the same.";
  }
  return "These are not the published numbers: their fingerprint is " + ours + " instead of " + published +
         ". If nobody has changed the source, `make test` finds the operation that differs.";
}

}  // namespace mesagrad::lesson
