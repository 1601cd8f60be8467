#include "core/simd.hpp"
#include "nn/optim/update.hpp"

namespace atto::kernels {

template <class Isa>
static inline float root(float x) {
  return __builtin_sqrtf(x);
}
template <class Isa>
static inline double root(double x) {
  return __builtin_sqrt(x);
}

template <class Isa, class T>
void adam(std::int64_t n, T* __restrict values, const T* __restrict gradients, T* __restrict first,
          T* __restrict second, const AdamStep<T>& step) {
  const AdamStep<T> s = step;
  for (std::int64_t i = 0; i < n; ++i) {
    const T p = values[i] * s.value_scale;
    const T g = gradients[i] + s.gradient_decay * values[i];
    const T m = g + s.beta1 * (first[i] - g);
    const T v = s.beta2 * second[i] + (T(1) - s.beta2) * g * g;
    first[i] = m;
    second[i] = v;
    values[i] = p - s.learning_rate * m / (root<Isa>(v) * s.root_correction + s.epsilon);
  }
}

template <class Isa, class T>
void sgd(std::int64_t n, T* __restrict values, const T* __restrict gradients, T* __restrict velocity,
         const SgdStep<T>& step) {
  const SgdStep<T> s = step;
  const T direct = s.nesterov ? T(1) : T(0);
  const T carried = s.nesterov ? s.momentum : T(1);
  for (std::int64_t i = 0; i < n; ++i) {
    const T g = gradients[i] + s.weight_decay * values[i];
    const T b = s.momentum * velocity[i] + g;
    velocity[i] = b;
    values[i] -= s.learning_rate * (direct * g + carried * b);
  }
}

template <class Isa, class T>
double sum_of_squares(std::int64_t n, const T* x) {
  // Separate sums, because one sum is a chain that no compiler may cut.
  constexpr int lanes = 32;
  double sums[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int lane = 0; lane < lanes; ++lane)
      sums[lane] += static_cast<double>(x[i + lane]) * static_cast<double>(x[i + lane]);
  for (int lane = 0; i < n; ++i, ++lane) sums[lane] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double sum = 0;
  for (int lane = 0; lane < lanes; ++lane) sum += sums[lane];
  return sum;
}

template <class Isa, class T>
void average(std::int64_t n, T* __restrict average, const T* __restrict values, T decay) {
  for (std::int64_t i = 0; i < n; ++i) average[i] = values[i] + decay * (average[i] - values[i]);
}

#define ATTO_INSTANTIATE(T)                                                                \
  template void adam<ATTO_ISA, T>(std::int64_t, T*, const T*, T*, T*, const AdamStep<T>&); \
  template void sgd<ATTO_ISA, T>(std::int64_t, T*, const T*, T*, const SgdStep<T>&);       \
  template double sum_of_squares<ATTO_ISA, T>(std::int64_t, const T*);                     \
  template void average<ATTO_ISA, T>(std::int64_t, T*, const T*, T);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)

}  // namespace atto::kernels
