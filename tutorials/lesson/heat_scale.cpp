#include "tutorials/lesson/heat_scale.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace mesagrad::lesson {
namespace {

using Rgb = std::array<double, 3>;

// From -1 to +1 at equal distances.
constexpr std::array<Rgb, 7> stops = {{{8, 60, 125},
                                       {40, 120, 185},
                                       {142, 191, 224},
                                       {248, 248, 248},
                                       {253, 190, 125},
                                       {226, 107, 20},
                                       {142, 52, 4}}};

Rgb mixed(std::size_t shade) {
  const double place =
      static_cast<double>(shade) / (shade_count - 1) * static_cast<double>(stops.size() - 1);
  const auto first = std::min(static_cast<std::size_t>(place), stops.size() - 2);
  const double part = place - static_cast<double>(first);
  Rgb colour = {};
  for (std::size_t i = 0; i < 3; ++i) {
    colour[i] = (1 - part) * stops[first][i] + part * stops[first + 1][i];
  }
  return colour;
}

}  // namespace

std::size_t shade_of(double value, double limit) {
  const double place = (std::clamp(value / limit, -1.0, 1.0) + 1) / 2;
  return static_cast<std::size_t>(std::lround(place * (shade_count - 1)));
}

std::string shade_colour(std::size_t shade) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string colour = "#";
  for (const double channel : mixed(shade)) {
    const auto byte = static_cast<std::size_t>(std::lround(channel));
    colour += hex[byte / 16];
    colour += hex[byte % 16];
  }
  return colour;
}

int shade_terminal_colour(std::size_t shade) {
  // Chosen by eye among the 256: the nearest ones by distance drift to green and grey.
  constexpr std::array<int, 13> colours = {24,  25,  32,  75,  117, 153, 231,
                                           230, 223, 215, 208, 166, 130};
  return colours[(shade * (colours.size() - 1) + (shade_count - 1) / 2) / (shade_count - 1)];
}

}  // namespace mesagrad::lesson
