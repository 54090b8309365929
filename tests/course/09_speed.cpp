// Speed
//
// Everything that you wrote so far was right, and slow code that is right teaches the same. But a model
// learns from a million sequences, and a machine can do a hundred times what a plain loop gets out of it.
// Here the code that you find is right already. You make it fast, in four places, at three distances from the
// arithmetic: in the registers, in the cache, and on all cores. Not one bit of any result may change.
//
// Read: core/tile.h and core/simd.h, for what a Vector is; then lesson 4, up to the first table.
// Read: core/gemm.h and core/gemm.cpp for 9.2 and 9.3; core/parallel.h and nn/training.h for 9.4.
// Find out: what share of the time of a plain loop is arithmetic. Why a product of matrices can run at the
// peak, and a sum of two vectors can't. Why the same program may print other digits on another number of
// cores.
// To write: 9.1 in core/tile.h; 9.2, 9.3 in core/gemm.cpp; 9.4 in nn/training.h.
// Hours: 8
// Unlocks: make tutorial-4 (its claims about speed); all other lessons take less time
// Withheld: tests/same_bits_test.cpp
// Withheld: tests/nn/training_test.cpp
//
// # How speed is measured
//
// First the peak of one core: multiply-adds on numbers that never leave the registers, ten chains of them
// that do not wait for each other. Then your code; then the peak again, and so on. The best time of each
// counts, because whatever else the machine does can only make it slower; the share is the quotient. A check
// goes on for up to eight seconds, until the share is reached. Shares are of a peak in double. Close what
// keeps your machine busy; then a good answer has room to spare: ours had 83 to 96 % in 9.1 and 74 to 86 %
// in 9.2, with two compilers and two sizes of vectors. The points are for shares, and a check asks for the
// right numbers first.
//
// # The one derivation
//
// How many sums must a tile have? Count in vectors. A core starts two multiply-adds in each cycle and can
// load about two vectors in it. But the result of a multiply-add comes four cycles after its start. A sum
// needs its last result before it can go on:
//
//     cycle        0    1    2    3    4    5    6    7    8
//     one sum      s+=  .    .    .    s+=  .    .    .    s+=       an eighth of two in each cycle
//
// So at least 2 × 4 = 8 sums must be on their way, or the core waits for itself. That is the first condition.
// The second: each step of k loads V vectors of B and R numbers of A, and makes R·V multiply-adds of them.
// Loads take (R + V)/2 cycles and arithmetic R·V/2, so arithmetic decides if
//
//     R·V >= R + V,   with room to spare when numbers come from farther than the nearest cache.
//
// One row (R = 1) never fulfils that: it loads as many vectors as it multiplies. And third, R·V sums, V
// vectors of B and one number of A must fit into the registers, of which there are 16 or 32; else they are
// stored and loaded again:
//
//     R·V + V + 1 <= registers          8·3 + 3 + 1 = 28          6·2 + 2 + 1 = 15
//
// The same count one floor above: a piece of B of K numbers a column and one tile wide is packed once, which
// costs a load and a store for each number. If R rows use it, each packed number serves R multiply-adds; if
// all M rows of a block do, M. For M = 256 against R = 8, packing goes from being half of the work to
// nothing.
//
//            K              tile
//        +-------+         +---+
//      R |   A   |   K     | B |      packed once, while all of A
//        +-------+         |   |      passes over it
//      R |       |         +---+
//        +-------+
//
// To think about (nobody checks this):
// 1. An operation that reads two vectors from memory, adds them and writes the sum: what share of the peak
// can it reach at best, if memory delivers 16 numbers in the time of 100 multiply-adds? What could fusing two
// such loops gain?
// 2. A sum over threads with `reduction` of OpenMP is as fast as one with a fixed order of 16 parts. What
// else has to be given up for the same bits, and when would you not care?
//
// Hint 9.1: The given code goes through all of b for one row after another. Exchange the loops: k outside,
// rows inside.
// Hint 9.1: Keep Vector sum[R][V]; at each k load the V vectors of b once, and use them for all R rows.
// Unless the loop over rows is unrolled, `sum` can't be in registers.
// Hint 9.1: #pragma GCC unroll 8 before each loop over i < R; load b_k[V] at each k, then broadcast(a(i, k))
// and multiply_add for each i and v. Store as the given code does, behind the loop over k. Whole vectors are
// better stored with `store` than with store_first.
// Hint 9.2: gemm_piece may have any number of rows: it packs its piece of B once for all of them.
// Hint 9.2: So there is no loop over rows: one call makes M rows.
// Hint 9.2: for j, for k: gemm_piece(M, columns, count, a.from(0, k), b.from(k, j), c + j, ldc, add || k >
// 0). If C is small (128 KB), for k, for j is better: then B is read from far away once.
// Hint 9.3: Rows of C are independent of each other, and so are columns. Cut the longer side.
// Hint 9.3: parallel_for(blocks, f), and in f gemm_block on its rows: a.from(first, 0) and c + first * ldc.
// Not worth it if !worth_threads(M * N * K).
// Hint 9.3: If M >= N, blocks of rows, a multiple of tile_rows and at most most_rows; else of columns, a
// multiple of tile_columns: b.from(0, first) and c + first. About five blocks, so that one late thread
// matters less.
// Hint 9.4: parallel_for over the 16 shards. What may a shard not share with another one that runs at the
// same time?
// Hint 9.4: Each shard has its model, its gradients and its loss. A tape belongs to one pass. The order in
// which shards are added, in add_gradients and below, is fixed already.
// Hint 9.4: In the loop: clear the shard's gradients and loss; for (first = s·batch/16; first < (s +
// 1)·batch/16; first += pass_) { thread_local Arena memory; Tape tape(memory); the loss of (first, min(pass_,
// end - first)); backward }.
//
// Mistake 9.1: broadcast(a(i, k)) ==> broadcast(a(i, 0))
// Mistake 9.1: multiply_add(a_ik, b_k[v], sum[i][v]) ==> sum[i][v] + a_ik * b_k[v]
// Mistake 9.1: store_first(last, sum[i][V - 1], c_i, add) ==> store(sum[i][V - 1], c_i)
// Mistake 9.1: #pragma GCC unroll 8 ==> #pragma GCC unroll 1
// Mistake 9.2: add || k > 0); ==> add);
// Mistake 9.2: b.from(k, j) ==> b.from(0, j)
// Mistake 9.2: gemm_piece(M, columns, ==> for (Index i = 0; i < M; ++i) gemm_piece(i + 1, columns,
// Mistake 9.3: c + from * ldc, ldc, add); ==> c, ldc, add);
// Mistake 9.3: parallel_for((size + block - 1) / block, ==> parallel_for(size / block,
// Mistake 9.3: std::min(block, size - from) ==> block
// Mistake 9.3: gemm_block(M, count, K, a, b.from(0, from), ==> gemm_block(M, count, K, a, b,
// Mistake 9.4: Index first = s * batch_ ==> Index first = 0 * batch_
// Mistake 9.4: shard.loss = 0; ==> shard.loss += 0;
// Mistake 9.4: p.tensor->zero_grad() ==> p.tensor->grad()
// Mistake 9.4: std::min(pass_, end - first) ==> pass_
#include <chrono>
#include <cmath>
#include <mutex>
#include <time.h>

