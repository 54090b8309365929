// What a wait shows, on a terminal and in a log.
#include "tests/catch.h"  // first, because it is precompiled

#include "tests/lesson/trial.h"
#include "tutorials/lesson/terminal.h"

using namespace mesagrad;
using namespace mesagrad::lesson;

TEST_CASE("a short wait shows nothing", "[progress]") {
  Trial trial;
  CHECK(trial.status([](Lesson&) {
    {
      Progress in_log({}, "waiting", 10), on_terminal({.interactive = true}, "waiting", 10);
      for (Index n = 1; n <= 10; ++n) {
        in_log.update(n, 0.5);
        on_terminal.update(n, 0.5);
      }
    }
    _exit(99);
  }) == 99);
  CHECK_FALSE(contains(trial.read("/stdout"), "waiting"));
}

TEST_CASE("a long wait is lines of a log or a bar on a terminal, and a last line", "[progress]") {
  Trial trial;
  CHECK(trial.status([](Lesson&) {
    {
      Progress resumed({}, "resumed", 100, 50), bar({.interactive = true}, "bar", 100),
          wide({.interactive = true}, std::string(70, 'x'), 100);
      usleep(1'050'000);
      resumed.update(59, 7.5);
      resumed.update(60, 2.5);
      bar.update(50, 0.125);
      bar.update(100, 0.25);
      wide.update(33);
    }
    _exit(99);
  }) == 99);
  const std::string shown = trial.read("/stdout");
  CHECK_FALSE(contains(shown, "7.5"));
  CHECK(contains(shown, "\n  resumed   60 %  loss 2.5   "));
  CHECK(contains(shown, "resumed: stopped after 10 more steps in 1."));
  CHECK(contains(shown, "\r\x1b[K  bar  ━━━"));
  CHECK(contains(shown, "━─"));
  CHECK(contains(shown, "  50 %  loss 0.125"));
  CHECK(contains(shown, "\r\x1b[K  bar: 100 steps in 1."));
  CHECK(contains(shown, "\r\x1b[K   33 %\r"));  // what does not fit cannot be redrawn
}
