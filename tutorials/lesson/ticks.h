// Axes with ticks at round numbers.
#pragma once
#include <string>
#include <vector>

namespace mesagrad::lesson {

struct Tick {
  double value = 0;
  std::string label = {};
};

struct Axis {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  std::vector<Tick> ticks = {};

  // Where a value lies, 0 at low and 1 at high. NaN for what the axis cannot show.
  double position(double value) const;
};

// Values that an axis can show at all; also keeps every later sum far from overflow.
bool drawable(double value, bool logarithmic);

// The axis from low to high, with about as many ticks as wanted: multiples of 1, 2 or 5 times a
// power of ten. An empty or impossible range is widened first.
Axis linear_axis(double low, double high, int wanted);

// The same in decades; with 1, 2 and 5 in each when there are only a few of them.
Axis log_axis(double low, double high, int wanted);

}  // namespace mesagrad::lesson