#include "core/parallel.h"
#include "core/tile.h"
#include "nn/training.h"
#include "tests/course/check.h"

namespace mesagrad::course {
namespace {

// -- The same bits ---------------------------------------------------------------------------------

// Of R rows and at most V vectors: every sum in the order of k, and nothing else is written.
template <Index R, Index V>
void expect_right_tile() {
  for (const Index columns : {(V - 1) * lanes + 1, V * lanes - 1, V * lanes}) {
    const Index K = random_size(3, 9, static_cast<int>(columns)), ldb = V * lanes + 2, ldc = V * lanes + 3;
    const Tensor a = random_tensor({K, R}, 1), b = random_tensor({K, ldb}, 2);
    const Tensor before = random_tensor({R, ldc}, 3);
    if (columns <= (V - 1) * lanes) continue;
    for (const bool add : {false, true}) {
      const Tensor c = before.copy();
      tile<R, V>(K, columns_of(a.data(), R), b.data(), ldb, c.data(), ldc, columns, add);
      for (Index i = 0; i < R; ++i) {
        for (Index j = 0; j < ldc; ++j) {
          real sum = 0;
          for (Index k = 0; k < K && j < columns; ++k) sum = std::fma(a[k * R + i], b[k * ldb + j], sum);
          const real old = before[i * ldc + j], expected = j >= columns ? old : add ? old + sum : sum;
          if (c[i * ldc + j] == expected) continue;
          fail("a tile of ", R, " rows and ", columns, " columns", add ? ", added," : "", " has ",
               c[i * ldc + j], " at (", i, ", ", j, "), expected ", expected,
               j >= columns                                  ? ": that place is not its own"
               : std::abs(c[i * ldc + j] - expected) < 1e-9 ? ": rounded otherwise"
                                                             : "");
        }
      }
    }
  }
}

template <Index R = tile_rows>
void expect_right_tiles() {
  expect_right_tile<R, 1>();
  if constexpr (tile_vectors > 1) expect_right_tile<R, 2>();
  if constexpr (tile_vectors > 2) expect_right_tile<R, 3>();
  if constexpr (R > 1) expect_right_tiles<R == 6 ? 4 : R / 2>();
}

// C of the product of random matrices, by threads or one; each number is the sum of its pieces' sums.
constexpr Index piece = 208;

struct Product {
  Index M, N, K;
  bool a_transposed = false, b_transposed = false;
  static constexpr Index margin = 90;  // rows behind C and columns beside it, which nobody may touch
  Index ldc = N + margin;
  Tensor a = random_tensor({M, K}, 1), b = random_tensor({K, N}, 2);
  Tensor before = random_tensor({M + margin, ldc}, 3);

