// A lesson from its command line to its exit status, its claims, and its page.
#include "tests/catch.h"  // first, because it is precompiled

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "core/parallel.h"
#include "tutorials/lesson/checkpoint.h"
#include "tutorials/lesson/files.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/recipe.h"
#include "tutorials/lesson/source.h"

using namespace mesagrad;
using namespace mesagrad::lesson;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Runs a lesson in a process of its own, because it takes over signals and standard output.
struct Trial {
  Trial() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lesson-XXXXXX").string();
    directory = mkdtemp(pattern.data());
    std::ofstream(directory + "/lesson.cpp") << "// Prose & more,\n// two lines.\nint x = 1 < 2;\n";
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial() { std::filesystem::remove_all(directory); }

  int status(const std::function<void(Lesson&)>& body, const std::string& argument = "SCALE=") {
    const pid_t child = fork();
    if (child == 0) {
      signal(SIGHUP, on_hangup);
      redirect(STDOUT_FILENO, "/stdout");
      redirect(STDERR_FILENO, "/stderr");
      std::string arguments[] = {"lesson", "OUT=" + directory + "/out", argument};
      char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
      _exit(run({.number = 7, .title = "T", .question = "Q?", .source = directory + "/lesson.cpp"},
                3, argv, body));
    }
    int result = 0;
    waitpid(child, &result, 0);
    return WIFEXITED(result) ? WEXITSTATUS(result) : -1;
  }
  void redirect(int descriptor, const std::string& name) const {
    dup2(open((directory + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), descriptor);
  }
  std::string read(const std::string& name) const { return read_file(directory + name); }
  std::string result(const std::string& name) const { return read("/out/tutorial-7/" + name); }
  bool empty() const { return std::filesystem::is_empty(directory + "/out/tutorial-7"); }

  std::string directory;
  void (*on_hangup)(int) = SIG_DFL;  // what the lesson inherits: these tests may run under nohup
};

void good_lesson(Lesson& L) {
  LinePlot plot{.name = "curves", .title = "A & B", .caption = "What <it> shows."};
  plot.line("a", std::vector<float>{1, 2}, std::vector<int>{3, 4});
  L.show(plot);
  L.curve("a", {1, 2}, {not_a_number, 4});
  L.setting("steps", L.scaled({.smoke = 1, .lesson = 2, .paper = 3}));
  L.compare("loss", 1.1, 1.0);
  L.claim("one", 1.01, {.expected = 1, .tolerance = 0.02});
}

}  // namespace

TEST_CASE("options are what make passes on") {
  const Options options = parse_options({"SEED=7", "SCALE=paper", "THREADS=2", "OUT=a=b"});
  CHECK(options.seed == 7);
  CHECK(options.scale == Scale::paper);
  CHECK(options.threads == 2);
  CHECK(options.out == "a=b");
  const Options defaults = parse_options({"SEED=", "SCALE=", "THREADS=", "OUT="});
  CHECK(defaults.seed == 1);
  CHECK(defaults.scale == Scale::lesson);
  CHECK(defaults.threads == 0);
  CHECK(defaults.out == "out");
  CHECK_FALSE(defaults.resume);
  CHECK(defaults.save_every == 60);
  const Options none = parse_options({});
  CHECK(none.seed == 1);
  CHECK(none.scale == Scale::lesson);
  CHECK(none.threads == 0);
  CHECK(none.out == "out");
  CHECK_FALSE(none.resume);
  CHECK(none.save_every == 60);
  CHECK(parse_options({"RESUME=1"}).resume);
  CHECK_FALSE(parse_options({"RESUME=0"}).resume);
  CHECK(parse_options({"SAVE_EVERY=0"}).save_every == 0);
  CHECK(parse_options({"SEED=18446744073709551615"}).seed == UINT64_MAX);
}

TEST_CASE("options that mean nothing are refused") {
  for (const char* wrong : {"SEED=abc", "SEED=-1", "SEED=1.5", "SEED=18446744073709551616",
                            "SEED= 1", "SCALE=huge", "SCALE=Paper", "THREADS=0", "THREADS=-1",
                            "THREADS=99999", "THREADS=1025", "THREADS=2x", "RESUME=yes", "RESUME=2",
                            "SAVE_EVERY=-1", "SAVE_EVERY=x", "SPEED=1", "SEED", "--help", ""}) {
    INFO(wrong);
    CHECK_THROWS_AS(parse_options({wrong}), Error);
  }
}

