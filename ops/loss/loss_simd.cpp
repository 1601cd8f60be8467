#include "ops/loss/loss_simd.hpp"

#include "core/lanes.hpp"
#include "core/simd_math.hpp"

namespace atto::kernels {
namespace {

// The largest value of a row, a NaN if there is one, and the sum of exp(z - largest), in vectors whose rest is
// -infinity: it adds nothing. Few classes, as most data sets have, are a single vector.
template <class Isa, class T>
[[gnu::always_inline]] inline void row_sums(const T* z, std::int64_t classes, T& largest, T& sum) {
  constexpr int L = simd::kLanes<Isa, T>;
  using V = simd::Lanes<T, L>;
  const T least = -static_cast<T>(__builtin_inf());
  V top = simd::splat<L>(least);
  std::int64_t c = 0;
  for (; c + L <= classes; c += L) top = simd::larger(simd::load<L>(z + c), top);
  const V rest = c < classes ? simd::load_part<L>(z + c, classes - c, least) : simd::splat<L>(least);
  top = simd::larger(rest, top);
  T lanes[L];
  simd::store(lanes, top);
  largest = lanes[0];
  for (int i = 1; i < L; ++i) largest = simd::larger(lanes[i], largest);
  const V shift = simd::splat<L>(largest);
  V total = {};
  for (c = 0; c + L <= classes; c += L) total += simd::exp<T, L>(simd::load<L>(z + c) - shift);
  if (c < classes) total += simd::exp<T, L>(rest - shift);
  sum = simd::sum<T, L>(total);
}

}  // namespace

template <class Isa, class T>
void cross_entropy_rows(std::int64_t begin, std::int64_t end, std::int64_t classes, const T* logits,
                        const std::int64_t* target, const T* weights, std::int64_t ignore, T* loss, T* largest,
                        T* log_sum) {
  for (std::int64_t n = begin; n < end; ++n) {
    const std::int64_t t = target[n];
    const T weight = t == ignore ? T(0) : weights ? weights[t] : T(1);
    loss[n] = largest[n] = log_sum[n] = 0;
    if (weight == 0) continue;  // 0 times an infinite loss is 0
    const T* z = logits + n * classes;
    T sum;
    row_sums<Isa>(z, classes, largest[n], sum);
    log_sum[n] = simd::Math<Isa>::log(sum);
    loss[n] = weight * ((largest[n] - z[t]) + log_sum[n]);
  }
}

template <class Isa, class T>
void cross_entropy_gradient_rows(std::int64_t begin, std::int64_t end, std::int64_t classes, const T* logits,
                                 const std::int64_t* target, const T* weights, std::int64_t ignore, const T* largest,
                                 const T* log_sum, T factor, T* dz) {
  constexpr int L = simd::kLanes<Isa, T>;
  using V = simd::Lanes<T, L>;
  for (std::int64_t n = begin; n < end; ++n) {
    const std::int64_t t = target[n];
    const T weight = t == ignore ? T(0) : weights ? weights[t] : T(1);
    const T* z = logits + n * classes;
    T* to = dz + n * classes;
    if (weight == 0) {
      for (std::int64_t c = 0; c < classes; ++c) to[c] = 0;
      continue;
    }
    const T scale = factor * weight;
    const V top = simd::splat<L>(largest[n]), shift = simd::splat<L>(log_sum[n]);
    std::int64_t c = 0;
    for (; c + L <= classes; c += L) simd::store(to + c, scale * simd::exp<T, L>((simd::load<L>(z + c) - top) - shift));
    if (c < classes) {
      const V rest = simd::load_part<L>(z + c, classes - c, largest[n]);
      simd::store_part(to + c, scale * simd::exp<T, L>((rest - top) - shift), classes - c);
    }
    to[t] -= scale;
  }
}

template <class Isa, class T>
void pair_loss_chunk(PairLoss kind, std::int64_t size, const T* x, const T* target, T* loss) {
  using M = simd::Math<Isa>;
  for (std::int64_t i = 0; i < size; ++i) {
    const T t = target[i], difference = x[i] - t;
    const T value = kind == PairLoss::l1    ? M::abs(difference)
                    : kind == PairLoss::mse ? difference * difference
                                            : M::softplus(x[i]) - x[i] * t;
    loss[i] = t == t ? value : T(0);  // NaN: missing
  }
}

template <class Isa, class T>
void pair_loss_gradient_chunk(PairLoss kind, std::int64_t size, const T* x, const T* target, T factor, T* dx) {
  for (std::int64_t i = 0; i < size; ++i) {
    const T t = target[i], difference = x[i] - t;
    const T slope = kind == PairLoss::l1    ? (difference > 0   ? T(1)
                                               : difference < 0 ? T(-1)
                                                                : difference * 0)
                    : kind == PairLoss::mse ? 2 * difference
                                            : simd::Math<Isa>::sigmoid(x[i]) - t;
    dx[i] = t == t ? factor * slope : T(0);
  }
}

#define ATTO_INSTANTIATE(T)                                                                                            \
  template void cross_entropy_rows<ATTO_ISA>(std::int64_t, std::int64_t, std::int64_t, const T*, const std::int64_t*,  \
                                             const T*, std::int64_t, T*, T*, T*);                                      \
  template void cross_entropy_gradient_rows<ATTO_ISA>(std::int64_t, std::int64_t, std::int64_t, const T*,              \
                                                      const std::int64_t*, const T*, std::int64_t, const T*, const T*, \
                                                      T, T*);                                                          \
  template void pair_loss_chunk<ATTO_ISA>(PairLoss, std::int64_t, const T*, const T*, T*);                             \
  template void pair_loss_gradient_chunk<ATTO_ISA>(PairLoss, std::int64_t, const T*, const T*, T, T*);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
