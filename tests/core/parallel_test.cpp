// The loops over threads.
#include "tests/catch.h"  // first, because it is precompiled

#include "core/parallel.h"

#include <atomic>
#include <stdexcept>

#include "tests/helpers.h"

namespace mesagrad {

TEST_CASE("a parallel loop takes every index once", "[parallel]") {
  for (const int threads : {1, 2, 5}) {
    const Threads guard(threads);
    for (const Index n : {0, 1, 2, 3, 100, 1001}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(n));
      parallel_for(n, [&](Index i) { ++visits[static_cast<std::size_t>(i)]; });
      CHECK(std::all_of(visits.begin(), visits.end(), [](const auto& v) { return v == 1; }));
    }
    for (const Index n : {0, 1, 100, 100000, 100001, 250003}) {
      std::vector<int> visits(static_cast<std::size_t>(n));
      elementwise(n, [v = visits.data()](Index i) { ++v[i]; });
      CHECK(std::all_of(visits.begin(), visits.end(), [](int v) { return v == 1; }));
    }
    std::atomic<int> inner{0};
    parallel_for(4, [&](Index) { parallel_for(5, [&](Index) { ++inner; }); });
    CHECK(inner == 20);
  }
}

TEST_CASE("an exception leaves a parallel loop", "[parallel]") {
  for (const int threads : {1, 3}) {
    const Threads guard(threads);
    for (const Index n : {1, 2, 50}) {
      const auto loop = [n](Index bad) {
        parallel_for(n, [bad](Index i) { check(i != bad, "index ", i, " is bad"); });
      };
      CHECK(message_of([&] { loop(n - 1); }) == text("index ", n - 1, " is bad"));
      CHECK(message_of([&] { loop(n); }) == "nothing was thrown");
    }
    const auto fail_always = [](Index) { throw std::range_error("all of them"); };
    CHECK_THROWS_AS(parallel_for(9, fail_always), std::range_error);
  }
}

}  // namespace mesagrad
