// make bench: how fast the machine is, and how much of that the library uses.
//
// First the machine: fused multiply-adds on numbers that never leave the registers, and a copy of
// arrays too large for any cache. An algorithm that needs F flops and moves N bytes cannot take less
// than max(F / flops per second, N / bytes per second): the roofline. Every row runs in a process of
// its own, so that its peak memory is its own.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "core/files.h"
#include "tests/bench/rows.h"
#include "tutorials/lesson/json.h"
#include "tutorials/lesson/options.h"

using namespace mesagrad;

namespace {

using lesson::json, lesson::json_array, lesson::json_object, lesson::Times;

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

// Bytes per second between the cores and main memory: a copy of arrays too large for any cache, which
// reads and writes. (A processor may also read what it is about to overwrite; that is not counted.)
double measure_bandwidth() {
  constexpr Index count = 16'000'000;
  const std::vector<double> from(count, 1);
  std::vector<double> to(count);
  const Times t = lesson::time([&] {
#pragma omp parallel for simd schedule(static)
    for (Index i = 0; i < count; ++i) to[static_cast<std::size_t>(i)] = from[static_cast<std::size_t>(i)];
  });
  return 2.0 * count * sizeof(double) / t.best;
}

struct Machine {
  double flops = 0, bytes = 0;  // a second
};

Machine measure_machine(int threads) {
  const auto rate = [&](double (*measure)()) {
    return in_own_process([&] {
             omp_set_num_threads(threads);
             return Times{measure(), 0};
           }).times.best;
  };
  return {rate(lesson::measure_peak), rate(measure_bandwidth)};
}

void run(const lesson::Options& options) {
  const std::string directory = options.out + "/bench";
  create_writable(directory);
  remove_abandoned(directory);
  // OpenMP must not start in this process before it forks: a child would lack its threads.
  const int most = options.threads > 0 ? options.threads : omp_get_max_threads();
  std::vector<int> thread_counts = {1};
  if (most > 1) thread_counts.push_back(most);
  std::vector<std::string> peaks, rows;  // in JSON
  std::vector<Machine> machine;
  for (const int threads : thread_counts) {
    const auto [flops, bytes] = machine.emplace_back(measure_machine(threads));
    std::printf("%d thread%s: at most %.0f GFLOP/s, %.1f GB/s from memory\n", threads,
                threads == 1 ? " " : "s", flops / 1e9, bytes / 1e9);
    peaks.push_back(json_object({{"threads", std::to_string(threads)},
                                 {"gflops", json(flops / 1e9)},
                                 {"gbytes_per_second", json(bytes / 1e9)}}));
  }

  std::printf(
      "\nMilliseconds are medians. Roofline: the least that %d threads could need.\n"
      "%-36s %9s %9s %8s %8s %6s %9s %9s %7s\n",
      most, "", "1 thread", text(most, " threads").c_str(), "speed-up", "GFLOP/s", "peak", "MB moved",
      "roofline", "memory");
  for (const bench::Row& row : bench::rows()) {
    std::vector<Measured> measured;
    for (const int threads : thread_counts) {
      measured.push_back(in_own_process([&] {
        omp_set_num_threads(threads);
        return row.measure();
      }));
    }
    const double time = measured.back().times.median, speed_up = measured[0].times.median / time;
    const double share = row.flops / time / machine.back().flops;
    const double roofline = std::max(row.flops / machine.back().flops, row.bytes / machine.back().bytes);
    std::printf("%-36s %9.3f %9.3f %8.2f %8.1f %5.0f%% %9.2f %9.3f %4ld MB\n", row.name.c_str(),
                measured[0].times.median * 1e3, time * 1e3, speed_up, row.flops / time / 1e9, 100 * share,
                row.bytes / 1e6, roofline * 1e3, measured.back().peak_rss_kb / 1024);
    std::fflush(stdout);
    for (std::size_t i = 0; i < measured.size(); ++i) {
      const auto& [times, peak_rss_kb] = measured[i];
      rows.push_back(json_object(
          {{"name", json_quoted(row.name)},
           {"threads", std::to_string(thread_counts[i])},
           {"ms_best", json(times.best * 1e3)},
           {"ms_median", json(times.median * 1e3)},
           {"gflop", json(row.flops / 1e9)},
           {"gflops", json(row.flops / times.median / 1e9)},
           {"share_of_peak", json(row.flops / times.median / machine[i].flops)},
           {"speed_up", json(measured[0].times.median / times.median)},
           {"mbytes_moved", json(row.bytes / 1e6)},
           {"ms_roofline", json(std::max(row.flops / machine[i].flops, row.bytes / machine[i].bytes) * 1e3)},
           {"peak_rss_mb", json(static_cast<double>(peak_rss_kb) / 1024)}}));
    }
  }
  const std::string about = json_object({{"processor", json_quoted(processor())},
                                         {"compiler", json_quoted(__VERSION__)},
                                         {"number", json_quoted(real_name)}});
  const std::string json =
      json_object({{"machine", about}, {"peak", json_array(peaks)}, {"rows", json_array(rows)}});
  write_file(directory + "/bench.json", json + "\n");
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
