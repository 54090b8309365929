// Text to learn from, found on the machine: nothing is downloaded.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "tasks/byte_pairs.h"
#include "tasks/task.h"

namespace mesagrad {

struct Corpus {
  std::string training, validation;  // files, each with a zero byte behind it
  Index files = 0;
};

// Of the files' texts, without the comments that C and C++ files begin with (the licence, the same in all of
// them); files that are not text, that is with a zero byte, are left out. In the order of their paths every
// tenth file is for validation; if there are not so many, it is the last tenth of all bytes. Throws if a file
// can't be read or nothing is left.
Corpus read_corpus(std::vector<std::filesystem::path> files);

// The file itself, or all files below a folder, but for hidden ones. Throws if there is no such path.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& path);

// All files that a compiler reads for the headers of the standard library, as the compiler itself tells (-M);
// `compiler` is words for the shell, such as "ccache g++". Empty if it doesn't tell.
std::vector<std::filesystem::path> standard_headers(const std::string& compiler);

// From the first line that is neither empty nor part of a comment.
std::string_view without_first_comments(std::string_view source);

// Windows of T + 1 tokens, which begin anywhere: those of stream::training_data in the training text, all
// others in the validation text. Inputs are the first T ids, labels the last T.
struct TextWindows {
  std::vector<Index> training, validation;  // ids
  Index vocabulary = 0;
  Index tokens = 128;  // T

  TextWindows() = default;
  TextWindows(const Corpus& corpus, const BytePairs& pieces, Index window)
      : training(pieces.encode(corpus.training)),
        validation(pieces.encode(corpus.validation)),
        vocabulary(std::ssize(pieces.pieces)),
        tokens(window) {}

  // Throws if the text has no T + 1 tokens.
  Batch batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const;
  static constexpr CrossEntropy loss = {};
};

}  // namespace mesagrad
