// The layout of the authors' weight files.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/published_weights.h"

#include "nn/safetensors.h"
#include "tests/directory.h"
#include "tests/helpers.h"

namespace mesagrad {
namespace {

constexpr Index D = 7, H = 3, K = 2;
const LinearTransformer::Options settings{
    .heads = H, .key_size = K, .masked_channels = 2, .clip = real{1.5}, .init_deviation = 0};

std::string name_of(Index block, const char* matrix) {
  return text("tf_block.blocklist_", block, ".self_attn.", matrix);
}

// A file as the authors' are, with random numbers.
Safetensors random_file(Index blocks, bool mesa) {
  Safetensors file;
  std::uint64_t seed = 1;
  for (Index b = 0; b < blocks; ++b) {
    for (const char* matrix : {"q_proj.kernel", "k_proj.kernel", "v_proj.kernel"}) {
      file.tensors[name_of(b, matrix)] = random_tensor({D, H * K}, seed++, 0.5);
    }
    file.tensors[name_of(b, "o_proj.kernel")] = random_tensor({H * K, D}, seed++, 0.5);
    if (mesa) file.tensors[name_of(b, "lambdas")] = Tensor({H}, {real{0.5}, real{1}, real{2}});
  }
  return file;
}

// The file, saved and loaded as a model.
template <class Options>
auto loaded(const Safetensors& file, const Options& options) {
  const Directory directory;
  const std::filesystem::path path = directory.path / "published.safetensors";
  save_safetensors(path, file);
  if constexpr (std::is_same_v<Options, Transformer::Options>)
    return load_published_transformer(path, options);
  else return load_published_linear_transformer(path, options);
}

const Tensor& lambda_of(const SelfAttention& layer) { return std::get<MesaLayer>(layer.mixer).lambda; }

// The model of the file's first block, put together by hand.
LinearTransformer by_hand(const Safetensors& file, bool mesa) {
  LinearTransformer::Options options = settings;
  options.width = D;
  if (mesa) options.kind = MesaLayer{};
  LinearTransformer model(options, 1);
  SelfAttention& block = model.blocks[0].attention;
  const auto tensor = [&](const char* matrix) { return file.tensors.at(name_of(0, matrix)); };
  block.wq = tensor("q_proj.kernel");
  block.wk = tensor(mesa ? "v_proj.kernel" : "k_proj.kernel");
  block.wv = tensor(mesa ? "k_proj.kernel" : "v_proj.kernel");
  block.wo = tensor("o_proj.kernel");
  if (mesa) {
    std::get<MesaLayer>(block.mixer).lambda = tensor("lambdas");
    const Tensor theirs = block.wo;
    block.wo = Tensor({H * K, D});
    const Index row_in_file[] = {0, 3, 1, 4, 2, 5};  // (h, k) = (0, 0), (0, 1), (1, 0), ...
    for (Index row = 0; row < H * K; ++row) {
      for (Index c = 0; c < D; ++c) block.wo[row * D + c] = theirs[row_in_file[row] * D + c];
    }
  }
  return model;
}

}  // namespace

TEST_CASE("published weights keep their meaning", "[published_weights]") {
  for (const bool mesa : {false, true}) {
    INFO("mesa " << mesa);
    const Safetensors file = random_file(1, mesa);
    const LinearTransformer model = loaded(file, settings), expected = by_hand(file, mesa);
    const SelfAttention& a = model.blocks.at(0).attention;
    const SelfAttention& b = expected.blocks.at(0).attention;
    for (const auto& [ours, wanted] : {std::pair{a.wq, b.wq}, {a.wk, b.wk}, {a.wv, b.wv}, {a.wo, b.wo}}) {
      CHECK(ours.shape() == wanted.shape());
      CHECK(numbers_of(ours) == numbers_of(wanted));
      CHECK(ours.has_grad());
    }
    CHECK(a.heads == H);
    REQUIRE(std::holds_alternative<MesaLayer>(a.mixer) == mesa);
    if (mesa) CHECK(numbers_of(lambda_of(a)) == numbers_of(lambda_of(b)));
    const Tensor tokens = random_tensor({2, 9, D}, 20);
    CHECK(numbers_of(model(tokens)) == numbers_of(expected(tokens)));
  }
}

TEST_CASE("published weights say how large the model is", "[published_weights]") {
  const Safetensors file = random_file(11, false);  // in the order of names, 10 comes before 2
  const LinearTransformer model = loaded(file, settings);
  CHECK(model.options.width == D);
  CHECK(model.options.key_size == K);
  CHECK(model.blocks.size() == 11);
  CHECK(model.options.heads == H);
  CHECK(model.options.masked_channels == 2);
  CHECK(model.options.clip == real{1.5});
  REQUIRE(model.blocks.size() == 11);
  for (Index b = 0; b < 11; ++b) {
    const Tensor& wv = model.blocks[static_cast<std::size_t>(b)].attention.wv;
    CHECK(numbers_of(wv) == numbers_of(file.tensors.at(name_of(b, "v_proj.kernel"))));
  }
}

TEST_CASE("published weights that do not fit are refused", "[published_weights][errors]") {
  const auto complaint = [](const auto& change, std::initializer_list<const char*> parts,
                            Index heads = H) {
    Safetensors file = random_file(2, true);
    change(file.tensors);
    LinearTransformer::Options options = settings;
    options.heads = heads;
    return lacks([&] { loaded(file, options); }, parts);
  };
  const auto without = [](Index block, const char* matrix) {
    return [=](auto& tensors) { tensors.erase(name_of(block, matrix)); };
  };
  const auto with = [](const std::string& name, const Shape& shape) {
    return [=](auto& tensors) { tensors[name] = Tensor(shape); };
  };
  const auto same = [](auto&) {};
  CHECK(complaint(without(0, "q_proj.kernel"), {"published", "has no tensor", "0.self_attn.q_proj"}) ==
        "");
  CHECK(complaint(without(1, "o_proj.kernel"), {"has no tensor", "1.self_attn.o_proj"}) == "");
  CHECK(complaint(without(1, "lambdas"), {"has no tensor", "1.self_attn.lambdas"}) == "");
  CHECK(complaint(without(0, "lambdas"), {"1.self_attn.lambdas", "is not part of"}) == "");
  CHECK(complaint(without(1, "q_proj.kernel"), {"1.self_attn.k_proj", "is not part of"}) == "");
  CHECK(complaint(with(name_of(0, "q_proj.kernel"), {42}), {"q_proj", "shape (42)"}) == "");
  CHECK(complaint(with(name_of(1, "q_proj.kernel"), {D, 4}),
                  {"1.self_attn.q_proj", "shape (7, 4)", "(7, 6)"}) == "");
  CHECK(complaint(with(name_of(0, "o_proj.kernel"), {D, 6}),
                  {"0.self_attn.o_proj", "shape (7, 6)", "(6, 7)"}) == "");
  CHECK(complaint(with(name_of(1, "lambdas"), {2}), {"1.self_attn.lambdas", "shape (2)", "(3)"}) == "");
  CHECK(complaint(with("input_layer.kernel", {3, 4}),
                  {"input_layer.kernel", "(3, 4)", "is not part of"}) == "");
  CHECK(complaint(same, {"queries have 6 columns", "not 4 heads of key size 2"}, 4) == "");
  CHECK(complaint(same, {"queries have 6 columns", "not 6 heads of key size 2"}, 6) == "");
  CHECK(complaint(same, {"not 0 heads"}, 0) == "");
  const auto missing = [] { load_published_linear_transformer("no/such/file.safetensors", {}); };
  CHECK(lacks(missing, {"no/such/file.safetensors"}) == "");
}

namespace {

// A model as the authors save it.
Safetensors file_of(const Transformer& model) {
  Safetensors file;
  file.tensors = {{"input_layer.kernel", model.embedding}, {"output_layer.kernel", model.readout}};
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    const std::string block = b == 0 ? "hybrid_block." : text("tf_block.blocklist_", b - 1, ".");
    const std::string prefix = block + "self_attn.";
    const SelfAttention& layer = model.blocks[b].attention;
    const bool mesa = std::holds_alternative<MesaLayer>(layer.mixer);
    file.tensors[prefix + "q_proj.kernel"] = layer.wq;
    file.tensors[prefix + (mesa ? "v_proj.kernel" : "k_proj.kernel")] = layer.wk;
    file.tensors[prefix + (mesa ? "k_proj.kernel" : "v_proj.kernel")] = layer.wv;
    const Index heads = layer.heads, key_size = layer.wo.dim(0) / heads, width = layer.wo.dim(1);
    const Tensor wo = layer.wo.copy();
    for (Index row = 0; mesa && row < heads * key_size; ++row) {
      const Index h = row / key_size, k = row % key_size;
      for (Index c = 0; c < width; ++c) wo[(k * heads + h) * width + c] = layer.wo[row * width + c];
    }
    file.tensors[prefix + "o_proj.kernel"] = wo;
    if (mesa) file.tensors[prefix + "lambdas"] = lambda_of(layer);
    if (!model.blocks[b].mlp) continue;
    file.tensors[block + "linear_0.kernel"] = model.blocks[b].mlp->w1;
    file.tensors[block + "linear_2.kernel"] = model.blocks[b].mlp->w2;
  }
  return file;
}

Transformer::Options hybrid() {
  return {.inputs = 3,
          .outputs = 2,
          .width = 6,
          .blocks = {SoftmaxAttention{}, SoftmaxAttention{}, MesaLayer{}},
          .heads = 2,
          .key_size = 3,
          .tokens = 9,
          .clip = 1,
          .init_deviation = 0.5};
}

}  // namespace

