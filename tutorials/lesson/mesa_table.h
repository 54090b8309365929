// The λ of a trained mesa-layer, and what it weighs. Keys twice as long with a λ a fourth as large are the
// same layer, up to a factor that queries or values can make up for: so λ alone says nothing, λ‖k‖² does.
#pragma once
#include <vector>

#include "nn/transformer.h"
#include "tutorials/lesson/lesson.h"

namespace mesagrad::lesson {

// The mean ‖k‖² of each head (H), over the tokens x (B, T, D) of a layer without positions.
inline std::vector<double> mean_squared_keys(const SelfAttention& layer, const Tensor& x) {
  const Tensor keys = layer.queries_and_keys(x).second;
  const Index inner = keys.dim(2), K = inner / layer.heads;
  const double tokens = static_cast<double>(keys.size() / inner);
  std::vector<double> squares(static_cast<std::size_t>(layer.heads));
  for (Index i = 0; i < keys.size(); ++i) {
    squares[static_cast<std::size_t>(i % inner / K)] += static_cast<double>(keys[i]) * keys[i] / tokens;
  }
  return squares;
}

// A row for each head of a model's block of that number: its λ, what its keys make of it over the tokens of
// `inputs`, and the authors' λ.
inline void show_lambdas(Lesson& L, const Transformer& model, std::size_t block, const Tensor& inputs,
                         const std::vector<double>& authors, const Place& place = Place::here()) {
  const SelfAttention& layer = model.blocks[block].attention;
  const Tensor& lambda = std::get<MesaLayer>(layer.mixer).lambda;
  const std::vector<double> squares = mean_squared_keys(layer, model.residual_streams(inputs)[block]);
  Table table{.title = "The λ of each head",
              .caption =
                  "λ‖k‖² tells how much a pair weighs against the penalty, whatever the scale of the "
                  "keys: compare heads by it. The authors' λ come without their keys, so the last "
                  "column has nothing here to be compared with.",
              .columns = {"head", "λ", "mean ‖k‖²", "λ · mean ‖k‖²", "authors' λ"}};
  for (std::size_t h = 0; h < squares.size(); ++h) {
    const double own = lambda[static_cast<Index>(h)];
    table.row({text(h + 1), fixed_number(own, 2), fixed_number(squares[h], 2),
               fixed_number(own * squares[h], 2), fixed_number(authors[h], 2)});
  }
  L.show(table, place);
}

}  // namespace mesagrad::lesson
