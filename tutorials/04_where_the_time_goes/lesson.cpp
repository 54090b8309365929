// Where the time goes.
//
// Almost all the work of these lessons is multiplying matrices, and almost all the time too, if one
// is careful. If one is not, the machine spends its time fetching numbers, waiting for other cores,
// and moving the same data back and forth. This lesson writes the same product four times, and then
// looks at what a second core gives and takes.
//
// How fast a machine is changes from laptop to laptop, and from minute to minute, with all that runs on
// it besides. So times are shown and not judged, but for two claims about one core, where the factors are
// so large that other work does not matter.
#include <cmath>
#include <cstring>
#include <set>

#include "core/gemm.h"
#include "nn/linear_transformer.h"
#include "nn/loss.h"
#include "nn/training.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/stopwatch.h"

using namespace mesagrad;

namespace {

// Four ways to write C = A·B for n x n matrices, row-major. Every one makes the same n³
// multiplications and additions.

// The definition: c_ij is row i of A times column j of B. Going down a column of B jumps n numbers
// at every step; the memory fetches a whole cache line (16 numbers) each time, for one of them.
void multiply_naive(Index n, const real* a, const real* b, real* c) {
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      real sum = 0;
      for (Index k = 0; k < n; ++k) sum += a[i * n + k] * b[k * n + j];
      c[i * n + j] = sum;
    }
  }
}

// The two inner loops exchanged. Now the innermost loop walks along rows, of B and of C, and its
// steps do not depend on each other: the compiler makes vector instructions of it.
void multiply_reordered(Index n, const real* a, const real* b, real* c) {
  std::fill_n(c, n * n, real{0});
  for (Index i = 0; i < n; ++i) {
    for (Index k = 0; k < n; ++k) {
      const real x = a[i * n + k];
#pragma omp simd
      for (Index j = 0; j < n; ++j) c[i * n + j] += x * b[k * n + j];
    }
  }
}

// The same in tiles of 64 x 64, so that what was fetched from far away is used 64 times before it
// is pushed out of the cache again.
void multiply_tiled(Index n, const real* a, const real* b, real* c) {
  constexpr Index size = 64;
  std::fill_n(c, n * n, real{0});
  for (Index k0 = 0; k0 < n; k0 += size) {
    for (Index j0 = 0; j0 < n; j0 += size) {
      for (Index i = 0; i < n; ++i) {
        for (Index k = k0; k < std::min(k0 + size, n); ++k) {
          const real x = a[i * n + k];
#pragma omp simd
          for (Index j = j0; j < std::min(j0 + size, n); ++j) c[i * n + j] += x * b[k * n + j];
        }
      }
    }
  }
}

// The library's own (core/tile.h): a small tile of C stays in registers while k runs. The three
// before load and store a number of C for every multiplication; this one for every n.
void multiply_in_registers(Index n, const real* a, const real* b, real* c) {
  gemm(n, n, n, rows_of(a, n), rows_of(b, n), c, n, false);
}

Tensor random_tensor(const Shape& shape, std::uint64_t seed, std::uint64_t number) {
  Tensor result(shape);
  Random random(seed, stream::analysis_data, number);
  for (Index i = 0; i < result.size(); ++i) result[i] = static_cast<real>(random.normal() / 2);
  return result;
}

// A short and simple loop, on one core and on all.
void halve_alone(real* x, Index n) {
#pragma omp simd
  for (Index i = 0; i < n; ++i) x[i] = x[i] * real(0.5) + real(1);
}
void halve_together(real* x, Index n) {
#pragma omp parallel for simd
  for (Index i = 0; i < n; ++i) x[i] = x[i] * real(0.5) + real(1);
}

// Sums with as many threads as asked for, the way OpenMP offers: each thread adds up its part, and
// the parts are added in whatever order and grouping the number of threads brings.
real sum_by_reduction(const Tensor& x, int threads) {
  real sum = 0;
#pragma omp parallel for simd reduction(+ : sum) num_threads(threads)
  for (Index i = 0; i < x.size(); ++i) sum += x[i];
  return sum;
}

