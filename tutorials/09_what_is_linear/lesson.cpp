// What is linear here? Two ways in which softmax attention could predict, and a test that tells them apart.
//
// In lesson 3 a layer of linear attention turned out to be a step of gradient descent on the pairs of the
// past, and so several layers are an optimizer that runs inside of the model. But the models of lessons 7 and
// 8 have softmax attention, as all Transformers in use. Is what we learned about linear layers true of them
// too? They are nearly as good at the task; that does not say that they do the same.
//
// There is a rival explanation, and it suits softmax better. Divide your attention among the states of
// the past by how similar they are to the present one, and predict a mean of what came next, with these
// shares as weights. That is a respectable method of statistics, kernel regression, and it is literally what
// one head of softmax attention computes, given pairs. No gradient, no descent, no linear map that anybody
// fits.
//
// So either a softmax layer uses its exponential, to choose what is similar; or it does not need it, and works
// like a linear one. This lesson asks twice. First: how good would the rival be? And then, of a trained model,
// layer by layer: how much does it lose if this layer is made linear?
//
// A word on "linear". A layer of linear attention is no linear function of its tokens: queries, keys and
// values are all made of tokens, and it multiplies the three. It is linear in its scores: each value is added
// with the score itself, q_t·k_i, as its weight, where softmax puts an exponential and a quotient between.
#include <algorithm>

#include "tasks/in_context.h"
#include "tasks/kernel_regression.h"
#include "tutorials/09_what_is_linear/measure.h"
#include "tutorials/09_what_is_linear/paper.h"
#include "tutorials/09_what_is_linear/recipes.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/train.h"

using namespace mesagrad;

