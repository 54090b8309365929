#include "nn/dropout.h"

#include "core/ops.h"
#include "core/parallel.h"
#include "core/random.h"

namespace mesagrad {

Tensor dropout(const Tensor& x, double probability, std::uint64_t seed, std::uint64_t first,
               std::uint32_t site) {
  check(x.shape().rank() >= 1, "dropout: x ", x.shape(), ": expected (B, ...)");
  check(probability >= 0 && probability < 1, "dropout: the probability is ", probability,
        "; it must be in [0, 1)");
  check(site < 256, "dropout: the site is ", site, "; it must be below 256");
  if (probability == 0) return x;
  const Index B = x.dim(0), size = B > 0 ? x.size() / B : 0;
  const Tensor mask = Tensor::uninitialized(x.shape());
  const real kept = static_cast<real>(1 / (1 - probability));
  each_row(B, size, [=, to = mask.data()](Index b) {
    Random random(seed, stream::dropout, (first + static_cast<std::uint64_t>(b)) << 8 | site);
    for (Index i = b * size; i < (b + 1) * size; ++i) to[i] = random.uniform() < probability ? real{0} : kept;
  });
  return x * mask;
}

}  // namespace mesagrad
