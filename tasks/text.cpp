#include "tasks/text.h"

#include <stdio.h>  // popen is POSIX

#include <algorithm>
#include <limits>
#include <set>

#include "core/files.h"

namespace mesagrad {
namespace {

constexpr std::size_t validation_share = 10;
constexpr char end_of_file = '\0';

constexpr const char* standard_library =
    "algorithm any array atomic barrier bit bitset charconv chrono codecvt compare complex concepts "
    "condition_variable coroutine deque exception execution filesystem format forward_list fstream "
    "functional "
    "future initializer_list iomanip ios iostream istream iterator latch limits list locale map memory "
    "memory_resource mutex new numbers numeric optional ostream queue random ranges ratio regex "
    "scoped_allocator semaphore set shared_mutex source_location span sstream stack stdexcept stop_token "
    "streambuf string string_view system_error thread tuple type_traits typeindex typeinfo unordered_map "
    "unordered_set utility valarray variant vector version";

std::string output_of(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  char part[4096];
  while (const std::size_t size = fread(part, 1, sizeof part, pipe)) output.append(part, size);
  pclose(pipe);
  return output;
}

// The words of a rule for make, in which "\ " is a space within a word.
std::vector<std::string> words_of_rule(const std::string& rule) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < rule.size(); ++i) {
    const bool escaped = rule[i] == '\\' && i + 1 < rule.size();
    if (escaped && rule[i + 1] == ' ') words.back() += rule[++i];
    else if (rule[i] == ' ' || rule[i] == '\n') words.emplace_back();
    else if (!(escaped && rule[i + 1] == '\n')) words.back() += rule[i];
  }
  return words;
}

}  // namespace

std::string_view without_first_comments(std::string_view source) {
  while (!source.empty()) {
    const std::size_t start = source.find_first_not_of(" \t\r\n");
    if (start == std::string_view::npos) return {};
    std::size_t end = std::string_view::npos;
    if (source.substr(start, 2) == "//") {
      end = source.find('\n', start);
      if (end != std::string_view::npos) ++end;
    } else if (source.substr(start, 2) == "/*") {
      end = source.find("*/", start + 2);
      if (end != std::string_view::npos) end += 2;
    } else {
      return source.substr(start);
    }
    source.remove_prefix(std::min(end, source.size()));
  }
  return source;
}

Corpus read_corpus(std::vector<std::filesystem::path> files) {
  std::ranges::sort(files);
  std::vector<std::string> texts;
  for (const std::filesystem::path& path : files) {
    const std::string bytes = read_file(path);
    const std::string_view rest = without_first_comments(bytes);
    if (!rest.empty() && rest.find(end_of_file) == std::string_view::npos) texts.emplace_back(rest);
  }
  check(!texts.empty(), "corpus: there is no text in ", files.size(), " files");
  Corpus corpus{{}, {}, std::ssize(texts)};
  for (std::size_t n = 0; n < texts.size(); ++n) {
    const bool validates = n % validation_share == validation_share - 1;
    (validates ? corpus.validation : corpus.training) += texts[n] + end_of_file;
  }
  if (corpus.validation.empty()) {
    const std::size_t kept = corpus.training.size() - corpus.training.size() / validation_share;
    corpus.validation = corpus.training.substr(kept);
    corpus.training.resize(kept);
  }
  return corpus;
}

std::vector<std::filesystem::path> files_of(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  check(fs::exists(path), "there is no file or folder ", path.string());
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (auto entry = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied);
       entry != fs::recursive_directory_iterator(); ++entry) {
    const bool hidden = entry->path().filename().string().starts_with('.');
    if (hidden && entry->is_directory()) entry.disable_recursion_pending();
    if (!hidden && entry->is_regular_file()) files.push_back(entry->path());
  }
  return files;
}

std::vector<std::filesystem::path> standard_headers(const std::string& compiler) {
  const std::string rule =
      output_of(text("for header in ", standard_library, "; do echo \"#include <$header>\"; done | ",
                     compiler, " -std=c++20 -M -MG -x c++ - 2>/dev/null"));
  std::set<std::filesystem::path> files;  // the same one may have several paths
  for (const std::string& word : words_of_rule(rule)) {
    std::error_code ignored;
    if (!std::filesystem::path(word).is_absolute()) continue;
    const std::filesystem::path path = std::filesystem::canonical(word, ignored);
    if (!ignored && std::filesystem::is_regular_file(path, ignored)) files.insert(path);
  }
  return {files.begin(), files.end()};
}

Batch TextWindows::batch(std::uint64_t seed, std::uint32_t stream, Index first, Index count) const {
  const std::vector<Index>& text = stream == stream::training_data ? training : validation;
  check(tokens > 0 && std::ssize(text) > tokens, "text windows: ", text.size(), " tokens have no window of ",
        tokens, " + 1");
  check(first >= 0 && count >= 0 && count <= std::numeric_limits<Index>::max() - first,
        "text windows: ", count, " windows from number ", first, " on");
  std::vector<Index> ids;
  for (Index i = first; i < first + count; ++i) {
    Random random(seed, stream, static_cast<std::uint64_t>(i));
    const auto places = static_cast<double>(std::ssize(text) - tokens);
    const auto begin = text.begin() + static_cast<Index>(random.uniform() * places);
    ids.insert(ids.end(), begin, begin + tokens + 1);
  }
  return next_ids(ids, tokens);
}

}  // namespace mesagrad