namespace {

// -- Recording a teacher ------------------------------------------------------------------------------
// What a block's attention adds to the stream, which only the first block sees together with positions.
Tensor attention(const Transformer& model, std::size_t block, const Tensor& stream) {
  return model.blocks[block].attention(stream, block == 0 ? model.table : Tensor());
}

// What a student of one block is shown: both (B, T, D).
struct Example {
  Tensor stream;  // before the block
  Tensor added;   // by its attention
};

// An example for each block, of inputs (B, T, d).
std::vector<Example> recorded(const Transformer& teacher, const Tensor& inputs) {
  std::vector<Example> examples;
  Tensor stream = matmul(inputs, teacher.embedding);
  for (std::size_t block = 0; block < teacher.blocks.size(); ++block) {
    examples.push_back({stream, attention(teacher, block, stream)});
    stream = stream + examples.back().added;
  }
  return examples;
}

std::string three_digits(double x) { return lesson::short_number(x, 3); }
std::string percent(double part) { return lesson::fixed_number(100 * part, 0) + " %"; }

double median(std::vector<double> odd) {
  std::ranges::sort(odd);
  return odd[odd.size() / 2];
}

void lesson_body(lesson::Lesson& L) {
  // -------------------------------------------------------------------------------------------
  L.step("A rival: ask what is similar");
  //
  // Kernel regression predicts, from the pairs (s_i, s_{i+1}) seen so far,
  //
  //     f_t = Σ_{i<t} p_i s_{i+1},      p_i = exp(β s_i·s_t) / Σ_{j<t} exp(β s_j·s_t)
  //
  // A head of softmax attention can compute this: with s_t as its query, the s_i as keys, the s_{i+1} as
  // values. (It needs tokens that hold a state and the next, which is what the first layer is for: lesson
  // 7.) β is how picky it is. At β = 0 all weights are equal; a large β listens to the most similar state
  // only. Small is a blur, large is at the mercy of one neighbour; we try forty values and keep the best.
  //
  // Nothing here is special to linear systems: kernel regression would do for any smooth map. Least
  // squares knows that the map is linear. What is that worth? Since W is linear, the mean of W s_i is W
  // applied to the mean:
  //
  //     Σ p_i s_{i+1} = W (Σ p_i s_i) + noise
  //
  // so the prediction is right if the weights, used on the old states, give the present one: s_t = Σ p_i s_i.
  // Kernel regression tries that with positive weights of sum one, which can only give points between the
  // old states, and picks them by a formula. Least squares may take any weights. Any d independent states
  // span the space: from then on it can give every s_t, exactly.
  //
  // How does it depend on the dimension d? Sequences have T = 4d states, so that the number of pairs grows as
  // fast as what there is to find out. Losses are divided by d, as saying 0 costs 1/6 of d. Least squares
  // fails in the first quarter, while t < d, and hardly afterwards; so its mean should not depend on d much.
  // For kernel regression we expect trouble.
  const Index sequences = L.scaled<Index>({.smoke = 16, .lesson = 128, .paper = 2560});
  L.setting("sequences of the classical methods", sequences);
  std::vector<Classical> classics;
  for (std::size_t n = 0; n < paper::kernel_dimensions.size(); ++n) {
    L.check_interrupted();
    classics.push_back(compare_classics(L, n, sequences));
  }
  L.show(classical_figure(classics));
  const Classical &few = classics[0], &many = classics[4];
  L.say(text("From d = 4 to d = 40 the loss per dimension of kernel regression goes from ",
             three_digits(few.kernel), " to ", three_digits(many.kernel), ", that of least squares from ",
             three_digits(few.behind), " to ", three_digits(many.behind), "."));

  // -------------------------------------------------------------------------------------------
  L.step("Neighbours are rare");
  //
  // Why? In the plane, among sixteen random directions there is one near to any that you ask for. In sixty
  // dimensions there is none among hundreds. The cosine of the angle between two random directions is a sum of
  // d products as often positive as negative; its mean is 0, and its standard deviation 1/√d. So random vectors
  // of many dimensions are nearly orthogonal, all of them to all others. Who waits for a state within a given
  // angle of the present one waits a time exponential in d. The d states that span the space come in
  // d steps.
  //
  // If the most similar state has the cosine c with s_t, the best multiple of it still misses the part 1 - c²
  // of s_t's squared length, and that is what the prediction misses: a loss of (1 - c²)/6 per dimension.
  // Kernel regression may mix several states and do better than that; early in a sequence, with less to choose
  // from, it does worse.
  lesson::Table neighbours{
      .title = "The nearest state of the past, and the losses per dimension",
      .caption = "Cosines are means over the last quarter of the sequences. β is the best of forty, up to 4.",
      .columns = {"d", "largest cosine c", "(1 - c²)/6", "kernel", "its β", "least squares", "with newest pair"}};
  for (const Classical& one : classics) {
    neighbours.row({text(one.dimension), lesson::fixed_number(one.nearest, 2),
                    lesson::fixed_number((1 - one.nearest * one.nearest) / 6, 4),
                    lesson::fixed_number(one.kernel, 4), lesson::fixed_number(one.beta, 2),
                    lesson::fixed_number(one.behind, 4), lesson::fixed_number(one.all_pairs, 4)});
  }
  L.show(neighbours);

  // The best β falls with d: where no neighbour is near, it is better to be less picky and mix many. And then
  // something happens to softmax. If all scores a_i are small, the exponential is nearly straight, e^a ≈ 1 + a,
  // and
  //
  //     Σ e^{a_i} v_i / Σ e^{a_i}  ≈  v̄ + 1/t Σ (a_i - ā) v_i
  //
  // with means v̄ and ā over the past: a mean of the values, and linear attention divided by t. A softmax
  // layer whose scores are small is a linear layer. So kernel regression with a small β and a step of gradient
  // descent are two ends of the same thing, and a trained layer may stand anywhere between.

  // -------------------------------------------------------------------------------------------
  L.step("A teacher");
  //
  // Where does it stand? Train a model: seven softmax layers, on sequences of 4d states. At d = 10 it is
  // lesson 8's, but for ten states less.
  //
  // If its layers did kernel regression, what would it lose? No less than the method itself, one would think:
  // more layers do not bring more neighbours. So the loss alone is a first answer.
  std::vector<paper::Linearization> chosen = {paper::linearization[2]};  // d = 10
  if (L.scale() == lesson::Scale::paper) {  // forty and sixty dimensions take nine and thirty hours
    chosen = {paper::linearization.begin(), paper::linearization.begin() + 4};
  }
  const Index tested = L.scaled<Index>({.smoke = 64, .lesson = 1280, .paper = 1280});
  L.setting("test sequences", tested);
  const auto test_loss = [&](Index d, const Transformer& model) {
    return loss_curve(bare_states(d), L.seed(), stream::test_data, tested, model).total();
  };
  std::vector<Transformer> teachers;
  std::vector<double> share_of_rival;  // the teacher's loss, kernel regression's = 1
  for (const paper::Linearization& authors : chosen) {
    const Index d = authors.dimension;
    const lesson::Recipe<Transformer> recipe = teacher_recipe(L, authors);
    L.setting(text("updates of the teacher, d = ", d), recipe.updates);
    teachers.push_back(
        snapshot(lesson::train(L, text("teacher, d = ", d), bare_states(d), recipe, L.seed()).model));
    const double loss = test_loss(d, teachers.back()) / static_cast<double>(d);
    const Classical& rivals = *std::ranges::find(classics, d, &Classical::dimension);
    share_of_rival.push_back(loss / rivals.kernel);
    L.say(text("d = ", d, ": the teacher's loss per dimension is ", three_digits(loss),
               ", kernel regression's ", three_digits(rivals.kernel), ", that of least squares ",
               three_digits(rivals.all_pairs), " with the newest pair: the teacher is ",
               loss < rivals.kernel ? "better than any" : "no better than a",
               " mean of what followed similar states."));
  }

  // -------------------------------------------------------------------------------------------
  L.step("Seven students");
  //
  // Now the layers, one by one. To imitate a model by another is called distillation: record what the teacher
  // answers to many inputs, and train the student to give the same answers. Here teachers are single layers.
  // While the teacher predicts, record of each of its blocks the stream that it sees and what its attention
  // adds to it. The student of this block is one layer of linear attention of exactly the same shape: as many
  // heads, as large keys; in the first block it sees the positions as the teacher does. Its loss is, as always,
  // half the squared distance.
  //
  // A linear layer that can imitate a softmax layer shows that this one did not need its exponential. One that
  // can't shows that it did; or that the student is untrained, lazy, or unlucky. So look at the student's
  // error too: as a part of what it would be if the student said 0, which is called its target's energy.
  //
  // The seven need not wait for each other. The teacher is frozen, so one run of it makes an example for each,
  // and what the students lose is simply added. No weight of one student has any influence on the loss of
  // another, our gradients are clipped number by number, and AdamW treats each number by itself; so this is
  // seven separate trainings, to the last digit, for the price of one teacher. And as students need a place
  // to be kept, they are the layers of a Transformer with linear attention. It never runs as one.
  std::vector<Transformer> students;
  std::vector<std::vector<double>> missed;  // [teacher][block], as a part of the energy
  for (std::size_t n = 0; n < chosen.size(); ++n) {
    const Index d = chosen[n].dimension;
    const LinearDynamics task = bare_states(d);
    const Transformer& teacher = teachers[n];
    const lesson::Recipe<Transformer> recipe = students_recipe(L, d);
    L.setting(text("updates of the students, d = ", d), recipe.updates);
    const auto losses_of = [&](const std::function<Tensor(std::size_t, const Example&)>& answer) {
      return losses_by_block(task, L.seed(), recipe.test_sequences, [&](const Tensor& inputs) {
        std::vector<Answer> answers;
        for (const Example& example : recorded(teacher, inputs)) {
          answers.push_back({answer(answers.size(), example), example.added});
        }
        return answers;
      });
    };
    const auto errors = [&](const Transformer& pupils) {
      return losses_of([&](std::size_t block, const Example& example) {
        return attention(pupils, block, example.stream);
      });
    };
    const lesson::Objective<Transformer> imitation = {
        .in_words = text("imitation of ", lesson::in_words(teacher_recipe(L, chosen[n])), ", ",
                         lesson::in_words(task)),
        .tokens = task.tokens,
        .loss_of = [&](const Transformer& pupils, Index first, Index count) {
          const Tensor inputs = task.batch(L.seed(), stream::analysis_data, first, count).inputs;
          Tensor loss(Shape{});
          std::size_t block = 0;
          for (const auto& [stream, added] : recorded(teacher, inputs)) {
            loss = loss + squared_error(attention(pupils, block++, stream), added, recipe.batch);
          }
          return loss;
        },
        .test = [&](const Transformer& pupils) {
          return sum_of(errors(pupils), 0, task.tokens) / static_cast<double>(task.tokens);
        }};
    const lesson::Trained<Transformer> run =
        lesson::train(L, text("students, d = ", d), imitation, recipe, L.seed());
    const Matrix energy = losses_of([](std::size_t, const Example& example) {
      return Tensor(example.added.shape());
    });
    students.push_back(run.model);
    missed.push_back(ratios(errors(run.model), energy));
    std::vector<std::vector<double>> on_the_way;
    for (const Transformer& moment : run.snapshots) on_the_way.push_back(ratios(errors(moment), energy));
    L.show(imitation_figure(d, run.tested_at, on_the_way));
    const auto [best, worst] = std::ranges::minmax(missed.back());
    L.say(text("d = ", d, ": in the end the best student misses ", percent(best), " of its target's energy, the worst ",
               percent(worst), ": ",
               best > 0.9 ? "nothing was learned, and a swap would show nothing but that."
               : worst < 0.1 ? "all seven layers are linear, as far as their answers go."
                             : "as far as answers go, linear layers can't quite do what softmax does."));

    // Is it an early or a late part of the sequence that is hard to imitate? Softmax divides by the sum over the
    // past, so what it adds is a mean, about as long at every t. Linear attention adds a sum, which grows with t,
    // unless queries that know t shrink.
    L.say(text("d = ", d, ": over all students, ", percent(sum_of(errors(run.model), 0, d) / sum_of(energy, 0, d)),
               " are missed in the first quarter of the sequences, and ",
               percent(sum_of(errors(run.model), 3 * d, 4 * d) / sum_of(energy, 3 * d, 4 * d)), " in the last."));
  }

  // -------------------------------------------------------------------------------------------
  L.step("One block at a time");
  //
  // An error of an answer is one thing, what it does to the prediction is another: later layers may not use
  // the part that is wrong, or may not mind. So the test is to put a student in its block's place and let the
  // whole model predict. A block does not care which kind of attention it has (it is a variant of kinds,
  // nn/mixer.h), so the exchange is one assignment.
  //
  // What to compare it with? A loss of 1 is the teacher's. But a block that did nothing at all could be replaced by
  // anything, at a loss of 1. So there is a control: the loss with nothing in the block's place, its attention
  // taken out. A student that stays far below that, and near 1, has replaced something that was needed.
  //
  // What do we expect? The first block binds neighbours (lesson 7): it has to pick one token of many, and for
  // that the exponential was made. It should not be linear. The others, if they are steps of gradient descent,
  // could be; if they compare states, could not.
  std::vector<Swapped> swaps;
  for (std::size_t n = 0; n < chosen.size(); ++n) {
    const Index d = chosen[n].dimension;
    const double teachers_loss = test_loss(d, teachers[n]);
    Swapped all{d, {}, {}};
    for (std::size_t block = 0; block < 7; ++block) {
      Transformer swapped = teachers[n];
      swapped.blocks[block] = students[n].blocks[block];
      all.student.push_back(test_loss(d, swapped) / teachers_loss);
      Tensor& wo = swapped.blocks[block].attention.wo;
      wo = Tensor(wo.shape());  // zeros
      all.removed.push_back(test_loss(d, swapped) / teachers_loss);
    }
    L.show(swap_table(all, missed[n], chosen[n]));
    swaps.push_back(all);
  }
  L.show(swap_figure(swaps));
  // -------------------------------------------------------------------------------------------
  L.step("What could have gone wrong");
  //
  // The teacher could have done kernel regression: then its loss would be no better than that, and its linear
  // students bad. Students could have been too lazy to tell anything. Blocks could have been idle, so that any
  // student would do. And there could be no difference between the first block and the others.
  const Swapped& swap = *std::ranges::find(swaps, 10, &Swapped::dimension);
  const double first = swap.student[0];
  const double later = median({swap.student.begin() + 2, swap.student.end()});
  const double idle = median({swap.removed.begin() + 2, swap.removed.end()});
  L.found(text("With block 1 made linear the loss is ", lesson::fixed_number(first, 2),
               " times the teacher's; with one of the blocks 3 to 7 made linear, ", lesson::fixed_number(later, 2),
               " times (the median), with one of them taken out ", lesson::fixed_number(idle, 2),
               ". Kernel regression loses ", lesson::fixed_number(many.kernel / few.kernel, 2),
               " times as much per dimension at d = 40 as at d = 4, least squares ",
               lesson::fixed_number(many.behind / few.behind, 2), " times."));
  L.claim_above("d = 10: loss with a linear block 1, teacher's = 1", first, 1.7);
  L.claim_below("d = 10: the same, median of blocks 3 to 7", later, 1.25);
  L.claim_above("d = 10: with nothing in the place of one of the blocks 3 to 7, median", idle, 1.5);
  L.claim_below("the teachers' losses, compared with kernel regression's, largest",
                std::ranges::max(share_of_rival), 0.5);
  L.claim_above("kernel regression: loss per dimension at d = 40, compared with d = 4", many.kernel / few.kernel,
                1.2);
  L.claim_below("least squares: the same", many.behind / few.behind, 0.9);
  L.claim_below("largest distance of the twelve classical losses from the authors', in standard errors",
                std::ranges::max(classics, {}, &Classical::from_authors).from_authors, 4);

  // -------------------------------------------------------------------------------------------
  L.step("Things to try");
}

}  // namespace

int main(int argc, char** argv) {
  return lesson::run({.number = 9, .title = "What is linear here?",
                      .question = "Which layers of a softmax Transformer could have been linear?",
                      .source = __FILE__},
                     argc, argv, lesson_body);
}
