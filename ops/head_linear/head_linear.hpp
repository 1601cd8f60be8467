#pragma once
// An affine map of each head's own.

#include "autograd/var.hpp"
#include "core/device.hpp"

namespace atto {

extern const Schema head_linear_schema;

/// y_nh = W_h x_nh + b_h: H independent linear layers on the heads of every row (the perceptrons of GIN- and
/// PNA-Attention, Buehler, arXiv 2501.02393). x[N,H,I], weight[H,O,I], bias[H,O] or undefined -> y[N,H,O]; gradient to
/// all three. No rows give no rows; I = 0 gives the bias. Each head is computed as if it were alone. Cost: 2 N H I O
/// FLOP, three times that with backward.
Var head_linear(const Var& x, const Var& weight, const Var& bias);

/// The same from a product that is [N,H,O,I], and its sum.
Var head_linear_reference(const Var& x, const Var& weight, const Var& bias);

namespace kernels {

/// y_nh = W_h x_nh + b_h; bias may be null.
template <class T>
void head_linear(Cpu, std::int64_t rows, std::int64_t heads, std::int64_t outputs, std::int64_t inputs, const T* x,
                 const T* weight, const T* bias, T* y);
/// dx_nh = W_h^T g_nh
template <class T>
void head_linear_gradient(Cpu, std::int64_t rows, std::int64_t heads, std::int64_t outputs, std::int64_t inputs,
                          const T* weight, const T* g, T* dx);
/// dW_h = sum_n g_nh x_nh^T
template <class T>
void head_linear_weight_gradient(Cpu, std::int64_t rows, std::int64_t heads, std::int64_t outputs, std::int64_t inputs,
                                 const T* x, const T* g, T* dweight);

}  // namespace kernels
}  // namespace atto
