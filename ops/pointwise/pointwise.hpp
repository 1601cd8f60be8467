#pragma once
// Operations y_i = f(x_i) on any shape; the functions stand in functors.hpp. Common to all: gradient dx_i = f'(x_i)
// dy_i, an empty input gives an empty result, 2 values moved per element. float32 errors are at most 4 units in the
// last place of the largest term.

#include "autograd/var.hpp"
#include "core/device.hpp"

namespace atto {

extern const Schema scale_schema, abs_schema, square_schema, sqrt_schema, rsqrt_schema, reciprocal_schema, pow_schema,
    clamp_schema, exp_schema, log_schema, log1p_schema, sigmoid_schema, log_sigmoid_schema, tanh_schema,
    softplus_schema, relu_schema, leaky_relu_schema, elu_schema, gelu_schema, gelu_tanh_schema, silu_schema;

/// a x + b
Var scale(const Var& x, double a, double b = 0);
/// -x
Var neg(const Var& x);
/// |x|; derivative 0 at 0.
Var abs(const Var& x);
Var square(const Var& x);
/// NaN below 0; infinite derivative at 0.
Var sqrt(const Var& x);
/// 1 / sqrt(x)
Var rsqrt(const Var& x);
/// 1 / x
Var reciprocal(const Var& x);
/// x^exponent as libm's pow. Slow: square, sqrt, rsqrt and reciprocal are used where they are meant.
Var pow(const Var& x, double exponent);
/// min(max(x, low), high); derivative 1 on the borders. ValueError unless low <= high.
Var clamp(const Var& x, double low, double high);
Var exp(const Var& x);
/// Natural logarithm; -infinity at 0, NaN below.
Var log(const Var& x);
/// log(1 + x), accurate near 0.
Var log1p(const Var& x);
/// 1 / (1 + e^-x)
Var sigmoid(const Var& x);
/// log(sigmoid(x)), without overflow.
Var log_sigmoid(const Var& x);
Var tanh(const Var& x);
/// log(1 + e^x), without overflow.
Var softplus(const Var& x);
/// max(x, 0); derivative 0 at 0.
Var relu(const Var& x);
/// x, or slope x where x <= 0.
Var leaky_relu(const Var& x, double slope = 0.01);
/// x, or alpha (e^x - 1) where x <= 0.
Var elu(const Var& x, double alpha = 1);
/// x Phi(x), Phi the normal distribution function.
Var gelu(const Var& x);
/// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), the approximation of GPT-2.
Var gelu_tanh(const Var& x);
/// x sigmoid(x)
Var silu(const Var& x);

namespace kernels {

/// y = f(x)
template <class F, class T>
void pointwise(Cpu, F f, std::int64_t n, const T* x, T* y);
/// dx = f'(x) g, where y = f(x)
template <class F, class T>
void pointwise_gradient(Cpu, F f, std::int64_t n, const T* x, const T* y, const T* g, T* dx);

/// The same on the calling thread, for an instruction set.
template <class Isa, class F, class T>
void pointwise_chunk(F f, std::int64_t n, const T* x, T* y);
template <class Isa, class F, class T>
void pointwise_gradient_chunk(F f, std::int64_t n, const T* x, const T* y, const T* g, T* dx);

}  // namespace kernels
}  // namespace atto
