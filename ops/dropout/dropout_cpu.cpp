#include <algorithm>

#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "ops/dropout/dropout.hpp"

namespace atto::kernels {

template <class T>
void dropout(Cpu, std::int64_t size, const T* x, double rate, const RandomStream& stream, T* y) {
  const auto threshold = static_cast<std::uint32_t>(std::min(rate * 4294967296.0, 4294967295.0));
  const T keep = static_cast<T>(1.0 / (1.0 - rate));
  // A block holds the numbers of four values, so threads take whole blocks.
  const std::int64_t blocks = (size + 3) / 4;
  with_isa([&]<class Isa>() {
    parallel_for(blocks, 8, [&](std::int64_t begin, std::int64_t end) {
      dropout_chunk<Isa>(std::min(4 * end, size) - 4 * begin, static_cast<std::uint64_t>(begin), x + 4 * begin,
                         threshold, keep, stream.seed, stream.stream, y + 4 * begin);
    });
  });
}

template void dropout(Cpu, std::int64_t, const float*, double, const RandomStream&, float*);
template void dropout(Cpu, std::int64_t, const double*, double, const RandomStream&, double*);

}  // namespace atto::kernels