TEST_CASE("a claim holds, fails or is not judged") {
  const auto verdict = [](Relation relation, double measured) {
    const Claim claim = {"c", measured, relation, 1.0, 0.5, Scale::lesson};
    return judge(claim, Scale::lesson);
  };
  CHECK(verdict(Relation::within, 1.5) == Verdict::holds);
  CHECK(verdict(Relation::within, 1.51) == Verdict::fails);
  CHECK(verdict(Relation::between, 0.49) == Verdict::fails);
  CHECK(verdict(Relation::below, 0.99) == Verdict::holds);
  CHECK(verdict(Relation::below, 1.0) == Verdict::fails);
  CHECK(verdict(Relation::above, 1.01) == Verdict::holds);
  CHECK(verdict(Relation::above, 1.0) == Verdict::fails);
  for (const double measured : {not_a_number, infinity, -infinity}) {
    for (const Relation relation :
         {Relation::within, Relation::between, Relation::below, Relation::above}) {
      CHECK(verdict(relation, measured) == Verdict::fails);
    }
  }
  CHECK(judge({.measured = not_a_number}, Scale::smoke) == Verdict::not_judged);
  CHECK(judge({.measured = not_a_number, .from = Scale::smoke}, Scale::smoke) == Verdict::fails);
  CHECK(judge({.from = Scale::paper}, Scale::lesson) == Verdict::not_judged);
}

TEST_CASE("a claim that could not fail is refused") {
  CHECK_THROWS_AS(check_claim({.expected = infinity}), Error);
  CHECK_THROWS_AS(check_claim({.expected = not_a_number}), Error);
  CHECK_THROWS_AS(check_claim({.tolerance = infinity}), Error);
  CHECK_THROWS_AS(check_claim({.tolerance = -1}), Error);
}

TEST_CASE("differences are percentages of the paper's number") {
  CHECK(difference({"", 1.1, 1.0}) == "+10.0 %");
  CHECK(difference({"", -1.1, -1.0}) == "-10.0 %");
  CHECK(difference({"", 1.0, 0.0}) == "–");
  CHECK(difference({"", not_a_number, 1.0}) == "–");
}

TEST_CASE("a good lesson writes its results and its page") {
  Trial trial;
  REQUIRE(trial.status(good_lesson) == 0);
  CHECK(trial.read("/stderr").empty());
  CHECK_FALSE(contains(trial.read("/stdout"), "\x1b"));
  const std::string json = trial.result("results.json");
  CHECK(contains(json, "\"pass\": true"));
  CHECK(contains(json, "\"mean\": [null, 4]"));
  CHECK(contains(json, "\"steps\": 2"));
  const std::string page = trial.result("index.html");
  CHECK(contains(page, trial.result("curves.svg")));
  CHECK(contains(page, "What &lt;it&gt; shows."));
  CHECK(contains(page, "<p>Prose &amp; more, two lines.</p>"));
  CHECK(contains(page, " &lt; "));
  CHECK_FALSE(contains(page, "1 < 2"));
  CHECK(std::distance(std::filesystem::directory_iterator(trial.directory + "/out/tutorial-7"),
                      std::filesystem::directory_iterator()) == 3);
}

TEST_CASE("claims decide the exit status, at the scales that judge them") {
  Trial trial;
  const auto fails = [](Lesson& L) { L.claim_below("c", 2, 1); };
  CHECK(trial.status(fails) == 1);
  CHECK(contains(trial.result("results.json"), "\"pass\": false"));
  CHECK(trial.status(fails, "SCALE=smoke") == 0);
  CHECK(contains(trial.result("results.json"), "\"pass\": null"));
  CHECK(contains(trial.read("/stdout"), "not judged at this scale"));
  const auto exact = [](Lesson& L) { L.claim_below("c", 2, 1, {.from = Scale::smoke}); };
  CHECK(trial.status(exact, "SCALE=smoke") == 1);
}

TEST_CASE("a lesson that goes wrong writes one sentence and no result") {
  Trial trial;
  const auto throws = [](auto problem) {
    return [problem](Lesson& L) {
      L.claim("c", 1, {.expected = 1});
      throw problem;
    };
  };
  CHECK(trial.status(throws(Error("two\nlines"))) == 2);
  CHECK(trial.read("/stderr") == "tutorial 7: two lines\n");
  CHECK(trial.status(throws(42)) == 2);
  CHECK(trial.status(throws(std::bad_alloc())) == 2);
  CHECK(trial.status([](Lesson&) {}) == 2);
  CHECK(contains(trial.read("/stderr"), "no claim"));
  CHECK(trial.status(good_lesson, "SCALE=huge") == 2);
  CHECK(trial.status([](Lesson& L) {
    good_lesson(L);
    L.claim("one", 1, {.expected = 1});  // the same name again
  }) == 2);
  CHECK(trial.empty());
}

