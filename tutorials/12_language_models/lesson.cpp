#include "tutorials/12_language_models/measure.h"
using namespace mesagrad;
namespace {
void lesson_body(lesson::Lesson& L) {
  L.step("proto");
  const Corpus corpus = text_to_learn(L);
  L.say(text(corpus.files, " ", corpus.training.size(), " ", corpus.validation.size()));
  const BytePairs pieces = BytePairs::learn(corpus.training, 512);
  const TextWindows task(corpus, pieces, 128);
  L.say(text(task.training.size(), " ", task.validation.size()));
  const char* only = getenv("ONLY");
  const char* dev = getenv("DEV"); const char* pos = getenv("POS"); const char* lr=getenv("LR"); const char* upd=getenv("UPD");
  const KeyFeatures unit{.unit_keys = true}, normed{.unit_keys = true, .unit_outputs = true};
  std::vector<std::pair<std::string, Mixer>> all = {{"softmax", SoftmaxAttention{}}, {"linear", LinearAttention{unit}}, {"mesa", MesaLayer{.features = unit}},
   {"linear-n", LinearAttention{normed}}, {"mesa-n", MesaLayer{.features = normed}}};
  for (auto& [name, mix] : all) {
    if (only && !strstr(only, (","+name+",").c_str())) continue;
    Transformer::Options o{.inputs = 512, .outputs = 512, .width = 64, .blocks = {SoftmaxAttention{}, mix}, .heads = 4, .key_size = 16,
      .positions = Transformer::Positions::learned, .tokens = 128, .layer_norm = true, .final_norm = true, .ids = true, .init_deviation = dev ? atof(dev) : 0.05};
    if (pos) o.positions = Transformer::Positions::tokens;
    Index updates = upd ? atoi(upd) : 800;
    lesson::Recipe<Transformer> r{.model = o, .optimizer = {.beta2 = .95, .decay = .01}, .updates = updates, .batch = 16, .clip = {.norm = 1},
      .rate = WarmupCosine{.peak = lr ? atof(lr) : 5e-3, .end = 1e-5, .warmup = 100, .total = updates}, .test_every = 100, .test_sequences = 64};
    timespec a, b; clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    auto run = lesson::train(L, name, task, r, L.seed());
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    const LossCurve c = loss_curve(task, L.seed(), stream::test_data, 1024, run.model);
    std::string path; for (double x : run.test_loss) path += text(" ", lesson::fixed_number(x, 3));
    L.say(text("RESULT ", name, " ", c.total(), " +- ", c.standard_error(), " icl ", icl_score(c), " cpu ", b.tv_sec - a.tv_sec, path));
  }
  L.claim_below("x", 1, 2);
}
}  // namespace
int main(int argc, char** argv) {
  return lesson::run({.number = 12, .title = "Language models", .question = "?", .source = __FILE__}, argc, argv, lesson_body);
}
