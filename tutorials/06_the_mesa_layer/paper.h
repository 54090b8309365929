// Numbers that the authors of "Uncovering mesa-optimization algorithms in Transformers" measured (von Oswald
// et al., arXiv 2309.05858, results stored with their code): losses at positions t = 0 .. 49 are means over
// 5 x 256 sequences.
#pragma once
#include <vector>

namespace mesagrad::paper {

// A trained mesa-layer: its test loss after 0, 100, 200, ... updates, mean over 5 seeds. Figure 4D.
inline const std::vector<double> mesa_training = {
    1.67408, 1.51867, 0.485239, 0.304732, 0.265459, 0.246987, 0.235854, 0.228288, 0.222741,
    0.218463, 0.215065, 0.212277, 0.209941, 0.207973, 0.206263, 0.204784, 0.203482, 0.202316,
    0.201293, 0.200346, 0.199511, 0.198729, 0.198033, 0.197381, 0.196768, 0.196226, 0.195725,
    0.195243, 0.194789, 0.194384, 0.193981, 0.193618, 0.193273, 0.192946, 0.19263, 0.19233,
    0.192051, 0.191791, 0.191545, 0.191308, 0.191069, 0.190871, 0.190656, 0.190456, 0.190274};

}  // namespace mesagrad::paper