TEST_CASE("a signal stops a lesson at its next step") {
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

TEST_CASE("under nohup a lesson outlives its terminal") {
  Trial trial;
  trial.on_hangup = SIG_IGN;
  CHECK(trial.status([](Lesson& L) {
    raise(SIGHUP);
    good_lesson(L);
  }) == 0);
}

TEST_CASE("the limit of processor time may speak twice") {
  Trial trial;
  CHECK(trial.status([](Lesson& L) {
    raise(SIGXCPU);
    raise(SIGXCPU);
    L.check_interrupted();
  }) == 128 + SIGXCPU);
}

TEST_CASE("a limit of the size of files is an error like any other") {
  Trial trial;
  CHECK(trial.status([](Lesson& L) {
    const rlimit tight = {4096, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &tight);
    good_lesson(L);
  }) == 2);
  CHECK(contains(trial.read("/stderr"), "index.html: File too large"));
  CHECK(trial.empty());
}

TEST_CASE("a library that gives up with exit(1) does not say that a claim fails") {
  Trial trial;
  CHECK(trial.status([](Lesson&) { std::exit(1); }) == 2);
}

TEST_CASE("threads that can't be had are refused in one sentence") {
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

TEST_CASE("a slow reader is waited for") {
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

TEST_CASE("a signal ends the wait for a reader that never reads") {
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

TEST_CASE("what is in the way of the results is noticed before the lesson") {
  for (const char* name : {"results.json", "index.html"}) {
    Trial trial;
    std::filesystem::create_directories(trial.directory + "/out/tutorial-7/" + name);
    CHECK(trial.status([](Lesson&) { _exit(99); }) == 2);
    CHECK(contains(trial.read("/stderr"), std::string(name) + ": it is a directory"));
  }
}

TEST_CASE("a directory of results has one run at a time") {
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

TEST_CASE("a lesson removes its own checkpoints when it ends, and no others") {
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

TEST_CASE("a checkpoint is resumed with RESUME=1 alone, by the recipe that made it") {
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

TEST_CASE("a recipe in words tells every setting") {
  const auto rate = [](double peak) { return [=](Index n) { return peak * static_cast<double>(n); }; };
  const Recipe<LinearTransformer> recipe{.model = {}, .updates = 100, .rate = rate(.1)};
  std::set<std::string> all = {in_words(recipe)};
  const auto differs = [&](auto change) {
    auto other = recipe;
    change(other);
    return all.insert(in_words(other)).second;
  };
  CHECK(differs([](auto& r) { r.updates = 99; }));
  CHECK(differs([](auto& r) { r.batch = 1; }));
  CHECK(differs([](auto& r) { r.decay = .1000001; }));
  CHECK(differs([&](auto& r) { r.rate = rate(.1000001); }));
  CHECK(differs([&](auto& r) { r.rate = [&](Index n) { return rate(.1)(n == 50 ? 51 : n); }; }));
  CHECK(differs([](auto& r) { r.test_every = 1; }));
  CHECK(differs([](auto& r) { r.test_sequences = 1; }));
  CHECK(differs([](auto& r) { r.model.heads = 3; }));
  CHECK(differs([](auto& r) { r.model.mesa = true; }));
  CHECK(differs([](auto& r) { r.model.clip = 3; }));
  CHECK_FALSE(differs([](auto&) {}));
  CHECK(in_words(Transformer::Options{.dropout = .1}) != in_words(Transformer::Options{}));
  CHECK(in_words(Transformer::Options{.blocks = {Attention::mesa}}) !=
        in_words(Transformer::Options{.blocks = {Attention::linear}}));
  CHECK(in_words(LinearDynamics{.noise = 0}) != in_words(LinearDynamics{}));
}

TEST_CASE("source becomes prose and numbered code") {
  const std::vector<SourceBlock> blocks = split_source(
      "// A first\n// paragraph.\n\nint a;\n// one line\nint b;\n  // Two\n  // lines.\n");
  REQUIRE(blocks.size() == 3);
  CHECK(blocks[0].prose);
  CHECK(blocks[0].lines == std::vector<std::string>{"A first", "paragraph."});
  CHECK_FALSE(blocks[1].prose);
  CHECK(blocks[1].first_line == 4);
  CHECK(blocks[1].lines.size() == 3);
  CHECK(blocks[2].lines == std::vector<std::string>{"Two", "lines."});
  CHECK(html_of_source("").empty());
}

TEST_CASE("code is coloured and escaped") {
  CHECK(highlighted("int a;") == "<i class=\"k\">int</i> a;");
  CHECK(highlighted("\"<\\\"\" 1e-3f") ==
        "<i class=\"s\">&quot;&lt;\\&quot;&quot;</i> <i class=\"n\">1e-3f</i>");
  CHECK(highlighted("x; // a & b\n") == "x; <i class=\"c\">// a &amp; b</i>\n");
  CHECK(highlighted("integer \xCE\x94 \"open\n") == "integer Δ <i class=\"s\">&quot;open</i>\n");
}
