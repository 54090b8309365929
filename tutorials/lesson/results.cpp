#include "tutorials/lesson/results.h"

#include <cmath>

#include "core/error.h"
#include "tutorials/lesson/json.h"
#include "tutorials/lesson/numbers.h"

namespace mesagrad::lesson {
namespace {

constexpr int digits = 5;

std::string name_of(Relation relation) {
  switch (relation) {
    case Relation::within: return "within";
    case Relation::between: return "within";
    case Relation::below: return "below";
    case Relation::above: return "above";
  }
  return "unknown";
}

bool has_tolerance(const Claim& claim) {
  return claim.relation == Relation::within || claim.relation == Relation::between;
}

bool holds(const Claim& claim) {
  if (!std::isfinite(claim.measured)) return false;
  if (claim.relation == Relation::below) return claim.measured < claim.expected;
  if (claim.relation == Relation::above) return claim.measured > claim.expected;
  return std::abs(claim.measured - claim.expected) <= claim.tolerance;
}

void write_claim(Json& json, const Claim& claim, Scale scale) {
  json.begin_object();
  json.key("name").string(claim.name);
  json.key("measured").number(claim.measured);
  json.key("relation").string(name_of(claim.relation));
  json.key("expected").number(claim.expected);
  if (has_tolerance(claim)) {
    json.key("tolerance").number(claim.tolerance);
  } else {
    json.key("tolerance").null();
  }
  const Verdict verdict = judge(claim, scale);
  if (verdict == Verdict::not_judged) {
    json.key("pass").null();
  } else {
    json.key("pass").boolean(verdict == Verdict::holds);
  }
  json.end_object();
}

void write_settings(Json& json, const std::vector<Setting>& settings) {
  json.key("settings").begin_object();
  for (const Setting& setting : settings) {
    json.key(setting.name);
    if (const double* number = std::get_if<double>(&setting.value)) {
      json.number(*number);
    } else {
      json.string(std::get<std::string>(setting.value));
    }
  }
  json.end_object();
}

void write_curves(Json& json, const std::string& key, const std::vector<Curve>& curves, bool timing) {
  json.key(key).begin_object();
  for (const Curve& curve : curves) {
    if (curve.timing != timing) continue;
    json.key(curve.name).begin_object();
    json.key("x").numbers(curve.x);
    json.key("mean").numbers(curve.mean);
    json.key("std").numbers(curve.std);
    json.end_object();
  }
  json.end_object();
}

}  // namespace

Verdict judge(const Claim& claim, Scale scale) {
  if (scale < claim.from) return Verdict::not_judged;
  return holds(claim) ? Verdict::holds : Verdict::fails;
}

void check_claim(const Claim& claim) {
  check(std::isfinite(claim.expected), "claim '", claim.name, "': the expected value is ",
        claim.expected);
  check(std::isfinite(claim.tolerance) && claim.tolerance >= 0, "claim '", claim.name,
        "': the tolerance must be finite and not negative, and is ", claim.tolerance);
}

std::string expectation(const Claim& claim) {
  const std::string expected = short_number(claim.expected, digits);
  const std::string tolerance = short_number(claim.tolerance, digits);
  switch (claim.relation) {
    case Relation::within: return claim.tolerance == 0 ? expected : expected + " ± " + tolerance;
    case Relation::between:
      return short_number(claim.expected - claim.tolerance, digits) + " to " +
             short_number(claim.expected + claim.tolerance, digits);
    case Relation::below: return "below " + expected;
    case Relation::above: return "above " + expected;
  }
  return expected;
}

std::string difference(const Comparison& comparison) {
  const double change = (comparison.this_run - comparison.paper) / std::abs(comparison.paper);
  if (!std::isfinite(change)) return "–";
  const double percent = 100 * change;
  // One decimal can hide a small difference, but a percentage of a percent is noise.
  const std::string number = std::abs(percent) < 1000 ? fixed_number(percent, 1)
                                                      : short_number(percent, 2);
  return (percent > 0 ? "+" : "") + number + " %";
}

int Results::claims_that(Verdict verdict) const {
  int count = 0;
  for (const Claim& claim : claims) count += judge(claim, scale) == verdict ? 1 : 0;
  return count;
}

std::string shown(const Setting& setting) {
  if (const double* number = std::get_if<double>(&setting.value)) return short_number(*number);
  return std::get<std::string>(setting.value);
}

std::string to_json(const Results& results) {
  Json json;
  json.begin_object();
  json.key("lesson").whole(static_cast<std::uint64_t>(results.lesson));
  json.key("title").string(results.title);
  json.key("found").string(results.found);
  json.key("scale").string(name_of(results.scale));
  json.key("seed").whole(results.seed);
  json.key("threads").whole(static_cast<std::uint64_t>(results.threads));
  json.key("seconds").number(results.seconds);
  json.key("fingerprint").string(results.fingerprint);
  json.key("published_fingerprint").string(results.published_fingerprint);
  write_settings(json, results.settings);
  json.key("claims").begin_array();
  for (const Claim& claim : results.claims) write_claim(json, claim, results.scale);
  json.end_array();
  json.key("comparisons").begin_array();
  for (const Comparison& comparison : results.comparisons) {
    json.begin_object();
    json.key("name").string(comparison.name);
    json.key("this_run").number(comparison.this_run);
    json.key("paper").number(comparison.paper);
    json.end_object();
  }
  json.end_array();
  write_curves(json, "curves", results.curves, false);
  write_curves(json, "timings", results.curves, true);
  json.end_object();
  return json.text() + "\n";
}

}  // namespace mesagrad::lesson
