// A lesson from its command line to its exit status, its claims and its results.
#include "tests/catch.h"  // first, because it is precompiled

#include <filesystem>
#include <limits>
#include <set>

#include "core/error.h"
#include "nn/linear_transformer.h"
#include "tests/helpers.h"
#include "tests/lesson/trial.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/train.h"

using namespace mesagrad;
using namespace mesagrad::lesson;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("options are what make passes on", "[options]") {
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
  CHECK(parse_options({"SEED=9007199254740992"}).seed == std::uint64_t{1} << 53);
  CHECK_THROWS_AS(parse_options({"SEED=9007199254740993"}), Error);
  CHECK(none.rate == 1);
  CHECK(parse_options({"RATE=0"}).rate == 0);
  CHECK(parse_options({"RATE=.25"}).rate == .25);
  CHECK(none.text.empty());
  CHECK(parse_options({"TEXT=a folder"}).text == "a folder");
}

TEST_CASE("options that mean nothing are refused", "[options]") {
  for (const char* wrong : {"SEED=abc", "SEED=-1", "SEED=1.5", "SEED=18446744073709551616",
                            "SEED= 1", "SCALE=huge", "SCALE=Paper", "THREADS=0", "THREADS=-1",
                            "THREADS=99999", "THREADS=1025", "THREADS=2x", "RESUME=yes", "RESUME=2",
                            "SAVE_EVERY=-1", "SAVE_EVERY=x", "RATE=-1", "RATE=x", "RATE=1x", "RATE= 1",
                            "RATE=nan", "RATE=1e9", "SPEED=1", "SEED", "--help", ""}) {
    INFO(wrong);
    CHECK_THROWS_AS(parse_options({wrong}), Error);
  }
  CHECK(message_of([] { parse_options({"SEED=1\n2"}); }).starts_with("\"SEED=1\\n2\": expected"));
  CHECK(message_of([] { parse_options({"\r"}); }).starts_with("\"\\u000d\" is not a setting"));
}

TEST_CASE("a claim holds, fails or is not judged", "[results]") {
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

TEST_CASE("a claim that could not fail is refused", "[results]") {
  CHECK_THROWS_AS(check_claim({.expected = infinity}), Error);
  CHECK_THROWS_AS(check_claim({.expected = not_a_number}), Error);
  CHECK_THROWS_AS(check_claim({.tolerance = infinity}), Error);
  CHECK_THROWS_AS(check_claim({.tolerance = -1}), Error);
}

TEST_CASE("differences are percentages of the paper's number", "[results]") {
  CHECK(difference({"", 1.1, 1.0}) == "+10.0 %");
  CHECK(difference({"", -1.1, -1.0}) == "-10.0 %");
  CHECK(difference({"", 1.0, 0.0}) == "–");
  CHECK(difference({"", not_a_number, 1.0}) == "–");
  CHECK(difference({"", 0.9999, 1.0}) == "0.0 %");
}

TEST_CASE("a good lesson writes its results and its page", "[lesson]") {
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
                      std::filesystem::directory_iterator()) == 4);
}

TEST_CASE("a plot that is shown keeps its curves: measured ones, and times apart", "[lesson]") {
  const LossCurve losses = {.t = {0, 1}, .mean = {5, 6}, .deviation = {7, 8}};
  Trial trial;
  REQUIRE(trial.status([&](Lesson& L) {
    LinePlot plot = by_position({.name = "losses"});
    plot.panel("left");
    plot.curve("a", losses);
    plot.line("theirs", {0, 1}, {1, 2}, {.given = true});
    L.show(plot);
    LinePlot times{.name = "times", .timing = true};
    times.line("b", {1}, {3});
    L.show(times);
    L.claim("one", 1, {.expected = 1});
  }) == 0);
  const std::string json = trial.result("results.json"), timings = json.substr(json.find("\"timings\""));
  CHECK(contains(json, "\"losses: left, a\": {\n      \"x\": [0, 1],\n      \"mean\": [5, 6],\n"
                       "      \"std\": [7, 8]"));
  CHECK_FALSE(contains(json, "theirs"));
  CHECK(contains(timings, "\"times: b\""));
  CHECK_FALSE(contains(timings, "losses"));
}

TEST_CASE("a compared curve is a row for its mean, and at paper scale for its points", "[lesson]") {
  const auto body = [](Lesson& L) {
    const Reproduces row = {.figure = "4C", .updates = 50, .tolerance = 0.125};
    const LossCurve losses = {.t = {0, 1, 2}, .mean = {1, 2, 6}, .deviation = {0, 0, 400}, .sequences = 4};
    L.compare_curve("loss", losses, {1, 3, 5}, row, {0, 2, 7});
    L.claim("one", 1, {.expected = 1});
  };
  const std::string mean = "\"name\": \"loss\",\n      \"this_run\": 3,\n      \"paper\": 3,\n"
                           "      \"figure\": \"4C\",\n      \"updates\": 50,\n      \"tolerance\": 0.125";
  Trial trial;
  REQUIRE(trial.status(body) == 0);
  CHECK(contains(trial.result("results.json"), mean));
  CHECK_FALSE(contains(trial.result("results.json"), "loss, t = "));
  REQUIRE(trial.status(body, "SCALE=paper") == 0);
  CHECK(contains(trial.result("results.json"), mean));
  CHECK(contains(trial.result("results.json"), "\"loss, t = 2\",\n      \"this_run\": 6,"));
  CHECK(contains(trial.result("results.json"), "\"tolerance\": 0.375"));
  CHECK(contains(trial.result("results.json"), "\"tolerance\": 6.70"));  // 3·400/√1280 of 5
  CHECK_FALSE(contains(trial.result("results.json"), "t = 7"));
}

