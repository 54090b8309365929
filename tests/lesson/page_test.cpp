// A lesson's page: formulas, prose and code, and the pieces between.
#include "tests/catch.h"  // first, because it is precompiled

#include "tests/lesson/trial.h"
#include "tutorials/lesson/page.h"

using namespace mesagrad;
using namespace mesagrad::lesson;

TEST_CASE("source becomes prose and numbered code", "[page]") {
  const std::string html = chapter_markup(
      "// A first\n// paragraph.\n\nint a;\n// one line\nint b;\n  // Two\n  // lines.\n", {});
  CHECK(chapter_markup("int a;\n// Σ_i a_i\nint b;\n", {}) ==
        code_markup({{1, "int a;"}}) + "<p>Σ<sub>i</sub> a<sub>i</sub></p>\n" + code_markup({{3, "int b;"}}));
  CHECK(contains(chapter_markup("int a;\n    // Σ_i a_i\nint b;\n", {}), "// Σ_i"));
  CHECK(contains(code_markup({{5, "          b;"}}), "        <i class=\"far\">  </i>b;"));
  CHECK(html == "<p>A first paragraph.</p>\n" +
                    code_markup({{4, "int a;"}, {5, "// one line"}, {6, "int b;"}}) + "<p>Two lines.</p>\n");
  CHECK(contains(code_markup({{5, "int b;"}}), "<span id=\"5\"><i class=\"k\">int</i> b;\n</span>"));
}

TEST_CASE("a chapter shows each piece behind the statement that made it", "[page]") {
  const std::string source =
      "// What this is\n// about.\nint helper();\n\nvoid body() {\n"  // lines 1 to 5
      "  // -------\n  L.step(\"One\");\n  //\n  // Prose.\n"       // 6 to 9
      "  {\n    L.show(\n        plot);\n  }\n  int after;\n"          // 10 to 14
      "  L.say(x);\n}\nint main();\n";                                   // 15 to 17
  const std::string html = chapter_markup(
      source, {{7, "<HEADING>"}, {11, "<FIGURE>"}, {15, "<SENTENCE>"}, {15, "<AGAIN>"}, {99, "<ELSEWHERE>"}});
  std::size_t at = 0;
  for (const char* part : {"<p>What this is about.</p>", "<details>", "helper();", "</details>", "<HEADING>",
                           "<p>Prose.</p>", "L.show(", "plot);", "}", "<FIGURE>", "after;", "L.say(x);",
                           "<SENTENCE><AGAIN>", "main();", "<ELSEWHERE>"}) {
    INFO(part);
    const std::size_t found = html.find(part, at);
    REQUIRE(found != std::string::npos);
    at = found;
  }
  CHECK_FALSE(contains(html, "L.step"));
  CHECK_FALSE(contains(html, "-----"));
  CHECK(chapter_markup("", {}).empty());
  CHECK(chapter_markup("int x;\n", {{0, "<FIGURE>"}}).ends_with("<FIGURE>"));
}

TEST_CASE("indices are set, names with an underscore are left alone", "[page]") {
  CHECK(formula_markup("s_t and s_{t+1}, W_q W_k") ==
        "s<sub>t</sub> and s<sub>t+1</sub>, W<sub>q</sub> W<sub>k</sub>");
  CHECK(formula_markup("Σ_{i ≤ t} λ_1 10^-3 e^x") ==
        "Σ<sub>i ≤ t</sub> λ<sub>1</sub> 10<sup>-3</sup> e<sup>x</sup>");
  CHECK(formula_markup("dk_i (dS_ti") == "dk<sub>i</sub> (dS<sub>ti</sub>");
  CHECK(formula_markup("||k|| <= 1 -> x >= 0, S <- S - k") == "‖k‖ ≤ 1 → x ≥ 0, S ← S\u00a0− k");
  CHECK(formula_markup("4 <==== 2") == "4 &lt;==== 2");
  CHECK(prose_markup({"  a_i - b_i"}) ==
        "<pre class=\"shaped\">  a<sub>i</sub>\u00a0− b<sub>i</sub></pre>\n");
  CHECK(prose_markup({"  int x_t = a - b;"}) == "<pre class=\"shaped\">  int x_t = a - b;</pre>\n");
  CHECK(paragraph_markup("a <= b, `a <= b`") == "a ≤ b, <code>a &lt;= b</code>");
  CHECK(formula_markup("argmin_Φ L") == "argmin<sub>Φ</sub> L");
  CHECK(formula_markup("dout_t·out_t, Σ_i dout_ij") ==
        "dout<sub>t</sub>·out<sub>t</sub>, Σ<sub>i</sub> dout<sub>ij</sub>");
  CHECK(formula_markup("e^{c_t - c_i} log(1 + e^ρ) (E·B)_ij ε'_t p_{s_t}") ==
        "e<sup>c<sub>t</sub>\u00a0− c<sub>i</sub></sup> log(1 + e<sup>ρ</sup>) (E·B)<sub>ij</sub> "
        "ε'<sub>t</sub> p<sub>s<sub>t</sub></sub>");
  for (const char* same :
       {"next_states", "add_x", "ad_x", "a_long_name", "next_id", "take_in", "time_ms", "a_long_t",
        "std::size_t", "run.out_t", "out_t()", "uint8_t", "f_of(x)", "x_", "x_{", "_t", "2 ^ 3", "x^-", "",
        "^"}) {
    CHECK(formula_markup(same) == same);
  }
}

TEST_CASE("the page of all lessons tells which have run, and what they found", "[page]") {
  Trial trial;
  CHECK(trial.status([](Lesson& L) {
    L.found("It is 3 < 4.");
    L.say("A sentence <i>, 1.");
    good_lesson(L);
  }) == 0);
  const std::string page = trial.result("index.html"), index = trial.read("/out/index.html");
  CHECK(contains(page, "<p>It is 3 &lt; 4.</p>"));
  CHECK(contains(page, "A sentence &lt;i&gt;, 1."));
  CHECK(contains(page, "../index.html"));
  CHECK(contains(page, "one: <b>1.01</b>"));
  CHECK(contains(trial.result("results.json"), "\"found\": \"It is 3 < 4.\""));
  CHECK(contains(trial.result("entry.html"), "tutorial-7/index.html"));
  CHECK(contains(index, "<h1>mesagrad</h1>"));
  CHECK(contains(trial.read("/stdout"), "file://"));
  CHECK(contains(trial.read("/stdout"), "What <it> shows."));
}

TEST_CASE("code is coloured and escaped", "[page]") {
  const auto highlighted = [](const std::string& line) {
    Tokenizer tokenizer;
    return lesson::highlighted(line, tokenizer);
  };
  CHECK(highlighted("int a;") == "<i class=\"k\">int</i> a;");
  CHECK(highlighted("\"<\\\"\" 1e-3f") ==
        "<i class=\"s\">&quot;&lt;\\&quot;&quot;</i> <i class=\"n\">1e-3f</i>");
  CHECK(highlighted("x; // a & b") == "x; <i class=\"c\">// a &amp; b</i>");
  CHECK(highlighted("#include <a>") == "<i class=\"c\">#include &lt;a&gt;</i>");
  CHECK(highlighted("a R\"(<) \" 1)\" 2") ==
        "a <i class=\"s\">R&quot;(&lt;) &quot; 1)&quot;</i> <i class=\"n\">2</i>");
  CHECK(highlighted("integer \xCE\x94 1'000 \"open") ==
        "integer Δ <i class=\"n\">1'000</i> <i class=\"s\">&quot;open</i>");
}
