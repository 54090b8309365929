#include "tasks/byte_pairs.h"

#include <algorithm>
#include <cstdint>
#include <unordered_map>

#include "core/error.h"

namespace mesagrad {
namespace {

enum class Kind { letter, space, other };

Kind kind_of(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 128 || c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
    return Kind::letter;
  }
  return c == ' ' || (c >= '\t' && c <= '\r') ? Kind::space : Kind::other;
}

std::vector<Index> bytes_of(std::string_view word) {
  std::vector<Index> ids;
  for (const char c : word) ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

// Puts `made` in the place of each pair of neighbours, from left to right.
void apply(const BytePairs::Merge& merge, Index made, std::vector<Index>& ids) {
  std::size_t to = 0;
  for (std::size_t from = 0; from < ids.size(); ++to) {
    const bool pair = from + 1 < ids.size() && ids[from] == merge.first && ids[from + 1] == merge.second;
    ids[to] = pair ? made : ids[from];
    from += pair ? 2 : 1;
  }
  ids.resize(to);
}

bool contains(const std::vector<Index>& ids, const BytePairs::Merge& merge) {
  for (std::size_t i = 1; i < ids.size(); ++i) {
    if (ids[i - 1] == merge.first && ids[i] == merge.second) return true;
  }
  return false;
}

// One number for each pair, in the order of the pairs.
std::uint64_t key_of(const BytePairs::Merge& pair) {
  return static_cast<std::uint64_t>(pair.first) << 32U | static_cast<std::uint64_t>(pair.second);
}

}  // namespace

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t begin = 0;
  for (std::size_t i = 1; i <= text.size(); ++i) {
    if (i < text.size()) {
      const Kind before = kind_of(text[i - 1]), now = kind_of(text[i]);
      if (before == now) {
        // The last space of a run belongs to the word behind it.
        const bool last_space = text[i] == ' ' && i + 1 < text.size() && kind_of(text[i + 1]) == Kind::letter;
        if (!last_space) continue;
      } else if (text[i - 1] == ' ' && now == Kind::letter) {
        continue;
      }
    }
    words.push_back(text.substr(begin, i - begin));
    begin = i;
  }
  return words;
}

BytePairs BytePairs::learn(std::string_view text, Index size) {
  check(size >= 256, "byte pairs: ", size, " pieces; there can't be fewer than the 256 bytes");
  struct Word {
    std::vector<Index> ids;
    Index count;
  };
  std::map<std::string_view, Index> counts;  // in an order that no hash decides
  for (const std::string_view word : words_of(text)) ++counts[word];
  std::vector<Word> words;
  for (const auto& [word, count] : counts) words.push_back({bytes_of(word), count});

  BytePairs result;
  for (int byte = 0; byte < 256; ++byte) result.pieces.emplace_back(1, static_cast<char>(byte));
  std::unordered_map<std::uint64_t, Index> pairs;  // how often two neighbours occur
  const auto count = [&](const Word& word, Index sign) {
    for (std::size_t i = 1; i < word.ids.size(); ++i) {
      pairs[key_of({word.ids[i - 1], word.ids[i]})] += sign * word.count;
    }
  };
  for (const Word& word : words) count(word, 1);
  while (std::ssize(result.pieces) < size) {
    std::uint64_t best = 0;
    Index most = 1;
    for (const auto& [pair, times] : pairs) {
      if (times > most || (times == most && most > 1 && pair < best)) {
        best = pair;
        most = times;
      }
    }
    if (most == 1) break;
    const Merge merge{static_cast<Index>(best >> 32U), static_cast<Index>(best & 0xFFFFFFFFU)};
    const Index made = std::ssize(result.pieces);
    result.merges.push_back(merge);
    result.pieces.push_back(result.pieces[static_cast<std::size_t>(merge.first)] +
                            result.pieces[static_cast<std::size_t>(merge.second)]);
    for (Word& word : words) {
      if (!contains(word.ids, merge)) continue;
      count(word, -1);
      apply(merge, made, word.ids);
      count(word, 1);
    }
  }
  return result;
}

std::vector<Index> BytePairs::encode(std::string_view text) const {
  std::unordered_map<std::uint64_t, Index> made;  // of two pieces
  for (std::size_t m = 0; m < merges.size(); ++m) {
    made.try_emplace(key_of(merges[m]), 256 + static_cast<Index>(m));
  }
  std::unordered_map<std::string_view, std::vector<Index>> known;
  std::vector<Index> result;
  for (const std::string_view word : words_of(text)) {
    const auto [place, is_new] = known.try_emplace(word);
    std::vector<Index>& ids = place->second;
    if (is_new) {
      ids = bytes_of(word);
      while (true) {  // the earliest merge that is possible comes first, as it did in learning
        Index earliest = std::ssize(pieces);
        for (std::size_t i = 1; i < ids.size(); ++i) {
          const auto found = made.find(key_of({ids[i - 1], ids[i]}));
          if (found != made.end()) earliest = std::min(earliest, found->second);
        }
        if (earliest == std::ssize(pieces)) break;
        apply(merges[static_cast<std::size_t>(earliest - 256)], earliest, ids);
      }
    }
    result.insert(result.end(), ids.begin(), ids.end());
  }
  return result;
}

std::string BytePairs::decode(const std::vector<Index>& ids) const {
  std::string text;
  for (const Index id : ids) {
    check(id >= 0 && id < std::ssize(pieces), "byte pairs: there is no piece ", id, ", only 0 to ",
          pieces.size() - 1);
    text += pieces[static_cast<std::size_t>(id)];
  }
  return text;
}

}  // namespace mesagrad
