// Numbers that the authors of "Uncovering mesa-optimization algorithms in Transformers" measured (von Oswald
// et al., arXiv 2309.05858, results stored with their code).
#pragma once
#include <vector>

#include "core/real.h"

namespace mesagrad::paper {

// Loss per dimension of softmax kernel regression and of least squares (newest pair left out), each with the
// best of forty parameters, mean over 5 x 128 sequences of 4d tokens. Figure 5B.
inline const std::vector<Index> kernel_dimensions = {4, 6, 10, 20, 40, 60};
inline const std::vector<double> kernel_regression = {.079821, .077974, .084357, .094728, .107628, .114964};
inline const std::vector<double> least_squares = {.032847, .028503, .026403, .024713, .023085, .022345};

// Test loss with block 1, 2, ... 7 replaced by its linear student, teacher's = 1: mean and standard deviation
// over five training seeds. Figure 5A. How each teacher was trained comes with it: where they give several
// numbers of updates, the largest.
struct Linearization {
  Index dimension;
  double peak;  // of the learning rate
  Index updates;
  std::vector<double> mean, deviation;
};
inline const std::vector<Linearization> linearization = {
    {4, 4e-3, 5000, {2.071, 1.578, 1.210, 1.124, 1.147, 1.132, 1.192},
     {.215, .168, .203, .051, .057, .037, .097}},
    {6, 4e-3, 5000, {2.193, 1.451, 1.292, 1.140, 1.163, 1.136, 1.166},
     {.170, .181, .176, .060, .077, .091, .116}},
    {10, 4e-3, 5000, {2.273, 1.443, 1.180, 1.087, 1.081, 1.050, 1.036},
     {.089, .121, .137, .044, .031, .015, .006}},
    {20, 9e-3, 8000, {3.154, 1.354, 1.061, 1.057, 1.019, 1.010, 1.047},
     {.165, .160, .011, .025, .010, .004, .037}},
    {40, 7e-3, 4500, {2.923, 1.231, 1.076, 1.027, 1.017, 1.014, 1.020},
     {.449, .081, .058, .010, .004, .007, .020}},
    {60, 4e-3, 3000, {3.565, 1.152, 1.077, 1.031, 1.042, 1.053, 1.049},
     {.446, .047, .047, .012, .006, .011, .012}}};

}  // namespace mesagrad::paper
