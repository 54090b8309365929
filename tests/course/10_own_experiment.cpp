// Your own experiment
//
// So far somebody else asked, and somebody else knew. Now you ask a question to which no lesson has an
// answer, and you write the lesson that answers it: a page with three claims that could have failed, run
// from three seeds. Nothing is missing in the library for it, and no program can check it. A person reads
// your page, by the table of points below.
//
// Read: tutorials/lesson/lesson.h, tutorials/lesson/train.h and plot.h; as models two lessons that are not
// alike, such as 3 and 9; tutorials/05_depth/recipes.h.
// Find out: something that you would not have bet on.
// Hours: 8
// Unlocks: nothing: the rest is yours
//
// # What to hand in
//
// 1. A folder tutorials/14_your_title/ with lesson.cpp, and what only measures or trains in headers beside
// it. Make finds it by its name: `make tutorial-14 SCALE=smoke`.
// 2. predictions.txt in it, written before the first run of any length: for each claim the number that you
// expect, why, and the number that would come out if you were wrong. Do not change it afterwards. A wrong
// prediction costs no points.
// 3. The folders out/tutorial-14 of SEED=1, 2 and 3 at lesson scale (say OUT=out/seed-2, and so on).
//
// # How a lesson is built
//
//     #include "tutorials/05_depth/recipes.h"  // models of linear attention, and how they are trained
//     #include "tutorials/lesson/train.h"
//
//     using namespace mesagrad;
//
//     namespace {
//
//     void lesson_body(lesson::Lesson& L) {
//       L.step("Trained on fifty tokens, tested on more");
//       //
//       // Prose for the page: what is asked, what we expect, and what would be a surprise.
//       const LinearDynamics task, longer = {.tokens = 150};
//       const Index seeds = L.scaled<Index>({.smoke = 1, .lesson = 3, .paper = 5});
//       const Index sequences = L.scaled<Index>({.smoke = 64, .lesson = 1024, .paper = 4096});
//       const auto trained =
//           lesson::train_and_test(L, "one layer", task, depth_recipe(L, 1), seeds, sequences);
//       lesson::LinePlot plot{.name = "longer", .title = "Longer than in training", .x = "position t",
//                             .y = "loss", .caption = "Look at what happens right of t = 49."};
//       double quotient = 0;  // the mean over the seeds
//       for (const auto& run : trained.runs) {
//         const LossCurve curve = loss_curve(longer, L.seed(), stream::test_data, sequences, run.model);
//         plot.curve(text("seed ", 1 + &run - &trained.runs[0]), curve);
//         quotient += curve.mean[149] / curve.mean[49] / static_cast<double>(seeds);
//       }
//       L.show(plot);
//       L.say(text("At t = 149 the loss is ", quotient, " times that at t = 49."));
//       L.claim_above("loss at t = 149, that at t = 49 = 1", quotient, 1.5);
//     }
//
//     }  // namespace
//
//     int main(int argc, char** argv) {
//       return lesson::run({.number = 14, .title = "Longer", .question = "What happens after the end?",
//                           .source = __FILE__}, argc, argv, lesson_body);
//     }
//
// Comments of two lines and more become the page's prose. L.say wants a number of this run in each
// paragraph. Titles and captions say what is plotted and what to look for, never what came out. Smoke scale
// takes three seconds, so that you find slips of the pen there; lesson scale takes ninety at most. With
// RATE=0 nothing is learned: your page must not claim then that something was.
//
// # What makes a claim worth making
//
// It can fail. Somebody who does not share your idea must be able to expect another number, and you must
// know which: call yours R, theirs W. "The loss falls in training" is no claim, because nobody expects
// otherwise. "At t = 149 it is 1.5 times that at t = 49" is one, if there is a reason why it should stay as
// it is (W = 1).
//
// It fails for the right reason. Break the idea, not the program: take away what you say is the cause, by a
// change of one line, and watch the claim fail. If it holds all the same, it is about something else.
//
// It compares. A loss alone says little, as lengths of states are luck; the quotient of two losses on the
// same sequences says more. Best is a control that differs in one thing only.
//
// It was there before the number. A claim that you made after you saw its number is a description. Write
// these, too, but as sentences (L.say).
//
// # How wide its margin is
//
// There are two kinds of luck. The luck of the test sequences is what LossCurve::standard_error() tells; it
// falls like one over the root of their number. The luck of training, that is of first weights and of the
// order of the data, shows only in other trainings. It is usually larger, and more test sequences do not
// help against it.
//
// Three numbers from three seeds have a range, the largest less the smallest. For normal numbers the range
// of three is 1.7 standard deviations on average. So put the limit two ranges from their mean, on the side
// where W is: that is more than three standard deviations, and your margin then holds for seeds that nobody
// tried, mostly. But three numbers may lie near each other by luck. So run a fourth seed, once, after you
// have chosen; if your claim fails there, say so, and choose again with all four.
//
// If W is nearer than that, the claim is not yet shown. Take more seeds and claim something of their mean;
// or look for a comparison that has less luck in it, such as differences on the same sequences, from the
// same first weights. Do not widen the margin until it holds: a claim that would hold for W as well says
// nothing.
//
// # How it is marked: 50 points
//
//     The question                                                                                      8
//       one sentence, and no lesson has answered it                                                2
//       an expected number for each claim with its reason, by a derivation where one is possible   4
//       what would be a surprise, said beforehand                                                  2
//     The experiment                                                                                   12
//       one thing is changed, and all else is equal                                                4
//       a control or a baseline next to every number; RATE=0 claims nothing                        4
//       smoke and lesson scale within their times; THREADS=1 and 2 give the same fingerprint       4
//     Three claims, each 5                                                                             15
//       it can fail: R and W are named, and there is a line to change after which it does fail     2
//       its limit follows from the spread over seeds, which the page shows                         2
//       it is as sharp as that allows                                                              1
//     Three seeds                                                                                       5
//       a table of all claims' numbers at each seed                                                3
//       a fourth seed, run once, and what it said                                                  2
//     The page                                                                                         10
//       a reader of lessons 1 to 5 can follow it; each term is explained before it is used         4
//       figures with labels and units, that show the point without the text                        3
//       sentences made of this run's numbers, with a branch where it might come out otherwise      3
//
// Results have no points. An idea that turned out wrong and a claim that failed, printed as they came out,
// with what you think now, are worth as much as those that you had hoped for. A limit that was moved until
// it held, and a seed that was left out, cost all points of their claim.
//
// # Where to start, if you have no question
//
// 1. Longer. The page above is where it begins, not where it ends. One layer has one step size for all t,
// but A_t grows with t. At what t is the loss lowest, and what does the parabola of lesson 1 say about it?
// Do six layers end like Proposition 2's plan, beyond the interval of its steps? Does a mesa-layer mind?
// 2. Noise. LinearDynamics{.noise = 0.3}, and two or three values between. The best step size of lesson 1
// should move by an amount that you can derive. Does the trained one follow it (effective_step_size)? Does
// the λ of a mesa-layer know how noisy its data are?
// 3. Small keys. A head of key size K < 10 can only compare K numbers of two states: W_q W_kᵀ has rank K.
// What is the best that a layer can do if all its heads together have rank 2, or 5, and do trained layers
// reach it? Which directions do they choose, if the task prefers none?
// 4. How many worlds? A model that has seen one W learns it by heart, and one that has seen all learns how
// to learn (lesson 5). Write a task with n systems, drawn once, of which each sequence takes one, and test
// on a system that is none of them. At which n does the loss there begin to fall? Is it a step, or a slope?
// 5. Which heads? In six trained layers set W_o of one head to zero, each of the 24 in turn. Are they of
// equal worth? Is what two of them are worth together the sum? Proposition 2 tells which of them should be
// needed at t = 5 and which at t = 49.
#include "tests/course/check.h"
