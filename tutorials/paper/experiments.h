// The paper's experiments, in the order of its figures, and the lesson that repeats each at SCALE=paper.
// Which numbers of a lesson belong to an experiment stands in the lesson: L.compare(..., {.figure = "4C"}).
#pragma once
#include <array>

namespace mesagrad::reproduction {

struct Experiment {
  const char* figure;
  const char* title;
  int lesson;             // 0: none
  const char* note = "";  // what our numbers leave out, or why there are none
  std::array<int, 2> also = {};  // lessons that have some of its numbers; 0: none
};

inline constexpr const char* probed_alike =
    "tests/tasks/published_weights_test.cpp holds the measure against the authors' own weights";

inline constexpr auto experiments = std::to_array<Experiment>({
    {"2A", "token binding: which states stand in a token after the first layer", 7},
    {"4A", "one layer, its formula, and halfway, while they train", 3,
     "each run is the mean of five training seeds"},
    {"4B", "the same with six layers", 0,
     "the authors' curves are drawn, but not stored; lesson 5 compresses six layers on its own"},
    {"4C", "linear layers on constructed tokens", 5, "", {1, 2}},
    {"4D", "one mesa-layer on constructed tokens", 6},
    {"4E", "probes of six linear layers", 5, probed_alike},
    {"5A", "blocks made linear", 9, "not d = 40 and d = 60, which take 24 and 82 hours a seed"},
    {"5B", "kernel regression and least squares, by dimension", 9},
    {"6A", "probes of seven softmax layers", 8, probed_alike},
    {"6C", "learned solvers: Proposition 2", 1, "", {2}},
    {"7A", "Transformers and the hybrid on bare states", 8},
    {"7B", "systems that hide", 10},
    {"7C", "nonlinear systems", 10},
    {"8", "few-shot prompts, a separator, a prefix, two tasks", 11},
    {"11", "systems that contract", 5},
    {"12", "one W for all sequences", 5, "ours is another W than the authors'"},
    {"16", "sensitivity of the first layer, in training", 7},
    {"20", "kernel regression and least squares, by noise", 0,
     "the authors' numbers are drawn, but not stored"},
    {"21", "token binding in systems that hide", 10},
    {"22", "sensitivity in systems that hide", 10, "ours at the end, the authors' after 3000 updates"},
    {"24", "probes of seven softmax layers, systems that hide", 10},
    {"25", "the same for nonlinear systems", 10},
    {"26", "language models", 0,
     "an update of the authors' models takes two cores 15 minutes or more; lesson 12 has small ones"},
    {"text", "how many observations a token has to hold", 0,
     "the authors state no numbers; lesson 10 shows what least squares makes of k observations"},
    {"notebook", "the authors' notebook: two linear layers in 2400 updates", 5},
});

// Hours of two cores that a run with one seed takes at SCALE=paper, for lessons of which no run is kept: the
// sum over all trainings of their updates, times half of the processor time of one (the fastest of ten), and
// of the tests in between; on the README's machine, if nobody else uses its cores.
struct Hours {
  int lesson;
  double hours;
};
inline constexpr auto estimated_hours = std::to_array<Hours>({{10, 9.2}, {11, 3.3}, {12, 5.0}});

}  // namespace mesagrad::reproduction
