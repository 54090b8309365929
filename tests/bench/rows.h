// What `make bench` measures.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "tutorials/lesson/stopwatch.h"

namespace mesagrad::bench {

struct Row {
  std::string name;
  double flops;  // that the result needs; what an algorithm repeats or wastes is not counted
  double bytes;  // that must cross main memory: inputs once, results once
  std::function<lesson::Times()> measure;
};

std::vector<Row> rows();
void add_decoding(std::vector<Row>& rows);  // tests/bench/decoding.cpp

}  // namespace mesagrad::bench
