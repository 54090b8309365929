#pragma once
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "nn/generation.h"
#include "tasks/text.h"
#include "tasks/token_binding.h"
#include "tutorials/lesson/train.h"

namespace mesagrad {

// TEXT=, or the headers of this machine's compiler, or, if it does not tell where they are, this project.
inline Corpus text_to_learn(const lesson::Lesson& L) {
  if (!L.options().text.empty()) return read_corpus(files_of(L.options().text));
  const char* compiler = std::getenv("CXX");
  std::vector<std::filesystem::path> files = standard_headers(compiler != nullptr ? compiler : "c++");
  if (files.empty()) {
    for (const char* folder : {"core", "nn", "tasks", "tests", "tutorials"}) {
      for (const auto& path : files_of(folder)) files.push_back(path);
    }
  }
  return read_corpus(files);
}

inline double icl_score(const LossCurve& c) {
  const Index T = std::ssize(c.mean);
  const auto mean_of = [&](Index from, Index to) {
    double s = 0;
    for (Index t = from; t < to; ++t) s += c.mean[static_cast<std::size_t>(t)] / static_cast<double>(to - from);
    return s;
  };
  return mean_of(7 * T / 8, T) - mean_of(T / 16, T / 8);
}

}  // namespace mesagrad