TEST_CASE("a killed run leaves what it has measured, and a resumed one counts its seconds", "[lesson]") {
  Trial trial;
  const auto killed = [](Lesson& L) {
    create_writable(L.checkpoints());
    L.compare("loss", 1.1, 1.0);
    L.save_so_far();
    Results earlier = L.so_far();
    earlier.seconds = 1000, earlier.processor_seconds = 1900;
    write_file(L.checkpoints() + "/" + so_far_name, to_json(earlier));
    fail("killed");
  };
  const auto good = [](Lesson& L) { L.claim("one", 1, {.expected = 1}); };
  CHECK(trial.status(killed) == 2);
  const std::string saved = text("checkpoints/lesson-seed-1-", real_name, "/", so_far_name);
  CHECK(contains(trial.result(saved), "\"this_run\": 1.1,"));
  REQUIRE(trial.status(good, "RESUME=1") == 0);
  CHECK(contains(trial.result("results.json"), "\"seconds\": 1000."));
  CHECK(contains(trial.result("results.json"), "\"processor_seconds\": 1900"));
  REQUIRE(trial.status(good, "RESUME=1") == 0);  // what it had saved is gone
  CHECK_FALSE(contains(trial.result("results.json"), "\"seconds\": 1000."));
}

TEST_CASE("what no run can contradict is refused", "[lesson]") {
  Trial trial;
  CHECK(trial.status([](Lesson& L) { L.say("The layer is as good as gradient descent."); }) == 2);
  CHECK(contains(trial.read("/stderr"), "has no number of this run"));
  CHECK(trial.status([](Lesson& L) { L.found("It learned."); }) == 2);
  for (const char* title : {"The mesa-layer beats gradient descent", "It beats, at last", "Beats all"}) {
    CHECK(trial.status([=](Lesson& L) {
      LinePlot plot{.name = "p", .title = title};
      plot.line("a", {1}, {1});
      L.show(plot);
    }) == 2);
    CHECK(contains(trial.read("/stderr"), "'beats', which is for the run to show"));
  }
  CHECK(trial.status([](Lesson& L) {
    L.say("A loss that explodes is nan.");
    HeatMap map{.name = "m", .title = "How the upbeats are spread"};
    map.panel("", 1, 1, {1});
    L.show(map);
    good_lesson(L);
  }) == 0);
}

TEST_CASE("a run with other learning rates says so, and is compared with no published one", "[lesson]") {
  Trial trial;
  REQUIRE(trial.status(good_lesson) == 0);
  const std::string usual = trial.result("results.json");
  const std::string own = usual.substr(usual.find("\"fingerprint\": \"") + 16, 16);
  const char* precision = sizeof(real) == sizeof(float) ? "float " : "double ";
  std::ofstream(trial.directory + "/fingerprints.txt") << "lesson " << precision << own << "\n";
  REQUIRE(trial.status(good_lesson) == 0);
  CHECK(contains(trial.read("/stdout"), "exactly the published numbers"));
  REQUIRE(trial.status([](Lesson& L) {
    check(L.rate(0.5) == 0.125, "not a quarter");
    good_lesson(L);
  }, "RATE=0.25") == 0);
  CHECK(contains(trial.result("results.json"), "\"rate\": 0.25"));
  CHECK(contains(trial.result("results.json"), "\"published_fingerprint\": \"\""));
  CHECK(contains(trial.result("index.html"), "learning rates times 0.25"));
  CHECK(contains(trial.read("/stdout"), "learning rates times 0.25"));
}

TEST_CASE("claims decide the exit status, at the scales that judge them", "[lesson]") {
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

TEST_CASE("a lesson that goes wrong writes one sentence and no result", "[lesson]") {
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

TEST_CASE("a recipe in words tells every setting", "[train]") {
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
  CHECK(differs([](auto& r) { r.optimizer.decay = .1000001; }));
  CHECK(differs([](auto& r) { r.optimizer.beta2 = .99; }));
  CHECK(differs([](auto& r) { r.clip.value = 2; }));
  CHECK(differs([](auto& r) { r.clip.norm = 1; }));
  CHECK(differs([](auto& r) { r.enough = [](const std::vector<double>&) { return false; }; }));
  CHECK(differs([&](auto& r) { r.rate = rate(.1000001); }));
  CHECK(differs([&](auto& r) { r.rate = [&](Index n) { return rate(.1)(n == 50 ? 51 : n); }; }));
  CHECK(differs([](auto& r) { r.test_every = 1; }));
  CHECK(differs([](auto& r) { r.test_sequences = 1; }));
  CHECK(differs([](auto& r) { r.model.heads = 3; }));
  CHECK(differs([](auto& r) { r.model.kind = MesaLayer{}; }));
  CHECK(differs([](auto& r) { r.model.clip = 3; }));
  CHECK_FALSE(differs([](auto&) {}));
  CHECK_FALSE(differs([](auto& r) { r.watch = [](Index, double, const LinearTransformer&) {}; }));
  CHECK(in_words(Recipe<LinearTransformer, SGD>{.model = {}, .updates = 100, .rate = rate(.1)}) !=
        in_words(recipe));
  CHECK(in_words(LinearDynamics{.inputs = Tokens::raw}) != in_words(LinearDynamics{}));
  CHECK(in_words(Transformer::Options{.dropout = .1}) != in_words(Transformer::Options{}));
  CHECK(in_words(Transformer::Options{.blocks = {MesaLayer{}}}) !=
        in_words(Transformer::Options{.blocks = {LinearAttention{}}}));
  CHECK(in_words(LinearDynamics{.noise = 0}) != in_words(LinearDynamics{}));
}
