// The colours of heat maps: blue below zero, white at zero, orange above. Blue and orange stay
// apart for every kind of colour blindness.
#pragma once
#include <cstddef>
#include <string>

namespace mesagrad::lesson {

// An odd number, so that one shade is exactly zero's.
inline constexpr std::size_t shade_count = 41;

// The shade of a value on a scale from -limit to +limit; values outside take the last shade.
std::size_t shade_of(double value, double limit);

// The shade as #rrggbb, and as one of a terminal's 256 colours.
std::string shade_colour(std::size_t shade);
int shade_terminal_colour(std::size_t shade);

}  // namespace mesagrad::lesson
