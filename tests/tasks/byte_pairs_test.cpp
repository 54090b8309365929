// Byte-pair encoding: any bytes in, the same bytes out, and what is learned.
#include "tests/catch.h"  // first, because it is precompiled

#include "tasks/byte_pairs.h"

#include <fstream>
#include <sstream>

#include "tests/helpers.h"

namespace mesagrad {
namespace {

std::string random_bytes(std::size_t count, std::uint64_t seed, std::uint32_t kinds = 256) {
  Random random(seed, stream::test_data);
  std::string bytes;
  while (bytes.size() < count) bytes += static_cast<char>(random.bits() % kinds);
  return bytes;
}

std::string file(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// From the definition: merge by merge over the whole text's words, pair counts with a plain loop.
BytePairs naive_learn(std::string_view text, Index size) {
  std::vector<std::vector<std::string>> words;
  for (const std::string_view word : words_of(text)) {
    words.emplace_back();
    for (const char c : word) words.back().emplace_back(1, c);
  }
  BytePairs result;
  for (int byte = 0; byte < 256; ++byte) result.pieces.emplace_back(1, static_cast<char>(byte));
  const auto number = [&](const std::string& piece) {
    return std::find(result.pieces.begin(), result.pieces.end(), piece) - result.pieces.begin();
  };
  while (std::ssize(result.pieces) < size) {
    std::map<std::pair<Index, Index>, Index> counts;
    for (const auto& word : words) {
      for (std::size_t i = 1; i < word.size(); ++i) ++counts[{number(word[i - 1]), number(word[i])}];
    }
    Index most = 1;
    std::pair<Index, Index> best;
    for (const auto& [pair, count] : counts) {
      if (count > most) best = pair, most = count;
    }
    if (most == 1) break;
    const std::string first = result.pieces[static_cast<std::size_t>(best.first)],
                      second = result.pieces[static_cast<std::size_t>(best.second)];
    result.merges.push_back({best.first, best.second});
    result.pieces.push_back(first + second);
    for (auto& word : words) {
      std::vector<std::string> merged;
      for (std::size_t i = 0; i < word.size(); ++i) {
        const bool pair = i + 1 < word.size() && word[i] == first && word[i + 1] == second;
        merged.push_back(pair ? first + second : word[i]);
        if (pair) ++i;
      }
      word = merged;
    }
  }
  return result;
}

}  // namespace

TEST_CASE("a text is its words", "[byte_pairs]") {
  using Words = std::vector<std::string_view>;
  CHECK(words_of("") == Words{});
  CHECK(words_of("a") == Words{"a"});
  CHECK(words_of("int  x_1 = f(y);\n  return") ==
        Words{"int", " ", " x_1", " ", "=", " f", "(", "y", ");", "\n ", " return"});
  CHECK(words_of("x\xC3\xA9 \n") == Words{"x\xC3\xA9", " \n"});
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::string bytes = random_bytes(200, seed, seed % 2 == 0 ? 256 : 40);
    std::string joined;
    for (const std::string_view word : words_of(bytes)) {
      CHECK_FALSE(word.empty());
      joined += word;
    }
    CHECK(joined == bytes);
  }
}

TEST_CASE("byte pairs are learned from the most frequent to the rarest", "[byte_pairs]") {
  const BytePairs few = BytePairs::learn("aaab aaab aaab xyxy", 400);
  REQUIRE(few.pieces.size() == 256 + few.merges.size());
  CHECK(few.pieces[256] == "aa");
  const std::string text = file("tasks/task.h") + file("nn/loss.h");
  REQUIRE(text.size() > 1000);
  const BytePairs pairs = BytePairs::learn(text, 330), naive = naive_learn(text, 330);
  REQUIRE(pairs.pieces.size() == 330);
  CHECK(pairs.pieces == naive.pieces);
  CHECK(BytePairs::learn("", 300).pieces.size() == 256);
  CHECK(BytePairs::learn("abc", 300).pieces.size() == 256);  // no pair occurs twice
}

TEST_CASE("what is encoded decodes to the same bytes", "[byte_pairs]") {
  const std::string text = file("tasks/task.h") + file("core/tensor.h");
  const BytePairs pairs = BytePairs::learn(text, 400);
  const std::vector<Index> ids = pairs.encode(text);
  CHECK(pairs.decode(ids) == text);
  CHECK(ids.size() < text.size() * 2 / 3);
  CHECK(pairs.encode("").empty());
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::string bytes = random_bytes(300, seed);
    CHECK(pairs.decode(pairs.encode(bytes)) == bytes);
  }
  // Of a text that it was learned from, the words are encoded as learning left them.
  const BytePairs small = BytePairs::learn("the theme of these", 260);
  CHECK(small.pieces[256] == "he");
  CHECK(small.pieces[257] == "the");
  CHECK(small.encode("the") == std::vector<Index>{257});
}

TEST_CASE("byte pairs refuse what is none", "[byte_pairs][errors]") {
  CHECK(lacks([] { BytePairs::learn("abc", 255); }, {"byte pairs", "255 pieces"}) == "");
  const BytePairs pairs = BytePairs::learn("abab", 300);
  for (const Index bad : {Index{-1}, std::ssize(pairs.pieces)}) {
    CHECK(lacks([&] { pairs.decode({bad}); }, {"no piece"}) == "");
  }
}

}  // namespace mesagrad