TEST_CASE("a published Transformer keeps its meaning", "[published_weights]") {
  const Transformer model(hybrid(), 4);
  const Safetensors file = file_of(model);
  const Transformer::Options known{.heads = 2, .key_size = 3, .tokens = 9, .clip = 1};
  const Transformer again = loaded(file, known);
  REQUIRE(again.blocks.size() == 3);
  for (std::size_t b = 0; b < 3; ++b) {
    CHECK(again.options.blocks[b].index() == model.options.blocks[b].index());
  }
  const Tensor x = random_tensor({2, 9, 3}, 5);
  CHECK(numbers_of(again(x)) == numbers_of(model(x)));
  const auto complaint = [&](const auto& change, std::initializer_list<const char*> parts) {
    Safetensors changed = file;
    change(changed.tensors);
    return lacks([&] { loaded(changed, known); }, parts);
  };
  CHECK(complaint([](auto& t) { t.erase("input_layer.kernel"); }, {"no tensor \"input_layer.kernel\""}) ==
        "");
  CHECK(complaint([](auto& t) { t["output_layer.kernel"] = Tensor({5, 2}); },
                  {"output_layer.kernel", "shape (5, 2), expected (6, 2)"}) == "");
  CHECK(complaint([](auto& t) { t["hybrid_block.self_attn.q_proj.kernel"] = Tensor({6, 6}); },
                  {"hybrid_block.self_attn.q_proj", "shape (6, 6), expected (12, 6)"}) == "");
  CHECK(complaint([](auto& t) { t["mlp.kernel"] = Tensor({2}); }, {"mlp.kernel", "is not part of"}) ==
        "");
  CHECK(complaint([](auto& t) { t["hybrid_block.linear_2.kernel"] = Tensor({4, 6}); },
                  {"hybrid_block.linear_2.kernel", "is not part of"}) == "");
  CHECK(lacks([&] { loaded(file, Transformer::Options{.heads = 3, .key_size = 3}); },
              {"6 columns", "not 3 heads of key size 3"}) == "");
}

