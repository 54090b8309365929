// Elementary functions, the same bits on every machine. (Those of the standard library differ from one
// library to the next in the last digit, and training makes more of it.) The error of each is about one
// unit in the last place.
#pragma once
#include "core/real.h"

namespace mesagrad {

double exponential(double x);  // eˣ; 0 if it is below the smallest normal number
double logarithm(double x);    // -infinity at 0, NaN below
double log_one_plus(double x);  // log(1 + x) for x >= 0, without losing the digits of a small x
double power(double x, Index n);  // xⁿ for n >= 0

// Of angles in radians. NaN from a thousand million on, where too few digits are left of the angle.
double sine(double x);
double cosine(double x);

}  // namespace mesagrad