// Sums 16 fixed parts, on any number of threads, and adds the parts in their order.
real sum_in_fixed_order(const Tensor& x, [[maybe_unused]] int threads) {
  constexpr Index parts = 16;
  real part[parts];
#pragma omp parallel for num_threads(threads)
  for (Index p = 0; p < parts; ++p) {
    part[p] = 0;
    for (Index i = p * x.size() / parts; i < (p + 1) * x.size() / parts; ++i) part[p] += x[i];
  }
  real sum = 0;
  for (const real value : part) sum += value;
  return sum;
}

// The sums on 1 to 8 threads.
template <class Sum>
std::vector<double> on_1_to_8_threads(const Tensor& x, const Sum& sum) {
  std::vector<double> results;
  for (int threads = 1; threads <= 8; ++threads) results.push_back(sum(x, threads));
  return results;
}

Index different(const std::vector<double>& numbers) {
  return std::ssize(std::set<double>(numbers.begin(), numbers.end()));
}

void lesson_body(lesson::Lesson& L) {
  const double seconds = L.scaled<double>({.smoke = 0.01, .lesson = 0.5, .paper = 2});
  const int threads = omp_get_max_threads();
  L.setting("seconds for each measurement", seconds);

  // -------------------------------------------------------------------------------------------
  L.step("How fast could it be?");
  //
  // A core can start a few vector instructions in every cycle, each a multiplication and an addition
  // on 4 to 16 numbers, its vectors. The peak is what comes out if nothing else happens: no loads, no
  // stores, no waiting. It is the yardstick for all that follows, in GFLOP/s: thousands of millions of
  // multiplications and additions in a second.
  omp_set_num_threads(1);
  const double peak = lesson::measure_peak();
  omp_set_num_threads(threads);
  L.say(text("One core's peak: ", lesson::short_number(peak / 1e9, 3), " GFLOP/s, with vectors of ", lanes,
             " numbers."));

  // -------------------------------------------------------------------------------------------
  L.step("One product, written four ways");
  omp_set_num_threads(1);
  const Index n = L.scaled<Index>({.smoke = 96, .lesson = 768, .paper = 1536});
  L.setting("size of the matrices", n);
  const Tensor a = random_tensor({n, n}, L.seed(), 1), b = random_tensor({n, n}, L.seed(), 2), c({n, n});
  const double flops = 2.0 * std::pow(static_cast<double>(n), 3);
  lesson::Table table{.title = text("C = A·B for ", n, " x ", n, " matrices, on one core"),
                      .caption = "More than 100 % would mean that the machine had something else to do while "
                                 "the peak was measured.",
                      .columns = {"", "ms", "GFLOP/s", "share of peak"}};
  std::vector<double> speeds;
  Tensor first;
  double largest_difference = 0;
  const auto measure = [&](const std::string& name, const auto& multiply) {
    L.check_interrupted();
    const double best = lesson::time([&] { multiply(n, a.data(), b.data(), c.data()); }, seconds).best;
    speeds.push_back(flops / best);
    table.row({name, lesson::short_number(best * 1e3, 3), lesson::short_number(flops / best / 1e9, 3),
               lesson::fixed_number(100 * flops / best / peak, 0) + " %"});
    if (!first.defined()) first = c.copy();
    for (Index i = 0; i < c.size(); ++i) {
      largest_difference = std::max(largest_difference, std::abs(static_cast<double>(c[i]) - first[i]));
    }
  };
  measure("by definition", multiply_naive);
  measure("loops exchanged", multiply_reordered);
  measure("tiles in the cache", multiply_tiled);
  measure("tiles in registers", multiply_in_registers);
  omp_set_num_threads(threads);
  L.show(table);
  const auto times = [](double ratio) { return lesson::short_number(ratio, 3) + " times"; };
  L.say(text("Exchanging two loops makes it ", times(speeds[1] / speeds[0]), " as fast. From there, tiles in "
             "the cache make it ", times(speeds[2] / speeds[1]), " as fast, and tiles in registers ",
             times(speeds[3] / speeds[1]), "."));
  // Do not expect much of tiles in the cache at this size: such a matrix fits into the second- and
  // third-level caches of today, and the loads and stores of C are what costs. They matter for larger
  // ones, and the price is that the innermost loop stops every 64 numbers.

  // -------------------------------------------------------------------------------------------
  L.step("What it costs to share the work");
  //
  // A second core has to be told what to do, and at the end the first one has to wait for it. That
  // takes about a microsecond, or much longer on a machine that is busy with other things, and in a
  // microsecond one core could make tens of thousands of multiplications. So a short loop is better left
  // to one core, and every parallel loop of this library first asks whether it is worth it
  // (core/parallel.h).
  std::vector<double> sizes, alone, together;
  for (Index size = 64; size <= Index{1} << 20; size *= 4) {
    const Tensor x = random_tensor({size}, L.seed(), 3);
    // Many rounds for a short loop, so that the clock's own time does not matter.
    const Index rounds = std::max<Index>(1, 65536 / size);
    const auto microseconds = [&](void (*loop)(real*, Index)) {
      const auto work = [&] {
        for (Index r = 0; r < rounds; ++r) loop(x.data(), size);
      };
      return lesson::time(work, seconds / 5).median * 1e6 / static_cast<double>(rounds);
    };
    sizes.push_back(static_cast<double>(size));
    alone.push_back(microseconds(halve_alone));
    together.push_back(microseconds(halve_together));
  }
  {
    lesson::LinePlot plot{
        .name = "sharing",
        .title = "A loop on one core and on all",
        .x = "numbers in the loop",
        .y = "microseconds",
        .caption = text("On ", threads, " threads. If the curves meet, sharing pays from there on."),
        .log_x = true,
        .log_y = true,
        .timing = true};
    plot.line("one core", sizes, alone, {.points = true});
    plot.line("all cores", sizes, together, {.points = true});
    L.show(plot);
  }
  L.say(text("A loop of 64 numbers takes ", times(together[0] / alone[0]), " as long on all cores as on one, a "
             "loop of a million ", times(together.back() / alone.back()), "."));

  // -------------------------------------------------------------------------------------------
  L.step("Why the number of threads can change a result, and how not to let it");
  //
  // (a + b) + c and a + (b + c) are rounded differently. If the number of threads decides who adds
  // up what, it decides the last digits too, and after a thousand training steps all digits. The
  // cure: cut the work into parts that do not depend on the number of threads, and add the parts in
  // a fixed order. Every sum in this library is made like that, so your numbers are ours.
  const Tensor numbers = random_tensor({100'003}, L.seed(), 4);
  const std::vector<double> fixed_sums = on_1_to_8_threads(numbers, sum_in_fixed_order);
  const Index by_reduction = different(on_1_to_8_threads(numbers, sum_by_reduction));
  const Index in_fixed_order = different(fixed_sums);
  L.curve("sum in a fixed order, by threads", {1, 2, 3, 4, 5, 6, 7, 8}, fixed_sums);
  L.say(text("The same 100,003 numbers, added on 1 to 8 threads: ", by_reduction,
             " different sums when the threads split them, ", in_fixed_order, " in a fixed order."));

  // -------------------------------------------------------------------------------------------
  L.step("Two ways to train on several cores");
  //
  // A step of training works on a batch, many sequences at once, and adds up what each has to say about
  // the weights. Either every operation is shared: all cores multiply, wait for each other, all cores
  // add, wait for each other. Or the sequences are: each core takes a few of them through the whole model,
  // forward and backward, and they wait once, at the end of the step (nn/training.h). The second way
  // has another advantage that even one core feels: what an operation leaves behind is still in the
  // cache when the next one wants it.
  constexpr Index batch = 256, tokens = 50, width = 40;
  LinearTransformer model({.width = width, .blocks = 2, .heads = 4, .key_size = 20, .init_deviation = 0.05},
                          L.seed());
  const Tensor x = random_tensor({batch, tokens, width}, L.seed(), 5);
  const Tensor y = random_tensor({batch, tokens, 10}, L.seed(), 6);
  const auto part = [&](const Tensor& whole, Index begin, Index count) {
    Tensor result = Tensor::uninitialized({count, tokens, whole.dim(2)});
    std::copy_n(whole.data() + begin * tokens * whole.dim(2), result.size(), result.data());
    return result;
  };
  Arena memory;
  const auto operations_shared = [&] {
    zero_grad(model.parameters());
    Tape tape(memory);
    tape.backward(squared_error(model(x), y));
  };
  Training training(model, batch, tokens);
  const auto sequences_shared = [&] {
    training([&](const LinearTransformer& copy, Index begin, Index count) {
      return squared_error(copy(part(x, begin, count)), part(y, begin, count), batch);
    });
  };
  const double by_operation = lesson::time(operations_shared, 2 * seconds).median;
  const double by_sequence = lesson::time(sequences_shared, 2 * seconds).median;
  omp_set_num_threads(1);
  const double on_one = lesson::time(sequences_shared, 2 * seconds).median;
  omp_set_num_threads(threads);
  const double step_flops = 3.0 * 2 * batch * (8.0 * tokens * width * 80 + 2.0 * tokens * tokens * 80);
  {
    lesson::Table steps{.title = "One training step of two layers, 256 sequences of 50 tokens",
                        .columns = {"", "ms", "GFLOP/s"}};
    const auto row = [&](const std::string& name, double s) {
      steps.row({name, lesson::short_number(s * 1e3, 3), lesson::short_number(step_flops / s / 1e9, 3)});
    };
    row(text("every operation shared, ", threads, " threads"), by_operation);
    row(text("sequences shared, ", threads, " threads"), by_sequence);
    row("sequences in turn, 1 thread", on_one);
    L.show(steps);
    L.say(text("Sharing sequences is ", times(by_operation / by_sequence), " as fast as sharing operations, and ",
               times(on_one / by_sequence), " as fast as one thread. If that is far from ", threads,
               ", ask what else the machine is doing."));
  }

  L.found(text("One product: ", lesson::short_number(speeds[0] / 1e9, 3), " GFLOP/s by its definition, ",
               lesson::short_number(speeds[3] / 1e9, 3), " with tiles in registers, of at most ",
               lesson::short_number(peak / 1e9, 3), " on one core."));
  L.claim_below("the four products differ by at most", largest_difference,
                1e-5 * std::sqrt(static_cast<double>(n)) * 4, {.from = lesson::Scale::smoke});
  L.claim_above("exchanging two loops makes it faster, times", speeds[1] / speeds[0], 2);
  L.claim_above("registers make it faster than the definition, times", speeds[3] / speeds[0], 10);
  L.claim("different sums in a fixed order", static_cast<double>(in_fixed_order),
          {.expected = 1, .tolerance = 0, .from = lesson::Scale::smoke});
  L.claim_above("different sums by reduction", static_cast<double>(by_reduction), 1.5,
                {.from = lesson::Scale::smoke});

  // -------------------------------------------------------------------------------------------
  L.step("Things to try");
  //
  // Say first what will happen, then change the source and run.
  //
  // The worst order. Three loops can be nested in six ways. Let j be the outermost, then k, and i the
  // innermost, with x = b[k * n + j]. The multiplications are the same as before. Which numbers does the
  // innermost loop walk along, and in which direction? Will it be faster or slower than the definition?
  //
  // One row more or less. Run with n = 511, 512 and 513 in place of 768. A product of 513 rows is less
  // than one percent more work than one of 512. Look at the definition, then at the exchanged loops: the
  // same number is bad for the one and good for the other. (A cache puts a number where the last digits
  // of its address say: where do the numbers of a column go if rows are 512 long? And a vector is best
  // loaded from an address that is a multiple of its own length.)
  //
  // How many parts? Set `parts` in sum_in_fixed_order to 12, 1 and 1000, and print the sum with all its
  // digits (lesson::exact_number), next to one that is added up in double. Is the result still the same on
  // any number of threads? And which of the sums is the most wrong? One would think the simplest, with one
  // part and no detour, has the least to go wrong.
}

}  // namespace

int main(int argc, char** argv) {
  return lesson::run({.number = 4, .title = "Where the time goes",
                      .question = "What makes the same computation ten times faster or slower?",
                      .source = __FILE__},
                     argc, argv, lesson_body);
}
