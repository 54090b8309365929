// make bench: how fast the machine is, and how much of that the library uses.
//
// First the peak: fused multiply-adds on numbers that never leave the registers, on all threads. Then
// matrix products, attention, and whole training steps, each as a share of that peak. Every row runs
// in a process of its own, so that its peak memory is its own. Rows are named as the same models are
// in other people's benchmarks, so that they can be put side by side.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>

#include "core/gemm.h"
#include "nn/attention.h"
#include "nn/linear_transformer.h"
#include "nn/loss.h"
#include "nn/optimizer.h"
#include "nn/training.h"
#include "tutorials/lesson/files.h"
#include "tutorials/lesson/json.h"
#include "tutorials/lesson/options.h"
#include "tutorials/lesson/stopwatch.h"

using namespace mesagrad;

namespace {

using lesson::Times, lesson::time;

// -- Rows -------------------------------------------------------------------------------------------

struct Row {
  std::string name;
  double flops;
  std::function<Times()> measure;
};

Tensor random_tensor(const Shape& shape, std::uint64_t number) {
  Tensor result(shape);
  Random random(1, stream::analysis_data, number);
  for (Index i = 0; i < result.size(); ++i) result[i] = static_cast<real>(random.normal() / 2);
  return result;
}

// The product (M, K)·(K, N) and the two products of its backward step.
void add_matmul(std::vector<Row>& rows, Index M, Index K, Index N) {
  const double flops = 2.0 * static_cast<double>(M * K) * static_cast<double>(N);
  const std::string size = text(M, "x", K, "x", N);
  rows.push_back({"matmul A.B " + size, flops, [=] {
    const Tensor a = random_tensor({M, K}, 1), b = random_tensor({K, N}, 2), c({M, N});
    return time([&] { gemm(M, N, K, rows_of(a.data(), K), rows_of(b.data(), N), c.data(), N, false); });
  }});
  rows.push_back({"matmul dC.B' " + size, flops, [=] {
    const Tensor dc = random_tensor({M, N}, 1), b = random_tensor({K, N}, 2), da({M, K});
    return time([&] { gemm(M, K, N, rows_of(dc.data(), N), columns_of(b.data(), N), da.data(), K, false); });
  }});
  rows.push_back({"matmul A'.dC " + size, flops, [=] {
    const Tensor a = random_tensor({M, K}, 1), dc = random_tensor({M, N}, 2), db({K, N});
    return time([&] { gemm(K, N, M, columns_of(a.data(), K), rows_of(dc.data(), N), db.data(), N, false); });
  }});
}

constexpr Index B = 256, T = 50;

void add_attention(std::vector<Row>& rows, Index H, Index K) {
  // Scores and weighted sums, 2·T²·K each; half of both lies above the diagonal and is not counted.
  const double forward = 2.0 * T * T * static_cast<double>(K * H) * B;
  const std::string size = text(" ", B, "x", T, " ", H, " heads of ", K);
  rows.push_back({"linear attention, forward" + size, forward, [=] {
    const Tensor q = random_tensor({B, T, H * K}, 1), k = random_tensor({B, T, H * K}, 2),
                 v = random_tensor({B, T, H * K}, 3);
    Arena memory;
    return time([&] {
      Tape tape(memory);
      causal_linear_attention(q, k, v, H);
    });
  }});
  rows.push_back({"linear attention, forward and backward" + size, 3 * forward, [=] {
    Tensor q = random_tensor({B, T, H * K}, 1), k = random_tensor({B, T, H * K}, 2),
           v = random_tensor({B, T, H * K}, 3);
    const Tensor cotangent = random_tensor({B, T, H * K}, 4);
    for (Tensor* x : {&q, &k, &v}) x->requires_grad();
    Arena memory;
    return time([&] {
      for (Tensor* x : {&q, &k, &v}) x->zero_grad();
      Tape tape(memory);
      tape.backward(causal_linear_attention(q, k, v, H), cotangent);
    });
  }});
}

// A whole training step, data excluded: forward, backward, clipping, AdamW.
void add_model(std::vector<Row>& rows, const std::string& name, Index blocks, Index D, Index H,
               Index K) {
  const auto inner = static_cast<double>(H * K);
  const double flops = 3 * static_cast<double>(blocks * B) * (8.0 * T * static_cast<double>(D) * inner + 2.0 * T * T * inner);
  rows.push_back({name, flops, [=] {
    LinearTransformer model({.width = D,
                             .blocks = blocks,
                             .heads = H,
                             .key_size = K,
                             .masked_channels = blocks == 1 ? 20 : 0,
                             .clip = real(1.5)},
                            1);
    std::vector<Tensor> x, y;  // one of each for each sequence
    for (std::uint64_t i = 0; i < B; ++i) {
      x.push_back(random_tensor({1, T, D}, 2 * i));
      y.push_back(random_tensor({1, T, 10}, 2 * i + 1));
    }
    const auto together = [](const std::vector<Tensor>& parts, Index first, Index count) {
      const Index size = parts[0].size();
      Tensor result = Tensor::uninitialized({count, T, parts[0].dim(2)});
      for (Index i = 0; i < count; ++i) {
        std::copy_n(parts[static_cast<std::size_t>(first + i)].data(), size, result.data() + i * size);
      }
      return result;
    };
    Training training(model, B, T);
    AdamW optimizer(model.parameters(), {.decay = 0.05});
    return time([&] {
      training([&](const LinearTransformer& part, Index first, Index count) {
        return squared_error(part(together(x, first, count)), together(y, first, count), B);
      });
      clip_by_value(model.parameters(), 1);
      optimizer.step(3e-4);
    });
  }});
}

struct Measured {
  Times times;
  long peak_rss_kb;
};

// Runs `work` in a process of its own.
Measured in_own_process(const std::function<Times()>& work) {
  int ends[2];
  check(pipe(ends) == 0, "bench: cannot open a pipe");
  std::fflush(stdout);
  const pid_t child = fork();
  check(child >= 0, "bench: cannot start a process");
  if (child == 0) {
    const Times times = work();
    const bool sent = write(ends[1], &times, sizeof times) == sizeof times;
    _exit(sent ? 0 : 1);
  }
  close(ends[1]);
  Measured result{};
  const bool received = read(ends[0], &result.times, sizeof result.times) == sizeof result.times;
  close(ends[0]);
  rusage usage{};
  int status = 0;
  wait4(child, &status, 0, &usage);
  check(received && status == 0, "bench: a row's process failed");
#ifdef __APPLE__
  result.peak_rss_kb = usage.ru_maxrss / 1024;  // macOS counts bytes
#else
  result.peak_rss_kb = usage.ru_maxrss;
#endif
  return result;
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

void run(const lesson::Options& options) {
  const std::string directory = options.out + "/bench";
  lesson::require_writable(directory);
  std::vector<Row> rows;
  add_matmul(rows, B * T, 40, 80);
  add_matmul(rows, B * T, 40, 240);
  add_matmul(rows, B * T, 80, 40);
  add_matmul(rows, 1024, 1024, 1024);
  add_attention(rows, 4, 20);
  add_model(rows, "linear-1", 1, 40, 2, 20);
  add_model(rows, "linear-2", 2, 40, 4, 20);
  add_model(rows, "linear-6", 6, 40, 4, 40);
  add_model(rows, "linear-2 of width 256", 2, 256, 4, 64);

  // OpenMP must not have started in this process when it forks, so threads are counted in a child.
  const auto threads_of_child = [&] {
    if (options.threads > 0) omp_set_num_threads(options.threads);
    return omp_get_max_threads();
  };
  const int most = threads_of_child();
  lesson::Json json;
  json.begin_object();
  json.key("machine").begin_object();
  json.key("processor").string(processor()).key("compiler").string(__VERSION__);
  json.key("number").string(sizeof(real) == 4 ? "float" : "double").end_object();
  std::vector<double> peaks(static_cast<std::size_t>(most) + 1);
  json.key("peak_gflops").begin_object();
  for (const int threads : {1, most}) {
    double& peak = peaks[static_cast<std::size_t>(threads)];
    if (peak > 0) continue;
    peak = in_own_process([threads] {
             omp_set_num_threads(threads);
             return Times{lesson::measure_peak(), 0};
           }).times.best;
    json.key(text(threads)).number(peak / 1e9);
    std::printf("peak on %d thread%s: %.0f GFLOP/s\n", threads, threads == 1 ? "" : "s", peak / 1e9);
  }
  json.end_object();

  std::printf("\n%-58s %7s %9s %9s %8s %6s %8s\n", "", "threads", "best ms", "median ms", "GFLOP/s",
              "peak", "memory");
  json.key("rows").begin_array();
  for (const Row& row : rows) {
    for (int threads = most; threads > 0; threads = threads > 1 ? 1 : 0) {
      const auto [times, memory] = in_own_process([&] {
        omp_set_num_threads(threads);
        return row.measure();
      });
      const double gflops = row.flops / times.median / 1e9;
      const double share = gflops * 1e9 / peaks[static_cast<std::size_t>(threads)];
      std::printf("%-58s %7d %9.3f %9.3f %8.1f %5.0f%% %5ld MB\n", row.name.c_str(), threads,
                  times.best * 1e3, times.median * 1e3, gflops, 100 * share, memory / 1024);
      std::fflush(stdout);
      json.begin_object();
      json.key("name").string(row.name).key("threads").whole(static_cast<std::uint64_t>(threads));
      json.key("ms_best").number(times.best * 1e3).key("ms_median").number(times.median * 1e3);
      json.key("gflop").number(row.flops / 1e9).key("gflops").number(gflops);
      json.key("share_of_peak").number(share);
      json.key("peak_rss_mb").number(static_cast<double>(memory) / 1024).end_object();
    }
  }
  json.end_array().end_object();
  lesson::write_together(directory, {{"bench.json", json.text()}});
  std::printf("\nWritten to %s/bench.json\n", directory.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(lesson::parse_options({argv + (argc > 0 ? 1 : 0), argv + argc}));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 2;
  }
}
