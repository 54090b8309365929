// Texts: which files are read, how they are divided, and windows of them.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/text.h"

#include "core/files.h"
#include "tests/directory.h"
#include "tests/helpers.h"
#include "tests/odd_arguments.h"

namespace mesagrad {

TEST_CASE("the comments that a source begins with are left out, and no others", "[text]") {
  CHECK(without_first_comments("int x;  // 1\n") == "int x;  // 1\n");
  CHECK(without_first_comments("// a\n\n  // b\n/* c\n d */ \n#define X // e\n") == "#define X // e\n");
  CHECK(without_first_comments("/**/x") == "x");
  CHECK(without_first_comments("/*/ x */y") == "y");
  CHECK(without_first_comments("// only") == "");
  CHECK(without_first_comments("/* open") == "");
  CHECK(without_first_comments(" \n") == "");
  CHECK(without_first_comments("/ x") == "/ x");
  CHECK(without_first_comments("") == "");
}

TEST_CASE("every tenth file is for validation", "[text]") {
  const Directory place;
  std::vector<std::filesystem::path> files;
  for (char c = 'l'; c >= 'a'; --c) {  // in any order
    files.push_back(place.path / std::string(1, c));
    write_file(files.back(), std::string("// licence\n") + c);
  }
  write_file(files.emplace_back(place.path / "binary"), std::string_view("x\0y", 3));
  write_file(files.emplace_back(place.path / "cold"), "// nothing else");
  const Corpus corpus = read_corpus(files);
  CHECK(corpus.files == 12);
  CHECK(corpus.training == std::string("a\0b\0c\0d\0e\0f\0g\0h\0i\0k\0l\0", 22));
  CHECK(corpus.validation == std::string("j\0", 2));
}

TEST_CASE("of few files the last tenth is for validation", "[text]") {
  const Directory place;
  write_file(place.path / "text", "0123456789012345678");
  const Corpus corpus = read_corpus(files_of(place.path / "text"));
  CHECK(corpus.training == "012345678901234567");
  CHECK(corpus.validation == std::string("8\0", 2));
  refuses("there is no text", [] { read_corpus({}); });
  refuses("none", [&] { read_corpus({place.path / "none"}); });
}

TEST_CASE("a folder's files are those below it, but for hidden ones", "[text]") {
  const Directory place;
  for (const char* folder : {"a", "a/b", ".hidden"}) std::filesystem::create_directory(place.path / folder);
  for (const char* file : {"1", "a/2", "a/b/3", ".hidden/4", "a/.5"}) write_file(place.path / file, "x");
  auto files = files_of(place.path);
  std::ranges::sort(files);
  CHECK(files == std::vector{place.path / "1", place.path / "a/2", place.path / "a/b/3"});
  refuses("there is no file or folder", [&] { files_of(place.path / "none"); });
}

// A compiler is whatever answers -M; the rule is written as make reads it.
TEST_CASE("headers are what the compiler says they are", "[text]") {
  const Directory place;
  std::filesystem::create_directory(place.path / "a b");
  for (const char* file : {"vector", "a b/map", "set"}) write_file(place.path / file, "x");
  const std::string p = place.path.string();
  const std::string rule =
      "-.o: " + p + "/vector \\\n " + p + "/a\\ b/map " + p + "/a\\ b/../vector missing " + p + "/none\n";
  write_file(place.path / "rule", rule);
  const auto real_path = std::filesystem::canonical(place.path);
  CHECK(standard_headers("cat " + p + "/rule #") == std::vector{real_path / "a b/map", real_path / "vector"});
  CHECK(standard_headers("false").empty());
  CHECK(standard_headers("there-is-no-such-compiler").empty());
}

TEST_CASE("windows are pieces of the text, of training text in training", "[text]") {
  Corpus corpus;
  for (int i = 0; i < 40; ++i)
    corpus.training += static_cast<char>(i), corpus.validation += static_cast<char>(100 + i);
  const TextWindows task(corpus, BytePairs::learn("", 256), 4);
  CHECK((task.vocabulary == 256 && task.training.size() == 40 && task.validation.size() == 40));
  std::set<real> begins;
  for (const std::uint32_t stream : {stream::training_data, stream::test_data, stream::analysis_data}) {
    const Batch batch = task.batch(1, stream, 5, 400);
    REQUIRE(batch.inputs.shape() == Shape({400, 4}));
    for (Index i = 0; i < 400; ++i) {
      const real begin = batch.inputs[4 * i];
      begins.insert(begin);
      for (Index t = 0; t < 4; ++t) {
        CHECK(batch.inputs[4 * i + t] == begin + static_cast<real>(t));
        CHECK(batch.labels[4 * i + t] == begin + static_cast<real>(t + 1));
      }
      CHECK((begin >= 100) == (stream != stream::training_data));
    }
    const Batch part = task.batch(1, stream, 9, 1);
    CHECK(part.inputs[0] == batch.inputs[4 * 4]);
  }
  CHECK(begins.size() == 72);  // all places from 0 to 40 - 5, of both
}

TEST_CASE("a text that is too short has no windows", "[text][errors]") {
  Corpus corpus{"0123", "01234", 1};
  const TextWindows task(corpus, BytePairs::learn("", 256), 4);
  CHECK(task.batch(1, stream::test_data, 0, 1).inputs[0] == '0');
  refuses("text windows: 4 tokens have no window of 4 + 1",
          [&] { task.batch(1, stream::training_data, 0, 1); });
  refuses("text windows", [] { TextWindows().batch(1, stream::test_data, 0, 1); });
  refuses("windows from number -1", [&] { task.batch(1, stream::test_data, -1, 1); });
}

}  // namespace mesagrad
