#pragma once
// exp, log and their relatives for float, without branches, so that a loop over them becomes vectors; double goes to
// libm. For *_simd.cpp files: everything is a template on the instruction set, and nothing of the standard library is
// used. A result depends on its argument alone, not on the place in the array.
//
// Largest errors, in units of the last place, found by tests/ops/pointwise.cpp over all magnitudes:
// exp 1.1, expm1 1.7, log 0.9, log1p 1.5, softplus 2.0, sigmoid 2.4, tanh 2.5, erf 1.2. NaN and infinities behave as in
// libm; an exp below 2^-125.5 is 0.
// The polynomials are minimax fits of our own, their coefficients rounded to float one after the other.

#include <cstdint>

namespace atto::simd {

#define ATTO_INLINE __attribute__((always_inline)) static inline

/// The functions for one instruction set (a tag of core/simd.hpp).
template <class Isa>
struct Math {
  // Spelled out, so that the vectorised body of a loop and its scalar end round alike.
  ATTO_INLINE float fma(float a, float b, float c) {
#if defined(__FMA__) || defined(__aarch64__)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
  }
  ATTO_INLINE float bits_to_float(std::int32_t bits) {
    return __builtin_bit_cast(float, bits);
  }
  ATTO_INLINE std::int32_t float_to_bits(float x) {
    return __builtin_bit_cast(std::int32_t, x);
  }

  // x = n ln 2 + r with |r| <= ln(2)/2; adding 1.5 2^23 rounds to the nearest integer and leaves it in the low bits.
  struct Reduced {
    float r;
    std::int32_t n;
  };
  ATTO_INLINE Reduced reduce(float x) {
    const float shifted = fma(x, 1.44269504f, 12582912.0f);
    const float n = shifted - 12582912.0f;
    const float r = fma(n, 2.12194440e-4f, fma(n, -0.693359375f, x));  // ln 2 in two parts, the first one exact in n
    return {r, float_to_bits(shifted) - 0x4B400000};
  }
  /// (e^r - 1 - r) / r^2 for |r| <= ln(2)/2
  ATTO_INLINE float exp_tail(float r) {
    float q = fma(0x1.6b8166p-10f, r, 0x1.12268cp-7f);
    q = fma(q, r, 0x1.55570ap-5f);
    q = fma(q, r, 0x1.5554b2p-3f);
    return fma(q, r, 0x1.fffffep-2f);
  }

