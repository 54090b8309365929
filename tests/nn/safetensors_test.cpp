#include "tests/catch.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "core/files.h"
#include "nn/safetensors.h"
#include "tests/directory.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

namespace fs = std::filesystem;

// A place for one file.
struct Place : Directory {
  fs::path file = path / "a.safetensors";
};

// As on a full disk: no file can grow beyond `bytes`.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(real)) == 0;
}

}  // namespace

TEST_CASE("safetensors: what is saved comes back bit for bit", "[safetensors]") {
  using Limits = std::numeric_limits<real>;
  const Place directory;
  const Tensor odd({6}, {real{-0.0}, Limits::denorm_min(), -Limits::infinity(), Limits::max(),
                         Limits::quiet_NaN(), Limits::signaling_NaN()});
  const std::string nul("nul\0inside", 10);
  const std::string loud(300, '"');
  const Safetensors saved{
      .tensors = {{"blocks.0.wq", random_tensor({3, 5}, 1)},
                  {"odd numbers", odd},
                  {"four dimensions", random_tensor({2, 1, 3, 2}, 2)},
                  {"a number", Tensor(Shape{}, {real{7}})},
                  {"no rows", Tensor({0, 5})},
                  {"no columns", Tensor({3, 0, 2})},
                  {"", random_tensor({1}, 3)},
                  {"\"quotes\" \\ / \b\f\n\r\t\x01\x1f\x7f", random_tensor({1}, 4)},
                  {nul, random_tensor({1}, 5)},
                  {"λ → 日本 🙂 \U0010FFFF", random_tensor({1}, 6)},
                  {loud, random_tensor({1}, 7)}},
      .metadata = {{"step", "12"}, {"", ""}, {"λ\"\n", nul}, {"w", "{\"a\": [1]}"}}};
  save_safetensors(directory.file, saved);
  const Safetensors loaded = load_safetensors(directory.file);

  CHECK(loaded.metadata == saved.metadata);
  REQUIRE(loaded.tensors.size() == saved.tensors.size());
  for (const auto& [name, tensor] : saved.tensors) {
    INFO(name);
    REQUIRE(loaded.tensors.contains(name));
    CHECK(same_bits(loaded.tensors.at(name), tensor));
    CHECK_FALSE(loaded.tensors.at(name).has_grad());
  }
}

TEST_CASE("safetensors: the bytes on disk are those of the format", "[safetensors]") {
  const Place directory;
  save_safetensors(directory.file, {.tensors = {{"w", Tensor({1, 2}, {1, -2})}}, .metadata = {}});
  const std::string header = in_double
                                 ? R"({"w":{"dtype":"F64","shape":[1,2],"data_offsets":[0,16]}})"
                                 : R"({"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})";
  const std::string one =
      in_double ? std::string("\0\0\0\0\0\0\xf0\x3f", 8) : std::string("\0\0\x80\x3f", 4);
  const std::string minus_two =
      in_double ? std::string("\0\0\0\0\0\0\0\xc0", 8) : std::string("\0\0\0\xc0", 4);
  const std::string padding((8 - header.size() % 8) % 8, ' ');
  const std::string length(1, static_cast<char>(header.size() + padding.size()));
  CHECK(read_file(directory.file) ==
        length + std::string(7, '\0') + header + padding + one + minus_two);
}

TEST_CASE("safetensors: a file without tensors", "[safetensors]") {
  const Place directory;
  save_safetensors(directory.file, {});
  CHECK(fs::file_size(directory.file) == 16);
  CHECK(load_safetensors(directory.file).tensors.empty());
  save_safetensors(directory.file, {.tensors = {}, .metadata = {{"a", "b"}}});
  CHECK(load_safetensors(directory.file).metadata.at("a") == "b");
}

