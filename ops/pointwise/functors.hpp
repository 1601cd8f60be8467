#pragma once
// One functor per pointwise operation: f(x), and df(x, y) = f'(x) where y = f(x) is at hand. M supplies exp and its
// kind for a device or an instruction set (core/simd_math.hpp). kReadsX and kReadsY say which arguments df reads; the
// others need not be kept. kFlops counts an exp as 16. At a kink the derivative is
// that of the side named in pointwise.hpp. No std templates here: these are compiled once per instruction set.

#include "core/device.hpp"

namespace atto::pointwise {

/// Every functor; kernels are instantiated from this list.
#define ATTO_POINTWISE_FUNCTORS(X)                                                                                 \
  X(Scale)                                                                                                         \
  X(Abs)                                                                                                           \
  X(Square) X(Sqrt) X(Rsqrt) X(Reciprocal) X(Pow) X(Clamp) X(Exp) X(Log) X(Log1p) X(Sigmoid) X(LogSigmoid) X(Tanh) \
      X(Softplus) X(Relu) X(LeakyRelu) X(Elu) X(Gelu) X(GeluTanh) X(Silu)

/// y = x, for kernels that end in a functor; no operation of its own.
struct Identity {
  static constexpr int kFlops = 0;
  template <class M, class T>
  HD T f(T x) const {
    return x;
  }
};

struct Scale {
  static constexpr int kFlops = 2;
  static constexpr bool kReadsX = false, kReadsY = false;
  double a, b;
  template <class M, class T>
  HD T f(T x) const {
    return M::fma(static_cast<T>(a), x, static_cast<T>(b));
  }
  template <class M, class T>
  HD T df(T, T) const {
    return static_cast<T>(a);
  }
};

struct Abs {
  static constexpr int kFlops = 1;
  static constexpr bool kReadsX = true, kReadsY = false;
  template <class M, class T>
  HD T f(T x) const {
    return M::abs(x);
  }
  template <class M, class T>
  HD T df(T x, T) const {
    return x > 0 ? T(1) : x < 0 ? T(-1) : T(0);
  }
};

struct Square {
  static constexpr int kFlops = 1;
  static constexpr bool kReadsX = true, kReadsY = false;
  template <class M, class T>
  HD T f(T x) const {
    return x * x;
  }
  template <class M, class T>
  HD T df(T x, T) const {
    return 2 * x;
  }
};

struct Sqrt {
  static constexpr int kFlops = 4;
  static constexpr bool kReadsX = false, kReadsY = true;
  template <class M, class T>
  HD T f(T x) const {
    return M::sqrt(x);
  }
  template <class M, class T>
  HD T df(T, T y) const {
    return T(0.5) / y;
  }
};

struct Rsqrt {
  static constexpr int kFlops = 8;
  static constexpr bool kReadsX = false, kReadsY = true;
  template <class M, class T>
  HD T f(T x) const {
    return 1 / M::sqrt(x);
  }
  template <class M, class T>
  HD T df(T, T y) const {
    return T(-0.5) * y * y * y;
  }
};

struct Reciprocal {
  static constexpr int kFlops = 4;
  static constexpr bool kReadsX = false, kReadsY = true;
  template <class M, class T>
  HD T f(T x) const {
    return 1 / x;
  }
  template <class M, class T>
  HD T df(T, T y) const {
    return -y * y;
  }
};

struct Pow {
  static constexpr int kFlops = 40;
  static constexpr bool kReadsX = true, kReadsY = false;
  double exponent;
  template <class M, class T>
  HD T f(T x) const {
    return M::pow(x, static_cast<T>(exponent));
  }
  template <class M, class T>
  HD T df(T x, T) const {
    return exponent == 0 ? T(0) : static_cast<T>(exponent) * M::pow(x, static_cast<T>(exponent - 1));
  }
};

struct Clamp {
  static constexpr int kFlops = 2;
  static constexpr bool kReadsX = true, kReadsY = true;
  double low, high;
  template <class M, class T>
  HD T f(T x) const {
    const T raised = x < static_cast<T>(low) ? static_cast<T>(low) : x;  // NaN passes
    return raised > static_cast<T>(high) ? static_cast<T>(high) : raised;
  }
  template <class M, class T>
  HD T df(T x, T y) const {
    return x == y ? T(1) : T(0);
  }
};

struct Exp {
  static constexpr int kFlops = 16;
  static constexpr bool kReadsX = false, kReadsY = true;
  template <class M, class T>
  HD T f(T x) const {
    return M::exp(x);
  }
  template <class M, class T>
  HD T df(T, T y) const {
    return y;
  }
};

struct Log {
  static constexpr int kFlops = 16;
  static constexpr bool kReadsX = true, kReadsY = false;
  template <class M, class T>
  HD T f(T x) const {
    return M::log(x);
  }
  template <class M, class T>
  HD T df(T x, T) const {
    return 1 / x;
  }
};

struct Log1p {
  static constexpr int kFlops = 24;
  static constexpr bool kReadsX = true, kReadsY = false;
  template <class M, class T>
  HD T f(T x) const {
    return M::log1p(x);
  }
  template <class M, class T>
  HD T df(T x, T) const {
    return 1 / (1 + x);
  }
};

struct Sigmoid {
  static constexpr int kFlops = 20;
  static constexpr bool kReadsX = false, kReadsY = true;
  template <class M, class T>
  HD T f(T x) const {
    return M::sigmoid(x);
  }
  template <class M, class T>
  HD T df(T, T y) const {
    return y * (1 - y);
  }
};

struct LogSigmoid {
  static constexpr int kFlops = 40;
  static constexpr bool kReadsX = true, kReadsY = false;
  template <class M, class T>
  HD T f(T x) const {
    return -M::softplus(-x);
  }
  template <class M, class T>
  HD T df(T x, T) const {
    return M::sigmoid(-x);
  }
};

struct Tanh {
  static constexpr int kFlops = 20;
  static constexpr bool kReadsX = false, kReadsY = true;
  template <class M, class T>
  HD T f(T x) const {
    return M::tanh(x);
  }
  template <class M, class T>
  HD T df(T, T y) const {
    return 1 - y * y;
  }
};

struct Softplus {
  static constexpr int kFlops = 40;
  static constexpr bool kReadsX = true, kReadsY = false;
  template <class M, class T>
  HD T f(T x) const {
    return M::softplus(x);
  }
  template <class M, class T>
  HD T df(T x, T) const {
    return M::sigmoid(x);
  }
};

struct Relu {
  static constexpr int kFlops = 1;
  static constexpr bool kReadsX = false, kReadsY = true;
  template <class M, class T>
  HD T f(T x) const {
    return x < 0 ? T(0) : x;  // NaN passes
  }
  template <class M, class T>
  HD T df(T, T y) const {
    return y > 0 ? T(1) : T(0);
  }
};

struct LeakyRelu {
  static constexpr int kFlops = 2;
  static constexpr bool kReadsX = true, kReadsY = false;
  double slope;
  template <class M, class T>
  HD T f(T x) const {
    return x > 0 ? x : static_cast<T>(slope) * x;
  }
  template <class M, class T>
  HD T df(T x, T) const {
    return x > 0 ? T(1) : static_cast<T>(slope);
  }
};

struct Elu {
  static constexpr int kFlops = 18;
  static constexpr bool kReadsX = true, kReadsY = true;
  double alpha;
  template <class M, class T>
  HD T f(T x) const {
    const T below = static_cast<T>(alpha) * M::expm1(x);
    return x > 0 ? x : below;
  }
  template <class M, class T>
  HD T df(T x, T y) const {
    return x > 0 ? T(1) : y + static_cast<T>(alpha);
  }
};

/// x Phi(x), Phi the normal distribution function (Hendrycks, Gimpel 2016).
struct Gelu {
  static constexpr int kFlops = 40;
  static constexpr bool kReadsX = true, kReadsY = false;
  template <class M, class T>
  HD T f(T x) const {
    const T half = T(0.5) * x;
    return M::fma(half, M::erf(x * T(0.7071067811865476)), half);
  }
  template <class M, class T>
  HD T df(T x, T) const {
    const T phi = T(0.3989422804014327) * M::exp(T(-0.5) * x * x);
    return T(0.5) + M::fma(T(0.5), M::erf(x * T(0.7071067811865476)), x * phi);
  }
};

/// The same paper's approximation x/2 (1 + tanh u) = x sigmoid(2 u), u = sqrt(2/pi) (x + 0.044715 x^3).
struct GeluTanh {
  static constexpr int kFlops = 26;
  static constexpr bool kReadsX = true, kReadsY = false;
  template <class M, class T>
  HD T f(T x) const {
    return x * M::sigmoid(T(1.5957691216057308) * x * (1 + T(0.044715) * x * x));
  }
  template <class M, class T>
  HD T df(T x, T) const {
    const T square = x * x;
    const T s = M::sigmoid(T(1.5957691216057308) * x * (1 + T(0.044715) * square));
    return s + x * s * (1 - s) * T(1.5957691216057308) * (1 + T(3 * 0.044715) * square);
  }
};

/// x sigmoid(x), also called swish.
struct Silu {
  static constexpr int kFlops = 21;
  static constexpr bool kReadsX = true, kReadsY = true;
  template <class M, class T>
  HD T f(T x) const {
    return x * M::sigmoid(x);
  }
  template <class M, class T>
  HD T df(T x, T y) const {
    const T s = M::sigmoid(x);
    return s + y * (1 - s);
  }
};

}  // namespace atto::pointwise
