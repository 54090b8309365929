// A lesson and its system: signals, limits, threads, slow readers, other runs, and runs that were killed.
#include "tests/catch.h"  // first, because it is precompiled

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>

#include "core/parallel.h"
#include "tests/lesson/trial.h"
#include "tutorials/lesson/train.h"
#include "tutorials/lesson/process.h"

using namespace mesagrad;
using namespace mesagrad::lesson;

TEST_CASE("a signal stops a lesson at its next step", "[process]") {
  Trial trial;
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGXCPU}) {
    CHECK(trial.status([=](Lesson& L) {
      Progress bar = L.progress("training", 10);
      raise(signal_number);
      bar.update(1);
      _exit(99);  // never reached
    }) == 128 + signal_number);
    CHECK(trial.status([=](Lesson& L) {
      L.claim("c", 1, {.expected = 1});
      raise(signal_number);
    }) == 128 + signal_number);
    CHECK(trial.read("/stderr") == "tutorial 7: interrupted; no result was written\n");
  }
  CHECK(trial.empty());
}

TEST_CASE("under nohup a lesson outlives its terminal", "[process]") {
  Trial trial;
  trial.on_hangup = SIG_IGN;
  CHECK(trial.status([](Lesson& L) {
    raise(SIGHUP);
    good_lesson(L);
  }) == 0);
}

TEST_CASE("the limit of processor time may speak twice", "[process]") {
  Trial trial;
  CHECK(trial.status([](Lesson& L) {
    raise(SIGXCPU);
    raise(SIGXCPU);
    L.check_interrupted();
  }) == 128 + SIGXCPU);
}

TEST_CASE("a limit of the size of files is an error like any other", "[process]") {
  Trial trial;
  CHECK(trial.status([](Lesson& L) {
    const rlimit tight = {4096, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &tight);
    good_lesson(L);
  }) == 2);
  CHECK(contains(trial.read("/stderr"), "index.html: File too large"));
  CHECK(trial.empty());
}

TEST_CASE("a library that gives up with exit(1) does not say that a claim fails", "[process]") {
  Trial trial;
  CHECK(trial.status([](Lesson&) { std::exit(1); }) == 2);
}

TEST_CASE("threads that can't be had are refused in one sentence", "[process]") {
  Trial trial;
  CHECK(trial.status(good_lesson, "THREADS=64") == 0);
  CHECK(trial.status([](Lesson& L) {
    omp_set_num_threads(100000);  // as if the environment had asked for them
    _exit(run({.number = 7, .title = "T", .question = "Q?", .source = L.introduction().source}, 0, nullptr,
              good_lesson));
  }) == 2);
  CHECK(trial.read("/stderr") ==
        "tutorial 7: OMP_NUM_THREADS asks for 100000 threads; at most 1024 are possible\n");
}

TEST_CASE("a slow reader is waited for", "[process]") {
  Trial trial;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  const std::string everything(300'000, 'x');
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    print(everything);
    print_error("the end");
    _exit(0);
  }
  close(ends[1]);
  std::string received;
  std::vector<char> some(50'000);
  for (ssize_t count = 0; usleep(20'000), (count = read(ends[0], some.data(), some.size())) > 0;) {
    received.append(some.data(), static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int result = -1;
  waitpid(child, &result, 0);
  CHECK(result == 0);
  CHECK(received == everything + "the end");
}

TEST_CASE("a signal ends the wait for a reader that never reads", "[process]") {
  Trial trial;
  CHECK(trial.status([](Lesson&) {
    int ends[2];
    if (pipe(ends) != 0) _exit(98);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDOUT_FILENO);
    if (fork() == 0) {
      usleep(100'000);
      kill(getppid(), SIGTERM);
      _exit(0);
    }
    print(std::string(300'000, 'x'));
  }) == 128 + SIGTERM);
}

TEST_CASE("what is in the way of the results is noticed before the lesson", "[process]") {
  for (const char* name : {"results.json", "index.html"}) {
    Trial trial;
    std::filesystem::create_directories(trial.directory + "/out/tutorial-7/" + name);
    CHECK(trial.status([](Lesson&) { _exit(99); }) == 2);
    CHECK(contains(trial.read("/stderr"), std::string(name) + ": it is a directory"));
  }
}

TEST_CASE("a directory of results has one run at a time", "[process]") {
  Trial trial;
  const std::string directory = trial.directory + "/out/tutorial-7";
  REQUIRE(trial.status(good_lesson) == 0);
  {
    const OnlyRun other(directory);
    CHECK(trial.status(good_lesson) == 2);
    const std::string message = trial.read("/stderr");
    CHECK(contains(message, "another run of this lesson writes to " + directory));
    CHECK(std::ranges::count(message, '\n') == 1);
    CHECK(trial.status(good_lesson, "SCALE=smoke") == 2);
    const OnlyRun elsewhere(trial.directory);
  }
  CHECK(trial.status(good_lesson) == 0);
  CHECK(trial.status([](Lesson&) { raise(SIGKILL); }) == -1);
  CHECK(trial.status(good_lesson) == 0);
}

TEST_CASE("a lesson removes its own checkpoints when it ends, and no others", "[train]") {
  Trial trial;
  const std::string checkpoints = trial.directory + "/out/tutorial-7/checkpoints";
  const auto with_training = [](Lesson& L) {
    double number = 1;
    Checkpoint training = lesson::checkpoint(L, "training", "rate 1");
    training.keep("number", number);
    training.start(10);
    training.save(5);
    good_lesson(L);
  };
  const auto killed = [&](Lesson& L) {
    with_training(L);
    _exit(99);
  };
  CHECK(trial.status(killed) == 99);
  CHECK(trial.status(killed, "SEED=2") == 99);
  CHECK(trial.status(with_training, "SCALE=smoke") == 0);
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoints)) {
    left.push_back(entry.path().filename().string());
  }
  std::ranges::sort(left);
  const std::string precision = sizeof(real) == sizeof(float) ? "float" : "double";
  CHECK(left == std::vector{"lesson-seed-1-" + precision, "lesson-seed-2-" + precision});
  CHECK(trial.status(with_training) == 0);
  CHECK(trial.status(with_training, "SEED=2") == 0);
  CHECK_FALSE(std::filesystem::exists(checkpoints));
}

TEST_CASE("a checkpoint is resumed with RESUME=1 alone, by the recipe that made it", "[train]") {
  Trial trial;
  const auto from = [](const std::string& recipe, Index expected) {
    return [=](Lesson& L) {
      double number = 1;
      Checkpoint training = lesson::checkpoint(L, "training", recipe);
      training.keep("number", number);
      const Index start = training.start(10);
      training.save(7);
      _exit(start == expected ? 99 : 98);
    };
  };
  CHECK(trial.status(from("rate 1", 0)) == 99);
  CHECK(trial.status(from("rate 1", 7), "RESUME=1") == 99);
  CHECK(trial.status(from("rate 2", 7), "RESUME=1") == 2);
  CHECK(contains(trial.read("/stderr"), "another run (rate 1) than this one (rate 2)"));
  CHECK(trial.status(from("rate 1", 0)) == 99);
}
