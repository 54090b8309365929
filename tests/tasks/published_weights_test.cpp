// What the authors report of their weights: losses, and where the first layers look.
#include "tests/catch.h"  // first, because it is precompiled

#include "nn/published_weights.h"

#include <cstdlib>

#include "nn/safetensors.h"
#include "tasks/few_shot.h"
#include "tasks/in_context.h"
#include "tasks/nonlinear_dynamics.h"
#include "tasks/partially_observed.h"
#include "tasks/token_binding.h"
#include "tests/helpers.h"
#include "tutorials/lesson/depth_probes.h"

namespace mesagrad {
namespace {

// A file of the authors' weights; empty, after a warning, if it is not here.
std::filesystem::path published(const char* file) {
  const char* directory = std::getenv("MESAGRAD_WEIGHTS");
  const std::filesystem::path path =
      std::filesystem::path(directory != nullptr ? directory : "../shared/reference/weights") / file;
  if (std::filesystem::exists(path)) return path;
  WARN("skipped: there is no " << path.string() << "; MESAGRAD_WEIGHTS names the weights' directory");
  return {};
}

template <Task T>
LossCurve curve_of(const T& task, const Transformer& model) {
  return loss_curve(task, 1, stream::test_data, 5 * 256, model);
}

LossCurve curve_of(const Transformer& model) {
  return curve_of(LinearDynamics{.inputs = Tokens::raw}, model);
}

LossCurve curve_of(const LinearTransformer& model) {
  return loss_curve(LinearDynamics{}, 1, stream::test_data, 5 * 256, model);
}

// Two means over equally many sequences, of which the error of one is known, agree.
void check_agreement(double ours, double theirs, double standard_error) {
  INFO("ours " << ours << " ± " << standard_error << ", the authors' " << theirs);
  CHECK(std::abs(ours - theirs) < 4 * std::sqrt(2.0) * standard_error);
}

// What linear probes miss after each layer at t = 49, as a part of what they miss of the input.
struct Probes {
  std::vector<double> next, preconditioned;
};

// The authors probe five draws of 256 sequences; so the error of the mean is known.
template <class Model>
void check_probes(const LinearDynamics& task, const Model& model, const Probes& theirs) {
  std::vector<lesson::DepthProbes> draws;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    draws.push_back(lesson::probe_by_depth(task, model, seed, 256));
  }
  for (const bool is_next : {true, false}) {
    const std::vector<double>& reported = is_next ? theirs.next : theirs.preconditioned;
    for (std::size_t l = 1; l < reported.size(); ++l) {
      const Index layer = static_cast<Index>(l);
      double sum = 0, squares = 0;
      for (const lesson::DepthProbes& draw : draws) {
        const double left = is_next ? draw.next_left(layer, 49) : draw.preconditioned_left(layer, 49);
        sum += left;
        squares += left * left;
      }
      INFO((is_next ? "next" : "preconditioned") << " state after layer " << l);
      check_agreement(sum / 5, reported[l] / reported[0], std::sqrt((squares / 5 - sum * sum / 25) / 4));
    }
  }
}

}  // namespace

// The authors' evaluation: 5 batches of 256 sequences. Their losses at some positions, and over all.
TEST_CASE("published linear Transformers have the losses that their authors report", "[published_weights]") {
  constexpr std::size_t positions[] = {0, 4, 9, 19, 29, 39, 49};
  struct Report {
    const char* file;
    Index heads, masked_channels;
    double losses[7], total;
  };
  for (const Report& report : std::initializer_list<Report>{
           {"constructed_lsa1.safetensors", 2, 20,
            {1.67491, 1.51438, 1.26519, 0.83540, 0.61411, 0.60065, 0.78709}, 0.894156},
           {"constructed_lsa2.safetensors", 4, 0,
            {1.67615, 1.23328, 0.74189, 0.27496, 0.15815, 0.14291, 0.24170}, 0.430219},
           {"constructed_lsa6.safetensors", 4, 0,
            {1.67500, 1.03831, 0.30826, 0.02298, 0.01123, 0.00931, 0.00926}, 0.215727}}) {
    const std::filesystem::path path = published(report.file);
    if (path.empty()) continue;
    INFO(report.file);
    const LossCurve curve = curve_of(load_published_linear_transformer(
        path, {.heads = report.heads, .masked_channels = report.masked_channels}));
    for (std::size_t n = 0; n < 7; ++n) {
      const std::size_t t = positions[n];
      INFO("position " << t);
      check_agreement(curve.mean[t], report.losses[n], curve.standard_error(static_cast<Index>(t)));
    }
    check_agreement(curve.total(), report.total, curve.standard_error());
  }
}

