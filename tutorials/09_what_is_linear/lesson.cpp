// What is linear here?
#include <algorithm>

#include "tasks/in_context.h"
#include "tasks/kernel_regression.h"
#include "tutorials/09_what_is_linear/measure.h"
#include "tutorials/09_what_is_linear/paper.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/train.h"

using namespace mesagrad;

namespace {

Tensor attention(const Transformer& model, std::size_t l, const Tensor& stream) {
  return model.blocks[l].attention(stream, l == 0 ? model.table : Tensor());
}

struct Pair {
  Tensor stream;  // (B, T, D) before a block
  Tensor added;   // by its attention
};

std::vector<Pair> recorded_pairs(const Transformer& teacher, const Tensor& inputs) {
  std::vector<Pair> pairs;
  Tensor stream = matmul(inputs, teacher.embedding);
  for (std::size_t l = 0; l < teacher.blocks.size(); ++l) {
    pairs.push_back({stream, attention(teacher, l, stream)});
    stream = stream + pairs.back().added;
  }
  return pairs;
}

void lesson_body(lesson::Lesson& L) {
  L.step("Kernels");
  std::vector<double> betas;
  for (int i = 0; i < 40; ++i) betas.push_back(1e-4 + i * (4 - 1e-4) / 39);
  const Index sequences = L.scaled<Index>({.smoke = 16, .lesson = 128, .paper = 640});
  for (std::size_t n = 0; n < paper::kernel_dimensions.size(); ++n) {
    const Index d = paper::kernel_dimensions[n];
    const LinearDynamics task = {.dimension = d, .tokens = 4 * d, .clip = 1000};
    const double per = 1 / static_cast<double>(d);
    const LossCurve kernel = kernel_regression_curve(task, L.seed(), stream::test_data, sequences, betas);
    const auto best = static_cast<std::size_t>(std::ranges::min_element(kernel.mean) - kernel.mean.begin());
    std::string line = text("d ", d, " kernel ", kernel.mean[best] * per, " +- ", kernel.standard_error(static_cast<Index>(best)) * per, " beta ", betas[best], " authors ", paper::kernel_regression[n], "; lsq ");
    for (const double ridge : {1e-4, 1e-3, .2565}) {
      for (const bool newest : {false, true}) {
      const LossCurve lsq = loss_curve(task, L.seed(), stream::test_data, sequences, least_squares_predictor({.ridge = ridge, .newest_pair = newest}));
      line += text(" ", ridge, newest ? " all " : " behind ", lsq.total() * per, "+-", lsq.standard_error() * per);
      }
    }
    const Nearest near = nearest_states(task, L.seed(), sequences);
    L.say(text(line, " authors ", paper::least_squares[n], " near ", near.cosine, " ", near.either_sign));
  }

  L.step("Teacher");
  const paper::Linearization& authors = paper::linearization[2];
  const Index d = authors.dimension;
  const LinearDynamics task = {.dimension = d, .tokens = 4 * d, .inputs = Tokens::raw};
  const lesson::Recipe<Transformer> recipe = teacher_recipe(L, authors);
  const auto trained = lesson::train(L, text("teacher, d = ", d), task, recipe, L.seed());
  const Transformer teacher = snapshot(trained.model);
  const Index tested = L.scaled<Index>({.smoke = 64, .lesson = 1280, .paper = 2560});
  const auto test_loss = [&](const Transformer& model) {
    return loss_curve(task, L.seed(), stream::test_data, tested, model).total();
  };
  const double teachers_loss = test_loss(teacher);
  L.say(text("teacher ", teachers_loss));

  L.step("Students");
  const lesson::Recipe<Transformer> course = students_recipe(L, d);
  const auto errors = [&](const Transformer& students, bool silent) {
    return loss_curve(course.test_sequences, 7, [&](Index first, Index count, double* out) {
      const Batch batch = task.batch(L.seed(), stream::test_data, first, count);
      std::vector<double> losses(static_cast<std::size_t>(count * task.tokens));
      const std::vector<Pair> pairs = recorded_pairs(teacher, batch.inputs);
      for (std::size_t l = 0; l < 7; ++l) {
        const auto& [stream, added] = pairs[l];
        squared_errors(silent ? Tensor(added.shape()) : attention(students, l, stream), added, losses.data());
        for (Index i = 0; i < count; ++i) {
          double sum = 0;
          for (Index t = 0; t < task.tokens; ++t) sum += losses[static_cast<std::size_t>(i * task.tokens + t)] / static_cast<double>(task.tokens);
          out[i * 7 + static_cast<Index>(l)] = sum;
        }
      }
    });
  };
  const lesson::Objective<Transformer> imitation = {
      .in_words = text("each layer of: ", in_words(recipe), ", ", lesson::in_words(task)),
      .tokens = task.tokens,
      .loss_of = [&](const Transformer& students, Index first, Index count) {
        const Batch batch = task.batch(L.seed() + 1000, stream::training_data, first, count);
        Tensor loss(Shape{});
        for (std::size_t l = 0; const auto& [stream, added] : recorded_pairs(teacher, batch.inputs)) {
          loss = loss + squared_error(attention(students, l++, stream), added, course.batch);
        }
        return loss;
      },
      .test = [&](const Transformer& students) { return 7 * errors(students, false).total(); }};
  const auto taught = lesson::train(L, text("students, d = ", d), imitation, course, L.seed());
  const LossCurve error = errors(taught.model, false), energy = errors(taught.model, true);
  L.step("Swap");
  for (std::size_t l = 0; l < 7; ++l) {
    Transformer swapped = teacher;
    swapped.blocks[l] = taught.model.blocks[l];
    L.say(text("block ", l + 1, ": share ", error.mean[l] / energy.mean[l], " normalised loss ",
               test_loss(swapped) / teachers_loss, " authors ", authors.mean[l]));
  }
  Transformer swapped = teacher;
  for (std::size_t l = 6; l > 0; --l) {
    swapped.blocks[l] = taught.model.blocks[l];
    L.say(text("blocks from ", l + 1, " on: ", test_loss(swapped) / teachers_loss));
  }
  L.step("What could have gone wrong");
  L.found(text("teacher ", teachers_loss));
  L.claim_below("teacher's loss", teachers_loss, 0.4);
  L.step("Things to try");
}

}  // namespace

int main(int argc, char** argv) {
  return lesson::run({.number = 9, .title = "What is linear here?",
                      .question = "Which layers of softmax attention could be linear?",
                      .source = __FILE__},
                     argc, argv, lesson_body);
}
