// Numbers that the authors of "Uncovering mesa-optimization algorithms in Transformers" measured (von Oswald
// et al., arXiv 2309.05858, results stored with their code): losses at positions t = 0 .. 49 are means over
// 5 x 256 sequences.
#pragma once
#include <array>
#include <vector>

namespace mesagrad::paper {

// Mean squared error of the probe of s_42 .. s_49 in the first layer's token 49. Figures 2A, 17.
inline const std::vector<double> tf_7_token_probe = {.253, .256, .259, .261, .261, .151, .0004, .0000};
inline const std::vector<double> hybrid_token_probe = {.279, .272, .263, .253, .119, .111, .0047, .0000};

// First layers of the authors' models, head by head: the mean share of its attention that a token gives to
// itself, to the one before it, and to the one before that. From their published weights.
inline constexpr std::array<std::array<double, 3>, 4> tf_7_attention = {
    {{.59, .24, .06}, {.44, .51, .03}, {.02, .85, .12}, {.98, .03, .00}}};
inline constexpr std::array<std::array<double, 3>, 4> hybrid_attention = {
    {{.53, .41, .06}, {.65, .32, .02}, {.54, .41, .05}, {.32, .61, .07}}};

// Sensitivity of the first layer's token 49 to the tokens 49, 48, .. 44 and to older ones (mean), after
// 3000 updates. Figure 16.
inline const std::vector<double> tf_7_sensitivity = {1.229, 1.007, .280, .036, .010, .008, .0035};
inline const std::vector<double> hybrid_sensitivity = {.333, .323, .073, .011, .003, .001, 5e-5};

}  // namespace mesagrad::paper