TEST_CASE("the published mesa-layer has the loss that its authors report", "[published_weights]") {
  const std::filesystem::path path = published("constructed_mesa.safetensors");
  if (path.empty()) return;
  const LinearTransformer model =
      load_published_linear_transformer(path, {.heads = 4, .masked_channels = 20});
  CHECK(std::get<MesaLayer>(model.blocks.at(0).attention.mixer).lambda.shape() == Shape({4}));
  const LossCurve curve = curve_of(model);
  check_agreement(curve.total(), 0.1900, curve.standard_error());
}

TEST_CASE("published Transformers have the losses that their authors report", "[published_weights]") {
  constexpr std::size_t positions[] = {0, 1, 4, 9, 19, 29, 39, 49};
  struct Report {
    const char* file;
    real clip;
    double losses[8], total;
  };
  for (const Report& report : std::initializer_list<Report>{
           {"fully_observed_tf7.safetensors", 0,
            {1.72256, 1.63231, 1.14604, 0.30137, 0.02548, 0.01545, 0.01308, 0.01184}, 0.230175},
           {"fully_observed_hybrid_mesa.safetensors", 1,
            {1.85094, 1.57404, 1.02968, 0.19748, 0.00576, 0.00298, 0.00230, 0.00227}, 0.19836}}) {
    const std::filesystem::path path = published(report.file);
    if (path.empty()) continue;
    INFO(report.file);
    const LossCurve curve = curve_of(load_published_transformer(path, {.clip = report.clip}));
    for (std::size_t n = 0; n < std::size(positions); ++n) {
      const std::size_t t = positions[n];
      INFO("position " << t);
      check_agreement(curve.mean[t], report.losses[n], curve.standard_error(static_cast<Index>(t)));
    }
    check_agreement(curve.total(), report.total, curve.standard_error());
  }
}

// So where our own models have other probes (lessons 5 and 8), it is the training that found another way.
TEST_CASE("what probes read off published Transformers is what their authors report", "[published_weights]") {
  const std::filesystem::path linear = published("constructed_lsa6.safetensors"),
                              softmax = published("fully_observed_tf7.safetensors");
  if (linear.empty() || softmax.empty()) return;
  check_probes({}, load_published_linear_transformer(linear, {.heads = 4}),
               {{1.53, .492, .197, .0433, .0438, .0288, .00753},
                {.00527, .00276, .00156, .00129, .000931, .00181, .00192}});
  check_probes({.inputs = Tokens::raw}, load_published_transformer(softmax, {.clip = 0}),
               {{1.62, 1.38, .798, .422, .262, .114, .0374, .00918},
                {.00575, .00494, .00415, .00329, .00219, .00183, .00191, .00198}});
}

void check_curve(const LossCurve& curve, const std::vector<std::pair<std::size_t, double>>& losses,
                 double total) {
  for (const auto& [t, loss] : losses) {
    INFO("position " << t);
    check_agreement(curve.mean[t], loss, curve.standard_error(static_cast<Index>(t)));
  }
  check_agreement(curve.total(), total, curve.standard_error());
}

TEST_CASE("the published Transformer of partially observed systems has its authors' losses",
          "[published_weights]") {
  const std::filesystem::path path = published("partially_observed_tf7.safetensors");
  if (path.empty()) return;
  check_curve(curve_of(PartiallyObserved{}, load_published_transformer(path, {.heads = 12})),
              {{0, 3.088}, {2, 2.918}, {4, 2.789}, {9, 2.107}, {14, 1.117}, {19, .311}}, .7953);
  CHECK(lacks([&] { load_published_transformer(path, {}); }, {"240 columns", "not 4 heads of key size 20"}) ==
        "");
}

