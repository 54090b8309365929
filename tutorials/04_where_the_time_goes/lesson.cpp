// Where the time goes.
//
// Almost all the work of these lessons is multiplying matrices, and almost all the time too, if one
// is careful. If one is not, the machine spends its time fetching numbers, waiting for other cores,
// and moving the same data back and forth. This lesson writes the same product four times, and then
// looks at what a second core gives and takes.
//
// Some words about the machine. A core is a processor of its own; a program runs on several of them as so
// many threads. A core computes only with numbers in its registers, of which it has a few dozen. All
// others must be loaded from memory, and main memory is far away: while one number comes, a core could make
// hundreds of multiplications. So copies of what was used last are kept nearby, in caches, of which the
// nearest is the smallest and fastest. And memory is fetched in cache lines of 64 bytes, 16 numbers in
// single precision: whoever wants one gets its neighbours too. A vector instruction, finally, does the same
// to several numbers that lie side by side.
//
// How fast a machine is changes from laptop to laptop, and from minute to minute, with all that runs on
// it besides. So times are shown and not judged, but for two claims about one core, where the factors
// should be so large that other work does not matter.
#include "core/gemm.h"
#include "nn/linear_transformer.h"
#include "nn/loss.h"
#include "nn/training.h"
#include "tutorials/04_where_the_time_goes/measure.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/stopwatch.h"

using namespace mesagrad;

