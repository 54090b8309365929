#include "tutorials/lesson/fingerprint.h"

#include <cmath>
#include <limits>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "core/checksum.h"
#include "core/real.h"

namespace mesagrad::lesson {
namespace {

// Processors disagree on the bits of a NaN, so all of them count as one.
void add(Checksum& sum, std::vector<double> numbers) {
  for (double& x : numbers) x = std::isnan(x) ? std::numeric_limits<double>::quiet_NaN() : x;
  sum.add(std::span<const double>(numbers));
}

}  // namespace

std::string fingerprint(const Results& results) {
  Checksum sum;
  for (const Curve& curve : results.curves) {
    if (curve.timing) continue;
    sum.add(curve.name);
    for (const auto* numbers : {&curve.x, &curve.mean, &curve.std}) add(sum, *numbers);
  }
  return sum.text();
}

std::string published_fingerprint(const Results& results, const std::filesystem::path& lesson_source) {
  const std::filesystem::path path = lesson_source.parent_path() / "fingerprints.txt";
  if (results.seed != 1 || !std::filesystem::exists(path)) return "";
  std::istringstream lines(read_file(path));
  const std::string run = name_of(results.scale) + (sizeof(real) == sizeof(float) ? " float " : " double ");
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
