// Recall: what its sequences promise.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/recall.h"

#include <map>
#include <set>

#include "tasks/loss_curve.h"
#include "tests/helpers.h"
#include "tests/odd_arguments.h"

namespace mesagrad {
namespace {

// Logits 9 at the value that stood behind a key for the first time, 0 elsewhere: who remembers all.
Tensor remembered(const Tensor& ids, const Recall& task) {
  const Tensor logits({ids.dim(0), ids.dim(1), task.symbols()});
  for (Index b = 0; b < ids.dim(0); ++b) {
    std::map<real, Index> value;
    const real* id = ids.data() + b * ids.dim(1);
    for (Index t = 0; t < ids.dim(1); ++t) {
      const auto known = value.find(id[t]);
      if (known != value.end()) logits[(b * ids.dim(1) + t) * task.symbols() + known->second] = 9;
      if (t + 1 < ids.dim(1)) value.emplace(id[t], static_cast<Index>(id[t + 1]));
    }
  }
  return logits;
}

}  // namespace

TEST_CASE("a sequence of recall is pairs, then each key once more", "[recall]") {
  const Recall task{.tokens = 15, .keys = 7, .values = 3};
  const Batch batch = task.batch(1, stream::test_data, 4, 50);
  REQUIRE(batch.inputs.shape() == Shape({50, 15}));
  CHECK(batch.positions == std::vector<Index>{10, 11, 12, 13, 14});
  std::set<real> all_keys, all_values;
  Index in_order = 0;
  for (Index b = 0; b < 50; ++b) {
    const real *id = batch.inputs.data() + b * 15, *label = batch.labels.data() + b * 15;
    std::map<real, real> value;
    for (Index i = 0; i < 5; ++i) {
      CHECK((id[2 * i] >= 0 && id[2 * i] < 7 && id[2 * i + 1] >= 7 && id[2 * i + 1] < 10));
      CHECK(value.emplace(id[2 * i], id[2 * i + 1]).second);  // no key twice
      all_keys.insert(id[2 * i]);
      all_values.insert(id[2 * i + 1]);
      in_order += id[10 + i] == id[2 * i];
    }
    for (Index t = 10; t < 15; ++t) {
      REQUIRE(value.contains(id[t]));
      CHECK(label[t] == value[id[t]]);
      value.erase(id[t]);  // each is asked once
    }
  }
  CHECK(all_keys.size() == 7);
  CHECK(all_values.size() == 3);
  CHECK(in_order < 100);  // of 250, of which 50 are where they were by chance (standard deviation 7)
}

TEST_CASE("the same sequences of recall for the same numbers", "[recall]") {
  const Recall task;
  const Batch all = task.batch(1, stream::test_data, 0, 6), part = task.batch(1, stream::test_data, 4, 2);
  CHECK(std::equal(part.inputs.data(), part.inputs.data() + 96, all.inputs.data() + 4 * 48));
  CHECK(std::equal(part.labels.data(), part.labels.data() + 96, all.labels.data() + 4 * 48));
}

TEST_CASE("who remembers recalls all, who does not loses log(symbols), where it counts", "[recall]") {
  const Recall task;
  const auto memory = [&](const Tensor& ids) { return remembered(ids, task); };
  const auto none = [&](const Tensor& ids) { return Tensor({ids.dim(0), ids.dim(1), task.symbols()}); };
  CHECK(recalled_share(task, memory, 1, stream::test_data, 20) == 1);
  CHECK(recalled_share(task, none, 1, stream::test_data, 20) == 0);  // says symbol 0, a key
  const LossCurve curve = loss_curve(task, 1, stream::test_data, 20, none);
  REQUIRE(curve.t.size() == 16);
  CHECK(curve.t[0] == 32);
  CHECK(std::abs(curve.total() - std::log(128.0)) < 1e-6);
  CHECK(std::abs(loss_curve(task, 1, stream::test_data, 20, memory).total() -
                 std::log(1 + 127 * std::exp(-9.0))) < 1e-6);
}

TEST_CASE("recall of impossible sizes", "[recall][errors]") {
  for (const Recall& task :
       {Recall{.tokens = 0}, Recall{.tokens = 47}, Recall{.keys = 15}, Recall{.values = 0}}) {
    refuses("recall: ", [&] { task.batch(1, stream::test_data, 0, 1); });
  }
  refuses("sequences from number -1", [] { Recall{}.batch(1, stream::test_data, -1, 1); });
}

}  // namespace mesagrad
