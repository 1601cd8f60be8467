#pragma once
// The decay of attention with hop distance, as a table over distances.

#include "autograd/var.hpp"
#include "core/device.hpp"

namespace atto {

extern const Schema hop_decay_schema;

struct HopDecayOptions {
  double gamma = 0.5;      ///< base, in (0, 1]
  double slope = 0;        ///< a >= 0, inside the radius
  bool logarithm = false;  ///< ln M instead of M
  std::int64_t buckets =
      256;                 ///< distances 0 .. buckets - 2; the last bucket stands for "no path" (graph/distances.hpp)
  double unreachable = 0;  ///< M of the last bucket; at least 0
};

/// M_kt = gamma^phi(t - h_k), phi(x) = x for x > 0 and a x otherwise (Gradformer, arXiv 2404.15729): 1 up to the radius
/// h_k of a head, then falling; with a > 0 above 1 inside. The last bucket, pairs without a path, is exactly
/// `unreachable` (logarithm: its logarithm, -infinity for 0), whatever gamma is: gamma = 1 decays nothing, but still
/// parts what no path joins. hop[H] -> table[H,buckets]; gradient to hop, with the derivative of the inner branch at t
/// = h, and none from the last bucket. With `gamma` given, [1] or [H], it replaces the option and gets a gradient too.
/// ValueError for options out of range. Cost: about 20 H buckets FLOP.
Var hop_decay(const Var& hop, const HopDecayOptions& options = {}, const Var& gamma = {});
/// The same from leaky_relu, exp and log.
Var hop_decay_reference(const Var& hop, const HopDecayOptions& options = {}, const Var& gamma = {});

namespace kernels {

/// gamma[0], or with gamma_step = 1 one for each head; null stands for that of the options, which is not rounded to T.
template <class T>
void hop_decay(Cpu, std::int64_t heads, const HopDecayOptions& options, const T* hop, const T* gamma,
               std::int64_t gamma_step, T* table);
/// dhop_k = sum_t g_kt dM_kt/dh_k, and what head k adds to the gradient of gamma: sum_t g_kt dM_kt/dgamma
template <class T>
void hop_decay_gradient(Cpu, std::int64_t heads, const HopDecayOptions& options, const T* hop, const T* gamma,
                        std::int64_t gamma_step, const T* g, T* dhop, T* dgamma);

}  // namespace kernels
}  // namespace atto