namespace {

void lesson_body(lesson::Lesson& L) {
  const double seconds = L.scaled<double>({.smoke = 0.01, .lesson = 0.5, .paper = 2});
  const int threads = omp_get_max_threads();
  L.setting("seconds for each measurement", seconds);
  const auto times = [](double ratio) { return lesson::short_number(ratio, 3) + " times"; };

  // -------------------------------------------------------------------------------------------
  L.step("How fast could it be?");
  //
  // A core can start a few vector instructions in every cycle of its clock, each a multiplication and an
  // addition on 4 to 16 numbers. The peak is what comes out if nothing else happens: no loads, no stores,
  // no waiting. It is the yardstick for all that follows, in GFLOP/s: thousands of millions of
  // multiplications and additions in a second.
  omp_set_num_threads(1);
  const double peak = lesson::measure_peak();
  L.say(text("One core's peak: ", lesson::short_number(peak / 1e9, 3), " GFLOP/s, with vectors of ", lanes,
             " numbers."));

  // -------------------------------------------------------------------------------------------
  L.step("One product, written four ways");
  //
  // Four ways to write C = A·B for n x n matrices, row by row in memory. Every one makes the same n³
  // multiplications and additions. Before you read on: how many times faster can the last be than the
  // first?
  //
  // The definition: c_ij is row i of A times column j of B. Going down a column of B jumps n numbers
  // at every step; the memory fetches a whole cache line (16 numbers) each time, for one of them.
  const auto by_definition = [](Index n, const real* a, const real* b, real* c) {
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < n; ++j) {
        real sum = 0;
        for (Index k = 0; k < n; ++k) sum += a[i * n + k] * b[k * n + j];
        c[i * n + j] = sum;
      }
    }
  };

  // The two inner loops exchanged. Now the innermost loop walks along rows, of B and of C, and its
  // steps do not depend on each other: the compiler can make vector instructions of it.
  const auto exchanged = [](Index n, const real* a, const real* b, real* c) {
    std::fill_n(c, n * n, real{0});
    for (Index i = 0; i < n; ++i) {
      for (Index k = 0; k < n; ++k) {
        const real x = a[i * n + k];
#pragma omp simd
        for (Index j = 0; j < n; ++j) c[i * n + j] += x * b[k * n + j];
      }
    }
  };

  // The same in tiles of 64 x 64, so that what was fetched from far away is used 64 times before it
  // is pushed out of the cache again. Do not expect much of it at n = 768: such a matrix fits into the
  // second- and third-level caches of today, and the loads and stores of C are what costs. Tiles matter for
  // larger ones, and their price is that the innermost loop stops every 64 numbers.
  const auto in_cache = [](Index n, const real* a, const real* b, real* c) {
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
  };

  // The library's own (core/tile.h): a small tile of C stays in registers while k runs. The two before
  // load and store a number of C for every multiplication; this one for every n. It should come near the
  // peak.
  const auto in_registers = [](Index n, const real* a, const real* b, real* c) {
    gemm(n, n, n, rows_of(a, n), rows_of(b, n), c, n, false);
  };

  // Each is run again and again for a while, and the best time counts: whatever else the machine does can
  // only make it slower.
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
  double difference = 0;
  const auto measure = [&](const std::string& name, const auto& multiply) {
    L.check_interrupted();
    const double best = lesson::time([&] { multiply(n, a.data(), b.data(), c.data()); }, seconds).best;
    speeds.push_back(flops / best);
    table.row({name, lesson::short_number(best * 1e3, 3), lesson::short_number(flops / best / 1e9, 3),
               lesson::fixed_number(100 * flops / best / peak, 0) + " %"});
    if (!first.defined()) first = c.copy();
    difference = std::max(difference, largest_difference(c, first));
  };
  measure("by definition", by_definition);
  measure("loops exchanged", exchanged);
  measure("tiles in the cache", in_cache);
  measure("tiles in registers", in_registers);
  omp_set_num_threads(threads);
  L.show(table);
  L.say(text("Exchanging two loops makes it ", times(speeds[1] / speeds[0]), " as fast. From there, tiles ",
             "in the cache make it ", times(speeds[2] / speeds[1]), " as fast, and tiles in registers ",
             times(speeds[3] / speeds[1]), "."));

  // -------------------------------------------------------------------------------------------
  L.step("What it costs to share the work");
  //
  // A second core has to be told what to do, and at the end the first one has to wait for it. That
  // takes about a microsecond, or much longer on a machine that is busy with other things, and in a
  // microsecond one core could make tens of thousands of multiplications. So a short loop is better left
  // to one core, and every parallel loop of this library first asks whether it is worth it
  // (core/parallel.h). From how many numbers on do you expect two cores to be faster than one, at one
  // multiplication for each?
  const auto alone = [](real* x, Index count) {
#pragma omp simd
    for (Index i = 0; i < count; ++i) x[i] = x[i] * real(0.5) + real(1);
  };
  const auto together = [](real* x, Index count) {
#pragma omp parallel for simd
    for (Index i = 0; i < count; ++i) x[i] = x[i] * real(0.5) + real(1);
  };
  std::vector<double> sizes, time_alone, time_together;
  for (Index size = 64; size <= Index{1} << 20; size *= 4) {
    const Tensor x = random_tensor({size}, L.seed(), 3);
    // Many rounds for a short loop, so that the clock's own time does not matter.
    const Index rounds = std::max<Index>(1, 65536 / size);
    const auto microseconds = [&](const auto& loop) {
      const auto work = [&] {
        for (Index r = 0; r < rounds; ++r) loop(x.data(), size);
      };
      return lesson::time(work, seconds / 5).median * 1e6 / static_cast<double>(rounds);
    };
    sizes.push_back(static_cast<double>(size));
    time_alone.push_back(microseconds(alone));
    time_together.push_back(microseconds(together));
  }
  lesson::LinePlot plot{.name = "sharing",
                        .title = "A loop on one core and on all",
                        .x = "numbers in the loop",
                        .y = "microseconds",
                        .caption = text("On ", threads, " threads. If the curves meet, sharing pays from ",
                                        "there on."),
                        .log_x = true,
                        .log_y = true,
                        .timing = true};
  plot.line("one core", sizes, time_alone, {.points = true});
  plot.line("all cores", sizes, time_together, {.points = true});
  L.show(plot);
  L.say(text("A loop of 64 numbers takes ", times(time_together[0] / time_alone[0]), " as long on all cores ",
             "as on one, a loop of a million ", times(time_together.back() / time_alone.back()), "."));

  // -------------------------------------------------------------------------------------------
  L.step("Why the number of threads can change a result, and how not to let it");
  //
  // (a + b) + c and a + (b + c) are rounded differently. If the number of threads decides who adds
  // up what, it can decide the last digits too, and after a thousand training steps all digits. One way to
  // add, which OpenMP, the compiler's means of using threads, offers under the name of reduction: each
  // thread adds up its part, and the parts are added in whatever order and grouping the number of threads
  // brings.
  const auto by_reduction = [](const Tensor& x, int count) {
    real sum = 0;
#pragma omp parallel for simd reduction(+ : sum) num_threads(count)
    for (Index i = 0; i < x.size(); ++i) sum += x[i];
    return sum;
  };

  // The cure: cut the work into parts that do not depend on the number of threads, here 16, and add the
  // parts in a fixed order. Every sum in this library is made like that, so your numbers should be ours.
  const auto in_fixed_order = [](const Tensor& x, [[maybe_unused]] int count) {
    constexpr Index parts = 16;
    real part[parts];
#pragma omp parallel for num_threads(count)
    for (Index p = 0; p < parts; ++p) {
      part[p] = 0;
      for (Index i = p * x.size() / parts; i < (p + 1) * x.size() / parts; ++i) part[p] += x[i];
    }
    real sum = 0;
    for (const real value : part) sum += value;
    return sum;
  };
  const Tensor numbers = random_tensor({100'003}, L.seed(), 4);
  const std::vector<double> fixed_sums = on_1_to_8_threads(numbers, in_fixed_order);
  const Index sums_by_reduction = different(on_1_to_8_threads(numbers, by_reduction));
  const Index sums_in_fixed_order = different(fixed_sums);
  L.curve("sum in a fixed order, by threads", {1, 2, 3, 4, 5, 6, 7, 8}, fixed_sums);
  L.say(text("The same 100,003 numbers, added on 1 to 8 threads: ", sums_by_reduction,
             " different sums when the threads split them, ", sums_in_fixed_order, " in a fixed order."));

  // -------------------------------------------------------------------------------------------
  L.step("Two ways to train on several cores");
  //
  // A step of training works on a batch, many sequences at once, and adds up what each has to say about
  // the weights (lesson 2). Either every operation is shared: all cores multiply, wait for each other, all
  // cores add, wait for each other. Or the sequences are: each core takes a few of them through the whole
  // model, forward and backward, and they wait once, at the end of the step (nn/training.h). The second way
  // should have another advantage that even one core feels: what an operation leaves behind is still in the
  // cache when the next one wants it. Which way will be faster on your machine, and by how much?
  constexpr Index batch = 256, tokens = 50, width = 40;
  LinearTransformer model({.width = width, .blocks = 2, .heads = 4, .key_size = 20, .init_deviation = 0.05},
                          L.seed());
  const Tensor x = random_tensor({batch, tokens, width}, L.seed(), 5);
  const Tensor y = random_tensor({batch, tokens, 10}, L.seed(), 6);
  Arena memory;
  const auto operations_shared = [&] {
    zero_grad(model.parameters());
    Tape tape(memory);
    tape.backward(squared_error(model(x), y));
  };
  Training training(model, batch, tokens);
  const auto sequences_shared = [&] {
    training([&](const LinearTransformer& copy, Index begin, Index count) {
      return squared_error(copy(sequences_of(x, begin, count)), sequences_of(y, begin, count), batch);
    });
  };
  const double by_operation = lesson::time(operations_shared, 2 * seconds).median;
  const double by_sequence = lesson::time(sequences_shared, 2 * seconds).median;
  omp_set_num_threads(1);
  const double on_one = lesson::time(sequences_shared, 2 * seconds).median;
  omp_set_num_threads(threads);
  const double step_flops = 3.0 * 2 * batch * (8.0 * tokens * width * 80 + 2.0 * tokens * tokens * 80);
  lesson::Table steps{.title = "One training step of two layers, 256 sequences of 50 tokens",
                      .columns = {"", "ms", "GFLOP/s"}};
  const auto row = [&](const std::string& name, double s) {
    steps.row({name, lesson::short_number(s * 1e3, 3), lesson::short_number(step_flops / s / 1e9, 3)});
  };
  row(text("every operation shared, ", threads, " threads"), by_operation);
  row(text("sequences shared, ", threads, " threads"), by_sequence);
  row("sequences in turn, 1 thread", on_one);
  L.show(steps);
  L.say(text("Sharing sequences is ", times(by_operation / by_sequence), " as fast as sharing operations, ",
             "and ", times(on_one / by_sequence), " as fast as one thread. If that is far from ", threads,
             ", ask what else the machine is doing."));

  L.found(text("One product: ", lesson::short_number(speeds[0] / 1e9, 3), " GFLOP/s by its definition, ",
               lesson::short_number(speeds[3] / 1e9, 3), " with tiles in registers; one core's peak: ",
               lesson::short_number(peak / 1e9, 3), "."));
  L.claim_below("the four products differ by at most", difference,
                1e-5 * std::sqrt(static_cast<double>(n)) * 4, {.from = lesson::Scale::smoke});
  L.claim_above("exchanging two loops makes it faster, times", speeds[1] / speeds[0], 2);
  L.claim_above("registers make it faster than the definition, times", speeds[3] / speeds[0], 10);
  L.claim("different sums in a fixed order", static_cast<double>(sums_in_fixed_order),
          {.expected = 1, .tolerance = 0, .from = lesson::Scale::smoke});
  L.claim_above("different sums by reduction", static_cast<double>(sums_by_reduction), 1.5,
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
  // than one percent more work than one of 512. Look at the definition, then at the exchanged loops: is the
  // same number bad for both? (A cache puts a number where the last digits
  // of its address say: where do the numbers of a column go if rows are 512 long? And a vector is best
  // loaded from an address that is a multiple of its own length.)
  //
  // How many parts? Set `parts` in in_fixed_order to 12, 1 and 1000, and print the sum with all its
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
