#pragma once
// One functor per mode of the adjacency family: f(p, tau), and slopes(p, tau) = {df/dp, df/dtau}. M supplies exp and
// its kind, as in pointwise/functors.hpp; kFlops counts an exp as 16. p = tau counts as below. No std templates here:
// these are compiled once per instruction set.

#include "core/device.hpp"

namespace atto {

enum class AdjacencyMode {
  relu,
  silu,
  softplus,
  sharp_softplus,
  sigmoid,
  flowthreshold,
  binary,
  silu_plus_binary,
  silu_below_binary_above,
  relu_below_binary_above,
  softplus_below_binary_above
};

struct AdjacencyOptions {
  AdjacencyMode mode = AdjacencyMode::sharp_softplus;
  double threshold = 0.2;   ///< tau, where no Var gives it
  double sharpness = 10;    ///< beta of sharp_softplus and sigmoid, above 0
  double binary_scale = 1;  ///< s, the height of the step in binary and silu_plus_binary
};

namespace adjacency_modes {

/// Every functor; kernels are instantiated from this list.
#define ATTO_ADJACENCY_FUNCTORS(X) \
  X(Relu) X(Silu) X(Softplus) X(Sigmoid) X(FlowThreshold) X(Step) X(SiluPlusStep) X(SiluBelow) X(SoftplusBelow)

template <class T>
struct Slopes {
  T p, tau;
};
/// Of a function of p - tau. (M keeps the copies of the instruction sets apart.)
template <class M, class T>
HD Slopes<T> slopes_of_difference(T slope) {
  return {slope, -slope};
}

struct Relu {
  static constexpr int kFlops = 2;
  template <class M, class T>
  HD T f(T p, T tau) const {
    const T x = p - tau;
    return x < 0 ? T(0) : x;  // NaN passes
  }
  template <class M, class T>
  HD Slopes<T> slopes(T p, T tau) const {
    return slopes_of_difference<M>(p > tau ? T(1) : T(0));
  }
};

struct Silu {
  static constexpr int kFlops = 24;
  template <class M, class T>
  HD T f(T p, T tau) const {
    const T x = p - tau;
    return x * M::sigmoid(x);
  }
  template <class M, class T>
  HD Slopes<T> slopes(T p, T tau) const {
    const T x = p - tau, s = M::sigmoid(x);
    return slopes_of_difference<M>(M::fma(x * s, 1 - s, s));
  }
};

/// ln(1 + e^(beta (p - tau))) / beta
struct Softplus {
  static constexpr int kFlops = 50;
  double beta;
  template <class M, class T>
  HD T f(T p, T tau) const {
    return M::softplus(static_cast<T>(beta) * (p - tau)) * static_cast<T>(1 / beta);
  }
  template <class M, class T>
  HD Slopes<T> slopes(T p, T tau) const {
    return slopes_of_difference<M>(M::sigmoid(static_cast<T>(beta) * (p - tau)));
  }
};

/// 1 / (1 + e^(-beta (p - tau)))
struct Sigmoid {
  static constexpr int kFlops = 24;
  double beta;
  template <class M, class T>
  HD T f(T p, T tau) const {
    return M::sigmoid(static_cast<T>(beta) * (p - tau));
  }
  template <class M, class T>
  HD Slopes<T> slopes(T p, T tau) const {
    const T s = M::sigmoid(static_cast<T>(beta) * (p - tau));
    return slopes_of_difference<M>(static_cast<T>(beta) * s * (1 - s));
  }
};

/// sigmoid(5 p) sigmoid(50 (p - tau)), the constants of the published code
struct FlowThreshold {
  static constexpr int kFlops = 48;
  template <class M, class T>
  HD T f(T p, T tau) const {
    return M::sigmoid(T(5) * p) * M::sigmoid(T(50) * (p - tau));
  }
  template <class M, class T>
  HD Slopes<T> slopes(T p, T tau) const {
    const T flow = M::sigmoid(T(5) * p), gate = M::sigmoid(T(50) * (p - tau));
    const T steep = T(50) * flow * gate * (1 - gate);
    return {M::fma(T(5) * flow * gate, 1 - flow, steep), -steep};
  }
};

struct Step {
  static constexpr int kFlops = 1;
  double scale;
  template <class M, class T>
  HD T f(T p, T tau) const {
    return p > tau ? static_cast<T>(scale) : T(0);
  }
  template <class M, class T>
  HD Slopes<T> slopes(T, T) const {
    return {T(0), T(0)};
  }
};

struct SiluPlusStep {
  static constexpr int kFlops = 26;
  double scale;
  template <class M, class T>
  HD T f(T p, T tau) const {
    return Silu{}.f<M>(p, tau) + Step{scale}.f<M>(p, tau);
  }
  template <class M, class T>
  HD Slopes<T> slopes(T p, T tau) const {
    return Silu{}.slopes<M>(p, tau);
  }
};

/// F below the threshold, 1 above it.
template <class F>
struct BelowStep {
  static constexpr int kFlops = F::kFlops + 1;
  F below;
  template <class M, class T>
  HD T f(T p, T tau) const {
    const T y = below.template f<M>(p, tau);
    return p > tau ? T(1) : y;
  }
  template <class M, class T>
  HD Slopes<T> slopes(T p, T tau) const {
    const T slope = below.template slopes<M>(p, tau).p;
    return slopes_of_difference<M>(p > tau ? T(0) : slope);
  }
};
using SiluBelow = BelowStep<Silu>;
using SoftplusBelow = BelowStep<Softplus>;

/// Calls f with the functor of a mode.
template <class F>
inline void with_functor(const AdjacencyOptions& o, F&& f) {
  switch (o.mode) {
    case AdjacencyMode::relu:
      return f(Relu{});
    case AdjacencyMode::silu:
      return f(Silu{});
    case AdjacencyMode::softplus:
      return f(Softplus{1});
    case AdjacencyMode::sharp_softplus:
      return f(Softplus{o.sharpness});
    case AdjacencyMode::sigmoid:
      return f(Sigmoid{o.sharpness});
    case AdjacencyMode::flowthreshold:
      return f(FlowThreshold{});
    case AdjacencyMode::binary:
      return f(Step{o.binary_scale});
    case AdjacencyMode::silu_plus_binary:
      return f(SiluPlusStep{o.binary_scale});
    case AdjacencyMode::silu_below_binary_above:
      return f(SiluBelow{});
    case AdjacencyMode::relu_below_binary_above:
      return f(Step{1});  // what is below is 0
    case AdjacencyMode::softplus_below_binary_above:
      return f(SoftplusBelow{Softplus{1}});
  }
}

}  // namespace adjacency_modes
}  // namespace atto