  MatrixView A() const { return a_transposed ? columns_of(a.data(), M) : rows_of(a.data(), K); }
  MatrixView B() const { return b_transposed ? columns_of(b.data(), K) : rows_of(b.data(), N); }
  Tensor operator()(bool add) const {
    const Tensor c = before.copy();
    gemm(M, N, K, A(), B(), c.data(), ldc, add);
    return c;
  }
  void expect_right(bool add) const {
    const Tensor c = (*this)(add);
    for (Index i = 0; i < M + margin; ++i) {
      for (Index j = 0; j < ldc; ++j) {
        const bool outside = i >= M || j >= N;
        const real is = c[i * ldc + j];
        real expected = before[i * ldc + j];
        for (Index from = 0; from < K && !outside; from += piece) {
          real sum = 0;
          for (Index k = from; k < std::min(from + piece, K); ++k) sum = std::fma(A()(i, k), B()(k, j), sum);
          expected = add || from > 0 ? expected + sum : sum;
        }
        if (is == expected) continue;
        fail("of ", M, " x ", K, a_transposed ? "ᵀ" : "", " times ", K, " x ", N, b_transposed ? "ᵀ" : "",
             ", number (", i, ", ", j, ") is ", is, ", expected ", expected,
             outside ? ": that place is not its own"
                     : std::abs(is - expected) < 1e-9 ? ": rounded otherwise" : "");
      }
    }
  }
};

void expect_right_products() {
  omp_set_num_threads(1);
  for (const int kind : {0, 1, 2, 3}) {
    const Product some{.M = random_size(1, 40, kind), .N = random_size(1, 60, 10 + kind), .K = 1 + 150 * kind,
                       .a_transposed = kind % 2 == 1, .b_transposed = kind >= 2};
    some.expect_right(false);
    some.expect_right(true);
  }
  Product{.M = 520, .N = 60, .K = 4, .a_transposed = true}.expect_right(false);
}

// -- Speed -----------------------------------------------------------------------------------------

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

volatile real used;  // so that nothing is optimized away

// As many operations, in registers.
void multiply_adds(double flops) {
  constexpr Index chains = 10;
  const auto rounds = static_cast<Index>(flops / static_cast<double>(2 * chains * lanes));
  Vector x[chains], sum = {};
  for (Index i = 0; i < chains; ++i) x[i] = broadcast(static_cast<real>(i));
  for (Index r = 0; r < rounds; ++r) {
#pragma GCC unroll 10
    for (Vector& chain : x) chain = multiply_add(chain, broadcast(real(0.999)), broadcast(real(0.001)));
  }
  for (const Vector& chain : x) sum += chain;
  used = sum[0];
}

// The work has so many flops and reaches this share of one core's peak. What disturbs can only make it
// slower, so it has eight seconds, and best times count.
void expect_share(const std::string& what, double share, double flops, const std::function<void()>& work) {
  omp_set_num_threads(1);
  double peak = HUGE_VAL, own = HUGE_VAL;
  const double begin = seconds();
  for (int round = 0; round < 30 || peak / own < share; ++round) {
    double start = seconds();
    multiply_adds(flops);
    peak = std::min(peak, seconds() - start);
    start = seconds();
    work();
    own = std::min(own, seconds() - start);
    if (seconds() - begin > 8) break;
  }
  const auto percent = [](double x) { return static_cast<int>(100 * x); };
  expect(peak / own >= share, what, " reach ", percent(peak / own), " % of the peak, which is ",
         percent(flops / peak / 1e11), " GFLOP/s here; expected ", percent(share), " %");
}

void expect_fast_tiles(double share) {
  expect_right_tiles();
  const Index M = 256, N = 256, K = piece;  // a piece of B is in the second-level cache
  const Tensor a = random_tensor({M, K}, 1), b = random_tensor({K, N}, 2), c({M, N});
  expect_share("tiles", share, 2.0 * M * N * K, [&] {
    tiles(M, K, rows_of(a.data(), K), b.data(), N, c.data(), N, N, false);
  });
}

void expect_fast_products(double share) {
  expect_right_products();
  const Product large{.M = 256, .N = 256, .K = 256, .b_transposed = true};
  const Tensor c({256, 256});
  expect_share("products with a transposed B", share, 2.0 * 256 * 256 * 256, [&] {
    gemm(256, 256, 256, large.A(), large.B(), c.data(), 256, false);
  });
}

// -- Threads ---------------------------------------------------------------------------------------

double cpu_seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// What other threads than this one do of some work, in time on a processor: however busy the machine is.
double share_of_others(const std::function<void()>& work) {
  const double own = cpu_seconds(CLOCK_THREAD_CPUTIME_ID), all = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
  work();
  const double own_part = cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - own;
  return 1 - own_part / (cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - all);
}

void expect_shared_products() {
  omp_set_num_threads(2);
  for (const bool wide : {false, true}) {
    const Product large{.M = wide ? 100 : 1000, .N = wide ? 1000 : 100, .K = 500};
    double most = 0;
    for (const double begin = seconds(); most < 0.2 && seconds() - begin < 8;)
      most = std::max(most, share_of_others([&] { large(false); }));
    expect(most >= 0.2, "of a product of ", large.M, " x ", large.K, " and ", large.K, " x ", large.N,
           " on two threads, the second does ", static_cast<int>(100 * most), " %");
  }
}

// Numbers of which a model makes the loss ½ Σ_n (w·x_n - y_n)², n = 0 .. 36.
struct Line {
  Tensor w = Tensor({3}, {real(0.3), real(-0.7), real(1.1)}).requires_grad();
  Parameters parameters() { return {{"w", &w}}; }
};

struct Step {
  double loss = 0;
  std::vector<real> gradient;
  std::vector<std::pair<Index, Index>> passes;  // first and count, sorted
  int threads = 0;                              // that were at work at the same time
};

constexpr Index batch = 37;

struct Fit {
  Tensor x = random_tensor({batch, 3}, 1), y = random_tensor({batch}, 2);
  Line model;
  Training<Line> training{model, batch, 60000};  // so many tokens that a pass has two sequences

