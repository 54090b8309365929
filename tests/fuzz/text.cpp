// Any bytes as text to learn pieces from: they are encoded and decoded, read as files, and shown in windows.
#include "tasks/text.h"

#include "tests/fuzz/fuzz.h"

namespace mesagrad::fuzz {
namespace {

constexpr char next_file = '\x1c';  // the character for this, a file separator

void check_pieces(const std::string& text, const BytePairs& pieces, Index wanted) {
  std::string joined;
  for (const std::string_view word : words_of(text)) {
    must(!word.empty(), "a word has a character");
    joined += word;
  }
  must(joined == text, "a text is its words");

  const Index count = std::ssize(pieces.pieces);
  must(count <= wanted && count == 256 + std::ssize(pieces.merges), "so many pieces");
  for (std::size_t n = 0; n < pieces.merges.size(); ++n) {
    const auto [first, second] = pieces.merges[n];
    const std::string& made = pieces.pieces[256 + n];
    must(std::max(first, second) < 256 + static_cast<Index>(n), "two pieces that were there");
    must(made == pieces.decode({first, second}), "a merge makes one of them");
    must(text.find(made) != std::string::npos, "which occurs in the text");
  }
  const std::vector<Index> ids = pieces.encode(text);
  must(pieces.decode(ids) == text, "what is encoded decodes to the same");
  must(ids.size() <= text.size(), "pieces make a text no longer");
  const std::string part = text.substr(text.size() / 3, text.size() / 2);
  must(pieces.decode(pieces.encode(part)) == part, "parts of it, too");
  must(!refusal([&] { pieces.decode({count}); }).empty(), "what is no piece is not decoded");
}

void check_first_comments(const std::string& text) {
  const std::string_view rest = without_first_comments(text);
  must(text.ends_with(rest), "comments are taken from the front");
  must(without_first_comments(rest) == rest, "all of them at once");
}

void check_windows(const Corpus& corpus, const BytePairs& pieces, std::uint64_t seed) {
  const TextWindows windows(corpus, pieces, 1 + static_cast<Index>(seed % 7));
  for (const std::uint32_t stream : {stream::training_data, stream::test_data}) {
    const Index ids = std::ssize(stream == stream::training_data ? windows.training : windows.validation);
    Batch batch;
    const bool refused = !refusal([&] { batch = windows.batch(seed, stream, 0, 3); }).empty();
    must(refused == (ids <= windows.tokens), "a text that is long enough has windows");
    if (refused) continue;
    must(batch.inputs.size() == 3 * windows.tokens && batch.labels.size() == batch.inputs.size(), "three");
    for (Index i = 0; i < batch.inputs.size(); ++i) {
      const bool last = (i + 1) % windows.tokens == 0;
      must(batch.inputs[i] >= 0 && batch.inputs[i] < static_cast<real>(windows.vocabulary), "ids of pieces");
      must(last || batch.inputs[i + 1] == batch.labels[i], "a label is the next input");
    }
  }
}

// Each of the texts in a file of its own.
void check_corpus(const std::vector<std::string>& texts, const BytePairs& pieces, std::uint64_t seed) {
  std::vector<std::filesystem::path> files;
  std::size_t size = 0;
  Index count = 0;
  for (const std::string& text : texts) {
    if (files.size() == 12) break;
    put(files.emplace_back(scratch(std::to_string(files.size()))), text);
    const std::string_view rest = without_first_comments(text);
    if (rest.empty() || rest.find('\0') != std::string_view::npos) continue;
    size += rest.size() + 1;
    ++count;
  }
  Corpus corpus;
  const std::string why = refusal([&] { corpus = read_corpus(files); });
  must(why.empty() == (count > 0), "a corpus is refused if nothing is left: " + why);
  if (count == 0) return;
  must(corpus.files == count, "all files are counted");
  must(corpus.training.size() + corpus.validation.size() == size, "all of their texts are there");
  check_windows(corpus, pieces, seed);
}

}  // namespace

std::vector<std::string> seeds() {
  return {"\x10// a licence\n/* of two */ the cat and the hat, the_cat 12 12 12\n",
          "\xff#include <a>\n\x1c// b\nint  x = 1;\x1c x y z \t\n\x1cλλ = λ",
          "\x08 aaaaaaaaaaaaaaaa bbbbbbbb aabb aabb"};
}

std::vector<std::string> words() {
  return {"//", "/*", "*/", "\n", " ", "  the", "the ", "\r\n", "\t", "\x1c", std::string(1, '\0'), "λ",
          "_"};
}

}  // namespace mesagrad::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mesagrad;
  if (size == 0) return 0;
  const Index wanted = 256 + data[0];
  const std::string text(data + 1, data + size);
  const BytePairs pieces = BytePairs::learn(text, wanted);
  fuzz::check_pieces(text, pieces, wanted);
  fuzz::check_first_comments(text);
  fuzz::check_corpus(fuzz::divided(text, fuzz::next_file), pieces, data[0]);
  return 0;
}
