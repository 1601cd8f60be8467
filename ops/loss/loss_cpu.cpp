#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "ops/loss/loss.hpp"

namespace atto::kernels {

template <class T>
void cross_entropy(Cpu, std::int64_t rows, std::int64_t classes, const T* logits, const std::int64_t* target,
                   const T* weights, std::int64_t ignore, T* loss, T* largest, T* log_sum) {
  with_isa([&]<class Isa>() {
    parallel_for(rows, 16 + 4 * classes, [&](std::int64_t begin, std::int64_t end) {
      cross_entropy_rows<Isa>(begin, end, classes, logits, target, weights, ignore, loss, largest, log_sum);
    });
  });
}

template <class T>
void cross_entropy_gradient(Cpu, std::int64_t rows, std::int64_t classes, const T* logits, const std::int64_t* target,
                            const T* weights, std::int64_t ignore, const T* largest, const T* log_sum, T factor,
                            T* dz) {
  with_isa([&]<class Isa>() {
    parallel_for(rows, 16 + 4 * classes, [&](std::int64_t begin, std::int64_t end) {
      cross_entropy_gradient_rows<Isa>(begin, end, classes, logits, target, weights, ignore, largest, log_sum, factor,
                                       dz);
    });
  });
}

template <class T>
void pair_loss(Cpu, PairLoss kind, std::int64_t size, const T* x, const T* target, T* loss) {
  with_isa([&]<class Isa>() {
    parallel_for(size, 4, [&](std::int64_t begin, std::int64_t end) {
      pair_loss_chunk<Isa>(kind, end - begin, x + begin, target + begin, loss + begin);
    });
  });
}

template <class T>
void pair_loss_gradient(Cpu, PairLoss kind, std::int64_t size, const T* x, const T* target, T factor, T* dx) {
  with_isa([&]<class Isa>() {
    parallel_for(size, 4, [&](std::int64_t begin, std::int64_t end) {
      pair_loss_gradient_chunk<Isa>(kind, end - begin, x + begin, target + begin, factor, dx + begin);
    });
  });
}

#define ATTO_INSTANTIATE(T)                                                                                           \
  template void cross_entropy(Cpu, std::int64_t, std::int64_t, const T*, const std::int64_t*, const T*, std::int64_t, \
                              T*, T*, T*);                                                                            \
  template void cross_entropy_gradient(Cpu, std::int64_t, std::int64_t, const T*, const std::int64_t*, const T*,      \
                                       std::int64_t, const T*, const T*, T, T*);                                      \
  template void pair_loss(Cpu, PairLoss, std::int64_t, const T*, const T*, T*);                                       \
  template void pair_loss_gradient(Cpu, PairLoss, std::int64_t, const T*, const T*, T, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