TEST_CASE("a published Transformer of nonlinear systems keeps its meaning", "[published_weights]") {
  Transformer::Options options = hybrid();
  options.mlp = 4;
  options.unit_keys = true;
  Transformer model(options, 4);
  SelfAttention& mesa = model.blocks[2].attention;  // by its name in the authors' code, k_proj is unit
  mesa.unit_keys = false;
  mesa.unit_values = true;
  const Safetensors file = file_of(model);
  const Transformer again = loaded(
      file, Transformer::Options{.heads = 2, .key_size = 3, .tokens = 9, .clip = 1, .unit_keys = true});
  CHECK(again.options.mlp == 4);
  const Tensor x = random_tensor({2, 9, 3}, 5);
  CHECK(numbers_of(again(x)) == numbers_of(model(x)));
  mesa.unit_values = false;
  CHECK(numbers_of(again(x)) != numbers_of(model(x)));
  const auto without = [&](const char* name, std::initializer_list<const char*> parts) {
    Safetensors changed = file;
    changed.tensors.erase(name);
    return lacks([&] { loaded(changed, Transformer::Options{.heads = 2, .key_size = 3}); }, parts);
  };
  CHECK(without("hybrid_block.linear_2.kernel", {"no tensor", "hybrid_block.linear_2.kernel"}) == "");
  CHECK(without("tf_block.blocklist_1.linear_0.kernel", {"no tensor", "blocklist_1.linear_0.kernel"}) == "");
}

}  // namespace mesagrad
