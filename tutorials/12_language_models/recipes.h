// The texts and the models of lesson 12, and how they are trained.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "tasks/bigram.h"
#include "tasks/text.h"
#include "tutorials/lesson/lesson.h"
#include "tutorials/lesson/train.h"

namespace mesagrad {

// TEXT=, or the headers of the compiler that make uses, or, if it doesn't tell where they are, this project.
// At smoke scale a made text that is the same on every machine: sequences of a bigram language, in letters.
inline Corpus text_to_learn(const lesson::Lesson& L) {
  if (!L.options().text.empty()) return read_corpus(files_of(L.options().text));
  if (L.scale() == lesson::Scale::smoke) {
    const Bigram language{.tokens = 200};
    Corpus made{{}, {}, 220};
    for (Index i = 0; i < made.files; ++i) {
      std::string& to = i % 10 == 9 ? made.validation : made.training;
      const auto index = static_cast<std::uint64_t>(i);
      for (const Index id : language.sample(Random(1, stream::analysis_data, index)).ids)
        to += " bcdefghijklmnop"[id];
      to += '\0';
    }
    return made;
  }
  const char* compiler = std::getenv("CXX");
  std::vector<std::filesystem::path> files = standard_headers(compiler != nullptr ? compiler : "c++");
  if (files.empty()) {
    for (const char* folder : {"core", "nn", "tasks", "tests", "tutorials"}) {
      for (const auto& path : files_of(folder)) files.push_back(path);
    }
  }
  return read_corpus(files);
}

// A layer of softmax attention below a second layer; norms as in a GPT, and no MLPs.
inline Transformer::Options two_layers(Index symbols, Index tokens, Index width, Index heads,
                                       const Mixer& second) {
  return {.inputs = symbols,
          .outputs = symbols,
          .width = width,
          .blocks = {SoftmaxAttention{}, second},
          .heads = heads,
          .key_size = width / heads,
          .positions = Transformer::Positions::learned,
          .tokens = tokens,
          .layer_norm = true,
          .final_norm = true,
          .ids = true};
}

// The second layer alone. What the first one is there for is given: a key is made of the token before.
inline Transformer::Options one_layer(Transformer::Options model) {
  model.blocks = {model.blocks.back()};
  model.shifted_keys = true;
  return model;
}

// The learning rate rises to a peak and falls by a cosine.
inline lesson::Recipe<Transformer> recipe_of(const Transformer::Options& model, Index updates, Index batch,
                                             double peak) {
  return {.model = model,
          .optimizer = {.beta2 = 0.95, .decay = 0.01},
          .updates = updates,
          .batch = batch,
          .clip = {.norm = 1},
          .rate = WarmupCosine{
              .peak = peak, .end = 1e-5, .warmup = std::min<Index>(100, updates / 2), .total = updates}};
}

inline Transformer::Options text_model(const lesson::Lesson& L, const TextWindows& text,
                                       const Mixer& second) {
  return two_layers(text.vocabulary, text.tokens, L.scaled<Index>({.smoke = 32, .lesson = 64, .paper = 128}),
                    4, second);
}

// Two layers are tested on their way.
inline lesson::Recipe<Transformer> text_recipe(const lesson::Lesson& L, const Transformer::Options& model) {
  const bool alone = model.blocks.size() == 1;
  const Index updates = alone ? L.scaled<Index>({.smoke = 6, .lesson = 400, .paper = 5000})
                              : L.scaled<Index>({.smoke = 12, .lesson = 600, .paper = 5000});
  lesson::Recipe<Transformer> recipe =
      recipe_of(model, updates, 16, L.scaled<double>({.smoke = 5e-3, .lesson = 5e-3, .paper = 3e-3}));
  recipe.test_every = alone ? 0 : std::max<Index>(updates / 10, 1);
  recipe.test_sequences = L.scaled<Index>({.smoke = 32, .lesson = 128, .paper = 512});
  return recipe;
}

inline lesson::Recipe<Transformer> bigram_recipe(const lesson::Lesson& L, const Bigram& language,
                                                 const Mixer& second) {
  return recipe_of(two_layers(language.symbols, language.tokens, 48, 3, second),
                   L.scaled<Index>({.smoke = 10, .lesson = 1000, .paper = 3000}),
                   L.scaled<Index>({.smoke = 8, .lesson = 32, .paper = 32}), 4e-3);
}

// One layer, with keys of four numbers.
inline lesson::Recipe<Transformer> narrow_recipe(const lesson::Lesson& L, const Bigram& language,
                                                 const Mixer& layer) {
  lesson::Recipe<Transformer> recipe = bigram_recipe(L, language, layer);
  recipe = recipe_of(one_layer(recipe.model), L.scaled<Index>({.smoke = 5, .lesson = 200, .paper = 3000}),
                     recipe.batch, 4e-3);
  recipe.model.key_size = 4;
  return recipe;
}

}  // namespace mesagrad
