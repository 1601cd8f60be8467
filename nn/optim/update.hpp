#pragma once
// The inner loops of the optimisers, compiled once per instruction set.

#include <cstdint>

namespace atto::kernels {

template <class T>
struct AdamStep {
  T beta1, beta2;
  T learning_rate;    ///< lr / (1 - beta1^t)
  T root_correction;  ///< 1 / sqrt(1 - beta2^t)
  T epsilon;
  T gradient_decay;  ///< added to the gradient, times the value
  T value_scale;     ///< the value is multiplied by this first
};

template <class T>
struct SgdStep {
  T learning_rate, momentum, weight_decay;
  bool nesterov;
};

template <class Isa, class T>
void adam(std::int64_t n, T* values, const T* gradients, T* first, T* second, const AdamStep<T>& step);

template <class Isa, class T>
void sgd(std::int64_t n, T* values, const T* gradients, T* velocity, const SgdStep<T>& step);

/// sum x_i^2, in float64, with a fixed order.
template <class Isa, class T>
double sum_of_squares(std::int64_t n, const T* x);

/// average = decay average + (1 - decay) value
template <class Isa, class T>
void average(std::int64_t n, T* average, const T* values, T decay);

}  // namespace atto::kernels