  // On so many threads; each pass waits a while for a second thread to come, once.
  Step operator()(int threads, Index spoilt = -1) {
    omp_set_num_threads(threads);
    Step step;
    std::mutex mutex;
    std::vector<int> seen;
    const double begin = seconds();
    step.loss = training([&](const Line& line, Index first, Index count) {
      {
        const std::scoped_lock lock(mutex);
        step.passes.emplace_back(first, count);
        const int self = omp_get_level() > 0 ? omp_get_thread_num() : 0;
        if (std::find(seen.begin(), seen.end(), self) == seen.end()) seen.push_back(self);
      }
      const auto alone = [&] {
        const std::scoped_lock lock(mutex);
        return seen.size() < 2;
      };
      while (threads > 1 && omp_get_level() > 0 && alone() && seconds() - begin < 5) {}
      check(spoilt < first || spoilt >= first + count, "a spoilt sequence");
      Tensor loss({}, real{0}), w = line.w;  // w + w is 2w: w stays what it is, but threads have time to meet
      for (int n = 0; n < 1000; ++n) w = real(0.5) * (w + line.w);
      for (Index n = first; n < first + count; ++n) {
        const Tensor x_n({3}, {x[3 * n], x[3 * n + 1], x[3 * n + 2]});
        const Tensor off = sum(w * x_n) - Tensor({}, y[n]);
        loss = n == first ? real(0.5) * (off * off) : loss + real(0.5) * (off * off);
      }
      return loss;
    });
    step.threads = static_cast<int>(seen.size());
    std::sort(step.passes.begin(), step.passes.end());
    step.gradient.assign(model.w.grad(), model.w.grad() + 3);
    return step;
  }
};

Step shared_step(Fit& fit, int threads) {
  const Step step = fit(threads);
  expect(step.threads >= 2, "on ", threads, " threads, ", step.threads, " called for a part of the loss");
  return step;
}

EXERCISE("9.1", 6, "tiles are right to the last bit, and reach 60 % of the peak",
         "Is b loaded once for all rows, and are the loops over rows unrolled?") {
  expect_fast_tiles(0.6);
}

EXERCISE("9.1", 5, "tiles reach 68 % of the peak",
         "All R·V sums in one array, and the loop over k outside.") {
  expect_fast_tiles(0.68);
}

EXERCISE("9.1", 4, "tiles reach 75 % of the peak",
         "Nothing but loads, broadcasts and multiply_add may be in the loop over k.") {
  expect_fast_tiles(0.75);
}

EXERCISE("9.2", 6, "products are right to the last bit, and with a transposed B reach 55 % of the peak",
         "How often is the same number of B packed?") {
  expect_fast_products(0.55);
}

EXERCISE("9.2", 5, "products with a transposed B reach 63 % of the peak",
         "Each number of B should be packed once in a block.") {
  expect_fast_products(0.63);
}

EXERCISE("9.3", 5, "two threads share a large product", "Cut the longer side of C, and call parallel_for.") {
  expect_shared_products();
}

EXERCISE("9.3", 4, "products have the same bits on any number of threads, those of one",
         "Cut C, never the sums over k; and look at the rows and columns of the last block.") {
  expect_shared_products();
  for (const auto& [M, N] : {std::pair<Index, Index>{301, 77}, {37, 340}, {1100, 3}}) {
    const Product some{.M = M, .N = N, .K = 230, .b_transposed = true};
    for (const int threads : {1, 2, 3, 5}) {
      omp_set_num_threads(threads);
      some.expect_right(threads % 2 == 1);
    }
  }
}

EXERCISE("9.4", 6, "several threads work on a step, and its loss and gradient are those of the batch",
         "Each sequence belongs to one pass of one shard, and every pass's gradient counts.") {
  Fit fit;
  for (int repeat = 0; repeat < 2; ++repeat) {
    const Step step = shared_step(fit, 3);
    double loss = 0;
    Tensor gradient({3}, real{0});
    for (Index n = 0; n < batch; ++n) {
      double off = -fit.y[n];
      for (Index j = 0; j < 3; ++j) off += fit.model.w[j] * fit.x[3 * n + j];
      for (Index j = 0; j < 3; ++j) gradient[j] += static_cast<real>(off * static_cast<double>(fit.x[3 * n + j]));
      loss += off * off / 2;
    }
    Index next = 0;
    for (const auto& [first, count] : step.passes) {
      expect(first == next && count > 0, "a pass begins at sequence ", first, " and has ", count, ", where ",
             next, " is next");
      next += count;
    }
    expect(next == batch, "passes had ", next, " of ", batch, " sequences");
    expect_equal(text("in step ", repeat, ", the loss"), step.loss, loss);
    const Tensor found({3}, std::span<const real>(step.gradient));
    expect_equal(text("in step ", repeat, ", the gradient"), found, gradient);
  }
}

EXERCISE("9.4", 5, "a step has the same bits on any number of threads",
         "Nothing may depend on which thread came first: no sum, and not the parts of the batch.") {
  Fit fit;
  const Step one = fit(1);
  for (const int threads : {2, 3, 5, 16}) {
    const Step step = shared_step(fit, threads);
    expect(step.passes == one.passes, "on ", threads, " threads the batch is cut otherwise than on one");
    expect(step.loss == one.loss, "on ", threads, " threads the loss differs from that on one by ",
           step.loss - one.loss);
    expect(step.gradient == one.gradient, "on ", threads, " threads the gradient has other bits than on one");
  }
}

EXERCISE("9.4", 3, "an error in one pass reaches the caller, and the next step is a good one",
         "parallel_for carries errors out of its loop, OpenMP alone does not. Gradients are cleared first.") {
  Fit fit;
  const Step good = shared_step(fit, 3);
  expect_refused("a step with a spoilt sequence", [&] { fit(3, random_size(0, batch - 1)); });
  const Step again = shared_step(fit, 3);
  expect(again.loss == good.loss && again.gradient == good.gradient,
         "after an error, a step is not what it was before");
}

}  // namespace
}  // namespace mesagrad::course
