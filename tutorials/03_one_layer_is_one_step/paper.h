// Numbers that the authors of "Uncovering mesa-optimization algorithms in Transformers" measured (von Oswald
// et al., arXiv 2309.05858, results stored with their code): losses at positions t = 0 .. 49 are means over
// 5 x 256 sequences.
#pragma once
#include <vector>

namespace mesagrad::paper {

// A trained layer of linear self-attention. Figure 4C.
inline const std::vector<double> lsa_1 = {
    1.67491, 1.64369, 1.60003, 1.56035, 1.51438, 1.46972, 1.42046, 1.37218, 1.32047, 1.26519,
    1.20913, 1.16254, 1.11312, 1.06961, 1.02636, 0.984923, 0.942353, 0.904868, 0.866873, 0.835399,
    0.804037, 0.777808, 0.747423, 0.72369, 0.701125, 0.681409, 0.659828, 0.642808, 0.627369,
    0.614108, 0.603755, 0.595109, 0.584198, 0.58409, 0.5794, 0.581359, 0.580954, 0.586169,
    0.589938, 0.60065, 0.606981, 0.621577, 0.633931, 0.655257, 0.67038, 0.690473, 0.711388,
    0.740723, 0.76823, 0.787076};

// Its test loss after 0, 100, 200, ... updates, mean over 5 seeds. Figure 4A.
inline const std::vector<double> lsa_1_training = {
    1.67408, 1.66921, 1.34098, 0.978697, 0.914936, 0.905966, 0.902889, 0.901513, 0.899961,
    0.899509, 0.898451, 0.897604, 0.897168, 0.89634, 0.895896, 0.895163, 0.895003, 0.89427,
    0.893978, 0.893427, 0.893749, 0.893579, 0.893373, 0.893602, 0.892891, 0.892966, 0.893017,
    0.892914, 0.89278, 0.892552, 0.892587, 0.892328, 0.892633, 0.892481, 0.892437};

// The same for the model halfway to the compressed one. Figure 4A.
inline const std::vector<double> interpolated_training = {
    1.32961, 1.30127, 1.04652, 0.914397, 0.898526, 0.896703, 0.895971, 0.895681, 0.895155,
    0.895053, 0.894619, 0.894243, 0.894038, 0.893671, 0.893492, 0.893159, 0.893133, 0.892803,
    0.89264, 0.892439, 0.892637, 0.892584, 0.89246, 0.892579, 0.892285, 0.892336, 0.892363,
    0.892288, 0.892235, 0.892142, 0.892161, 0.892033, 0.892172, 0.892079, 0.892107};

// The compressed model of each seed. Figure 4A.
inline const std::vector<double> compressed = {
    0.891615, 0.894257, 0.897932, 0.897944, 0.89016};

}  // namespace mesagrad::paper