TEST_CASE("safetensors: what can't be saved is named, and no file appears", "[safetensors]") {
  const Place directory;
  const auto missing = [&](const Safetensors& file, const char* reason) {
    return lacks([&] { save_safetensors(directory.file, file); }, {"a.safetensors", reason});
  };
  CHECK(missing({{{"w", Tensor()}}, {}}, "\"w\" is undefined") == "");
  CHECK(missing({{{"__metadata__", Tensor({1})}}, {}}, "can't be named __metadata__") == "");
  for (const char* bad : {"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    CHECK(missing({{{bad, Tensor({1})}}, {}}, "UTF-8") == "");
    CHECK(missing({{}, {{"key", bad}}}, "UTF-8") == "");
    CHECK(missing({{}, {{bad, "value"}}}, "UTF-8") == "");
  }
  CHECK(directory.names().empty());
}

TEST_CASE("safetensors: an old file survives when the new one can't be written", "[safetensors]") {
  const Place directory;
  const auto save = [](const fs::path& path, Index n) {
    save_safetensors(path, {.tensors = {{"w", Tensor({n})}}, .metadata = {}});
  };
  save(directory.file, 3);
  const std::string old = read_file(directory.file);
  for (const Index n : {10, 100000}) {  // fails at the last flush, and long before
    const FullDisk disk(n == 10 ? 60 : 6000);
    CHECK(lacks([&] { save(directory.file, n); }, {"cannot write", "a.safetensors", "large"}) ==
          "");
  }
  CHECK(read_file(directory.file) == old);
  CHECK(directory.names() == std::set<std::string>{"a.safetensors"});

  save(directory.file, 100000);
  CHECK(load_safetensors(directory.file).tensors.at("w").size() == 100000);
  CHECK(directory.names() == std::set<std::string>{"a.safetensors"});
}

TEST_CASE("safetensors: places where no file can be", "[safetensors]") {
  const Place directory;
  const auto save = [](const fs::path& path) { save_safetensors(path, {}); };
  const auto load = [](const fs::path& path) { load_safetensors(path); };
  CHECK(lacks([&] { save(directory.path / "none" / "a"); }, {"none/a", "No such file"}) == "");
  CHECK(lacks([&] { save(directory.path); }, {"cannot write", "it is a directory"}) == "");
  CHECK(lacks([&] { load(directory.path / "none"); }, {"cannot read", "No such file"}) == "");
  CHECK(lacks([&] { load(directory.path); }, {"cannot read", "Is a directory"}) == "");

  // A link, so that a mistake here can't harm the real device.
  const fs::path device = directory.path / "device";
  fs::create_symlink("/dev/null", device);
  CHECK(lacks([&] { save(device); }, {"cannot write", "not a regular file"}) == "");
  CHECK(fs::is_symlink(device));
  CHECK(directory.names() == std::set<std::string>{"device"});
}

TEST_CASE("safetensors: a model's parameters return to it", "[safetensors]") {
  const Place directory;
  Tensor a = random_tensor({2, 3}, 1);
  Tensor b = random_tensor({4}, 2);
  b.requires_grad().grad()[0] = 5;
  save_parameters(directory.file, {{"a", &a}, {"b", &b}}, {{"step", "9"}});
  const std::vector<real> a_before = numbers_of(a);
  const std::vector<real> b_before = numbers_of(b);
  const Tensor handle = b;
  a[1] = 0;
  b[3] = 0;
  const auto metadata = load_parameters(directory.file, {{"b", &b}, {"a", &a}});
  CHECK(metadata.at("step") == "9");
  CHECK(numbers_of(a) == a_before);
  CHECK(numbers_of(handle) == b_before);  // the numbers themselves, not just another handle
  CHECK(b.grad()[0] == 5);
  const Parameters twice{{"a", &a}, {"a", &b}};
  CHECK(lacks([&] { save_parameters(directory.file, twice); },
              {"two tensors are named \"a\""}) == "");
}

TEST_CASE("safetensors: a file that does not fit the model changes nothing", "[safetensors]") {
  const Place directory;
  Tensor a({2, 3}, 1);
  Tensor b({4}, 1);
  Tensor none;
  save_parameters(directory.file, {{"a", &a}, {"b", &b}});
  Tensor other({2, 3}, 2);
  Tensor wide({2, 2}, 2);
  const auto load = [&](const Parameters& parameters) {
    return [&directory, parameters] { load_parameters(directory.file, parameters); };
  };
  CHECK(lacks(load({{"a", &other}, {"b", &wide}}),
              {"a.safetensors", "\"b\" has shape (4), the model's has (2, 2)"}) == "");
  CHECK(lacks(load({{"a", &other}}), {"a.safetensors", "\"b\" of shape (4) is not in the model"}) ==
        "");
  CHECK(lacks(load({{"a", &other}, {"b", &b}, {"c", &wide}}),
              {"a.safetensors", "no tensor \"c\"", "(2, 2)"}) == "");
  CHECK(lacks(load({{"a", &other}, {"b", &none}}), {"\"b\" is undefined"}) == "");
  CHECK(lacks(load({{"a", &other}, {"a", &a}}), {"\"a\"", "twice"}) == "");
  CHECK(numbers_of(other) == std::vector<real>(6, 2));
  CHECK(numbers_of(wide) == std::vector<real>(4, 2));
}

TEST_CASE("safetensors: the published weights load", "[safetensors]") {
  const fs::path directory = "../shared/reference/weights";
  if (!fs::is_directory(directory)) {
    WARN("skipped: there is no " << directory.string());
    return;
  }
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() != ".safetensors") continue;
    INFO(entry.path().string());
    const Safetensors file = load_safetensors(entry.path());
    CHECK(file.metadata.contains("source"));
    CHECK_FALSE(file.tensors.empty());
    for (const auto& [name, tensor] : file.tensors) {
      INFO(name);
      double sum = 0;
      for (const real x : numbers_of(tensor)) sum += std::abs(x);
      CHECK(std::isfinite(sum));
      CHECK(sum > 0);
    }
  }
}

}  // namespace mesagrad