  /// e^x
  ATTO_INLINE float exp(float x) {
    float c = x > 89.0f ? 89.0f : x;  // written so that NaN passes
    c = c < -87.3f ? -87.3f : c;      // n = -126, for which the factor below is 0
    const Reduced p = reduce(c);
    const float poly = fma(p.r * p.r, exp_tail(p.r), p.r) + 1.0f;
    // 2 poly 2^(n-1): reaches both ends of the range with one multiplication.
    return (poly + poly) * bits_to_float((p.n + 126) << 23);
  }
  /// e^x - 1
  ATTO_INLINE float expm1(float x) {
    float c = x > 89.0f ? 89.0f : x;
    c = c < -87.0f ? -87.0f : c;
    const Reduced p = reduce(c);
    const float poly = fma(p.r * p.r, exp_tail(p.r), p.r);  // e^r - 1
    const float half = bits_to_float((p.n + 126) << 23);    // 2^(n-1)
    const float y = fma(half, poly, half - 0.5f);
    const float twice = y + y;
    return p.n == 0 ? poly : twice;  // exact for tiny x, and keeps -0
  }
  /// Natural logarithm: -infinity at 0, NaN below.
  ATTO_INLINE float log(float x) {
    const bool tiny = x < 1.17549435e-38f;
    const float scaled = tiny ? x * 8388608.0f : x;
    // scaled = 2^e m with m in [2/3, 4/3)
    // Unsigned, because the difference wraps for negative numbers, whose result is not used.
    const auto above = static_cast<std::int32_t>(static_cast<std::uint32_t>(float_to_bits(scaled)) - 0x3F2AAAABu);
    const float e = static_cast<float>(above >> 23) - (tiny ? 23.0f : 0.0f);
    const float f = bits_to_float((above & 0x007FFFFF) + 0x3F2AAAAB) - 1.0f;
    float q = fma(-0x1.07bf22p-3f, f, 0x1.1e728ep-3f);
    q = fma(q, f, -0x1.f3329cp-4f);
    q = fma(q, f, 0x1.1ed454p-3f);
    q = fma(q, f, -0x1.559c8ap-3f);
    q = fma(q, f, 0x1.99d05cp-3f);
    q = fma(q, f, -0x1.fffef8p-3f);
    q = fma(q, f, 0x1.555506p-2f);
    const float square = f * f;
    const float tail = fma(square * f, q, -0.5f * square);
    float y = fma(e, 0.693359375f, f + fma(e, -2.12194440e-4f, tail));
    y = x > 3.4028234e38f ? x : y;
    y = x == 0.0f ? -__builtin_inff() : y;
    return x >= 0.0f ? y : __builtin_nanf("");
  }
  /// log(1 + x)
  ATTO_INLINE float log1p(float x) {
    const float u = 1.0f + x;
    const float lost = x > 1.0f ? 1.0f - (u - x) : x - (u - 1.0f);  // what rounding took from 1 + x (Kahan)
    const float y = log(u) + lost / u;
    const bool special = x <= -1.0f || x > 3.4028234e38f;
    return special ? log(u) : y;
  }
  /// log(1 + e^x) = max(x, 0) + log1p(e^-|x|)
  ATTO_INLINE float softplus(float x) {
    const float t = exp(-__builtin_fabsf(x));
    const float u = 1.0f + t;
    return (x > 0.0f ? x : 0.0f) + (log(u) + (t - (u - 1.0f)) / u);
  }
  /// 1 / (1 + e^-x)
  ATTO_INLINE float sigmoid(float x) {
    return 1.0f / (1.0f + exp(-x));
  }
  ATTO_INLINE float tanh(float x) {
    const float t = expm1(-2.0f * __builtin_fabsf(x));
    return __builtin_copysignf(-t / (t + 2.0f), x);
  }
  ATTO_INLINE float erf(float x) {
    const float t = __builtin_fabsf(x);
    const float u = t * t;
    float p = fma(-0x1.3a48e2p-11f, u, 0x1.474a0ep-8f);
    p = fma(p, u, -0x1.b68e66p-6f);
    p = fma(p, u, 0x1.ce1ab4p-4f);
    p = fma(p, u, -0x1.8126e8p-2f);
    p = fma(p, u, 0x1.06eba6p-3f);
    const float near = fma(t, p, t);
    // 1 - e^(t poly(t)) for 0.92 < t < 4, after which erf is 1
    const float c = t > 4.0f ? 4.0f : t;
    float q = fma(0x1.c0cb20p-13f, c, -0x1.a567aap-9f);
    q = fma(q, c, 0x1.7708a4p-6f);
    q = fma(q, c, -0x1.af2768p-4f);
    q = fma(q, c, -0x1.457cd8p-1f);
    q = fma(q, c, -0x1.20e652p+0f);
    const float far = 1.0f - exp(q * c);
    return __builtin_copysignf(t > 0.921875f ? far : near, x);
  }
  ATTO_INLINE float sqrt(float x) {
    return __builtin_sqrtf(x);
  }
  ATTO_INLINE float abs(float x) {
    return __builtin_fabsf(x);
  }
  ATTO_INLINE float pow(float x, float p) {
    return __builtin_powf(x, p);
  }

  ATTO_INLINE double fma(double a, double b, double c) {
    return a * b + c;
  }
  ATTO_INLINE double exp(double x) {
    return __builtin_exp(x);
  }
  ATTO_INLINE double expm1(double x) {
    return __builtin_expm1(x);
  }
  ATTO_INLINE double log(double x) {
    return __builtin_log(x);
  }
  ATTO_INLINE double log1p(double x) {
    return __builtin_log1p(x);
  }
  ATTO_INLINE double softplus(double x) {
    return (x > 0 ? x : 0) + log1p(exp(x > 0 ? -x : x));
  }
  ATTO_INLINE double sigmoid(double x) {
    return 1 / (1 + exp(-x));
  }
  ATTO_INLINE double tanh(double x) {
    return __builtin_tanh(x);
  }
  ATTO_INLINE double erf(double x) {
    return __builtin_erf(x);
  }
  ATTO_INLINE double sqrt(double x) {
    return __builtin_sqrt(x);
  }
  ATTO_INLINE double abs(double x) {
    return __builtin_fabs(x);
  }
  ATTO_INLINE double pow(double x, double p) {
    return __builtin_pow(x, p);
  }
};

#undef ATTO_INLINE

}  // namespace atto::simd
