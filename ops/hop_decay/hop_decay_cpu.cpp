#include <cmath>

#include "ops/hop_decay/hop_decay.hpp"

namespace atto::kernels {

// A few hundred numbers per head: float64 and libm, so that the table is as exact as its element type allows.

namespace {

template <class T>
double base_of(const HopDecayOptions& options, const T* gamma, std::int64_t place) {
  return gamma ? static_cast<double>(gamma[place]) : options.gamma;
}

}  // namespace

template <class T>
void hop_decay(Cpu, std::int64_t heads, const HopDecayOptions& o, const T* hop, const T* gamma, std::int64_t gamma_step,
               T* table) {
  for (std::int64_t k = 0; k < heads; ++k) {
    const double log_gamma = std::log(base_of(o, gamma, k * gamma_step));
    for (std::int64_t t = 0; t + 1 < o.buckets; ++t) {
      const double x = static_cast<double>(t) - static_cast<double>(hop[k]);
      const double exponent = (x > 0 ? x : o.slope * x) * log_gamma;
      table[k * o.buckets + t] = static_cast<T>(o.logarithm ? exponent : std::exp(exponent));
    }
    table[(k + 1) * o.buckets - 1] = static_cast<T>(o.logarithm ? std::log(o.unreachable) : o.unreachable);
  }
}

template <class T>
void hop_decay_gradient(Cpu, std::int64_t heads, const HopDecayOptions& o, const T* hop, const T* gamma,
                        std::int64_t gamma_step, const T* g, T* dhop, T* dgamma) {
  for (std::int64_t k = 0; k < heads; ++k) {
    const double base = base_of(o, gamma, k * gamma_step);
    const double log_gamma = std::log(base);
    double hop_sum = 0, gamma_sum = 0;
    for (std::int64_t t = 0; t + 1 < o.buckets; ++t) {
      const double x = static_cast<double>(t) - static_cast<double>(hop[k]);
      const double slope = x > 0 ? 1.0 : o.slope;
      if (slope == 0) continue;
      const double mask = o.logarithm ? 1.0 : std::exp(slope * x * log_gamma);
      const double dexponent = static_cast<double>(g[k * o.buckets + t]) * mask;  // of phi ln gamma
      hop_sum -= dexponent * slope * log_gamma;
      gamma_sum += dexponent * slope * x / base;
    }
    dhop[k] = static_cast<T>(hop_sum);
    dgamma[k] = static_cast<T>(gamma_sum);
  }
}

template void hop_decay(Cpu, std::int64_t, const HopDecayOptions&, const float*, const float*, std::int64_t, float*);
template void hop_decay(Cpu, std::int64_t, const HopDecayOptions&, const double*, const double*, std::int64_t, double*);
template void hop_decay_gradient(Cpu, std::int64_t, const HopDecayOptions&, const float*, const float*, std::int64_t,
                                 const float*, float*, float*);
template void hop_decay_gradient(Cpu, std::int64_t, const HopDecayOptions&, const double*, const double*, std::int64_t,
                                 const double*, double*, double*);

}  // namespace atto::kernels