TEST_CASE("the published Transformer of nonlinear systems has its authors' losses", "[published_weights]") {
  const std::filesystem::path path = published("nonlinear_tf7.safetensors"),
                              system = published("../nonlinear_system.safetensors");
  if (path.empty() || system.empty()) return;
  const auto tensors = load_safetensors(system).tensors;
  const NonlinearDynamics task{.network = {matrix_of(tensors.at("A")), matrix_of(tensors.at("B"))}};
  check_curve(curve_of(task, load_published_transformer(path, {.unit_keys = true})),
              {{0, .501}, {2, .301}, {4, .123}, {9, .0194}, {14, .0089}, {29, .0043}, {49, .0034}}, .0392);
  // Without unit lengths the trained model is lost.
  CHECK(curve_of(task, load_published_transformer(path, {})).total() > 0.5);
  const ChebyshevCoefficients c = published_coefficients(6, PublishedFor::features);
  const auto features = [&](const Matrix& states) { return task.network.unit_features(states); };
  const Predictor plan =
      predict_with(chebyshev(c.alpha, c.beta), {.newest_pair = false, .features = features});
  check_curve(loss_curve(task, 1, stream::test_data, 5 * 256, plan),
              {{0, .501}, {2, .394}, {4, .173}, {9, .0225}, {19, .0062}}, .0467);
}

TEST_CASE("the published few-shot Transformer has its authors' losses", "[published_weights]") {
  const std::filesystem::path path = published("icl_tf7.safetensors");
  if (path.empty()) return;
  const Transformer model = load_published_transformer(path, {.tokens = 224});
  const LossCurve base = loss_curve(FewShot{}, 1, stream::test_data, 5 * 128, model);
  for (const auto& [pair, loss] : std::vector<std::pair<std::size_t, double>>{
           {0, 1.685}, {4, 1.918}, {8, 1.549}, {16, 1.061}, {32, .872}, {64, .759}}) {
    INFO("pair " << pair);
    CHECK(base.t[pair] == 2.0 * static_cast<double>(pair));
    check_agreement(base.mean[pair], loss, base.standard_error(static_cast<Index>(pair)));
  }
  const LossCurve separated = loss_curve(FewShot{.separator = true}, 1, stream::test_data, 5 * 128, model);
  double mean = 0;
  for (std::size_t pair = 0; pair < 68; ++pair) mean += separated.mean[pair] / 68;
  check_agreement(mean, .841, separated.standard_error());
}

TEST_CASE("classical algorithms of stacked observations have the losses that the authors report",
          "[in_context]") {
  const ChebyshevCoefficients c = published_coefficients(6, PublishedFor::stacked);
  const auto plan = [&](const Features& features) {
    const Predictor p =
        predict_with(chebyshev(c.alpha, c.beta), {.newest_pair = false, .features = features});
    return loss_curve(PartiallyObserved{}, 1, stream::test_data, 5 * 256, p);
  };
  check_curve(plan({}), {{0, 3.087}, {2, 3.013}, {4, 4.890}, {9, 3.446}, {19, 2.066}, {49, 1.736}}, 2.349);
  check_curve(plan(stacked(16)), {{0, 3.087}, {2, 3.014}, {4, 3.671}, {9, 2.468}, {19, .732}, {49, .135}},
              1.034);
}

// The mean share of attention that the first layer's heads give to the token itself, to the one before and
// to the one before that, from the sixth token on.
TEST_CASE("published first layers look at the tokens that their authors report", "[published_weights]") {
  struct Report {
    const char* file;
    real clip;
    double shares[4][3];
  };
  for (const Report& report : std::initializer_list<Report>{
           {"fully_observed_tf7.safetensors", 0,
            {{.59, .24, .06}, {.44, .51, .03}, {.02, .85, .12}, {.98, .03, .00}}},
           {"fully_observed_hybrid_mesa.safetensors", 1,
            {{.53, .41, .06}, {.65, .32, .02}, {.54, .41, .05}, {.32, .61, .07}}}}) {
    const std::filesystem::path path = published(report.file);
    if (path.empty()) continue;
    INFO(report.file);
    const Transformer model = load_published_transformer(path, {.clip = report.clip});
    const Tensor states = current_states(sample_states(LinearDynamics{}, 1, stream::test_data, 0, 256));
    const std::vector<Matrix> maps =
        attention_maps(model.blocks[0].attention, matmul(states, model.embedding), model.table);
    for (std::size_t h = 0; h < 4; ++h) {
      for (Index back = 0; back < 3; ++back) {
        double share = 0;
        for (Index t = 5; t < 50; ++t) share += maps[h](t, t - back) / 45;
        INFO("head " << h << ", " << back << " back");
        CHECK(std::abs(share - report.shares[h][back]) < 0.02);
      }
    }
  }
}

}  // namespace mesagrad
