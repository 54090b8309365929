// Byte-pair encoding: text as numbers, from pieces that were learned from text.
//
// The first 256 pieces are the bytes. Learning then makes a new piece of the two neighbours that stand beside
// each other most often, again and again, until there are as many as wanted: "th", "the", " the". So frequent
// words become single pieces, and whatever was never seen is still some sequence of bytes.
// Source: Gage, "A new algorithm for data compression", 1994; for language models: Sennrich, Haddow and Birch,
// 2016.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/real.h"

namespace mesagrad {

// The words of a text, one after another: runs of letters, digits and _, with the one space before them; runs
// of white space; runs of other characters. Pieces never cross from one word into the next. Bytes above 127
// count as letters, so that those of one UTF-8 character stay together.
std::vector<std::string_view> words_of(std::string_view text);

struct BytePairs {
  struct Merge {
    Index first, second;  // of two pieces, in this order
  };
  std::vector<std::string> pieces;  // the bytes, then what each merge made
  std::vector<Merge> merges;

  // Learned from a text, until there are so many pieces or no two neighbours are left that occur twice.
  // Throws if that is fewer than 256.
  static BytePairs learn(std::string_view text, Index size);

  std::vector<Index> encode(std::string_view text) const;
  std::string decode(const std::vector<Index>& ids) const;  // throws if one is no piece
};

}  // namespace mesagrad
