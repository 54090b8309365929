#include "nn/dropout.h"

#include "core/ops.h"
#include "core/parallel.h"
#include "core/random.h"

namespace mesagrad {

Tensor dropout(const Tensor& x, double probability, std::uint64_t seed, std::uint64_t first,
               std::uint32_t site) {
  check(x.shape().rank() >= 1, "dropout: x ", x.shape(), ": expected a batch (B, ...)");
  check(probability >= 0 && probability < 1, "dropout: the probability is ", probability,
        ", it must be in [0, 1)");
  check(site < 256, "dropout: the site is ", site, ", it must be below 256");
  const Index B = x.dim(0), n = B == 0 ? 0 : x.size() / B;  // numbers of a sequence
  constexpr std::uint64_t sequences = std::uint64_t{1} << 56;  // the site takes 8 of the index's 64 bits
  check(first <= sequences - static_cast<std::uint64_t>(B), "dropout: sequences ", first, " to ", first,
        " + ", B, ", their numbers must be below 2^56");
  if (probability == 0) return x;

  const Tensor mask = Tensor::uninitialized(x.shape());  // 0, or 1/(1 - probability)
  const real kept = static_cast<real>(1 / (1 - probability));
  each_row(B, n, [=, to = mask.data()](Index b) {
    Random random(seed, stream::dropout, (first + static_cast<std::uint64_t>(b)) << 8 | site);
    for (Index i = b * n; i < (b + 1) * n; ++i) to[i] = random.uniform() < probability ? real{0} : kept;
  });
  return x * mask;
}

}  // namespace mesagrad
