#pragma once
// The affine map of a layer, with its activation.

#include "autograd/var.hpp"
#include "core/device.hpp"

namespace atto {

extern const Schema linear_schema;

/// What a linear layer does to its result, in the same pass that adds the bias.
enum class Activation { none, relu, gelu, silu, tanh, sigmoid };

/// The activation by itself.
Var activate(const Var& x, Activation activation);

/// y = activation(x W^T + b) over the last dimension; b may be undefined. x[...,I], weight[O,I], bias[O] -> y[...,O].
/// Gradients to x, weight and bias. No rows give no rows; I = 0 gives the bias. Cost: 2 N I O FLOP, three times that
/// with backward.
Var linear(const Var& x, const Var& weight, const Var& bias, Activation activation = Activation::none);

/// The same from other operations.
Var linear_reference(const Var& x, const Var& weight, const Var& bias, Activation activation = Activation::none);

namespace kernels {

/// z = x W^T + b (bias may be null), y = f(z). z may be y where only y is wanted.
template <class F, class T>
void linear(Cpu, std::int64_t rows, std::int64_t outputs, std::int64_t inputs, const T* x, const T* weight,
            const T* bias, T* z, T* y);

/// A result of a backward pass: nowhere, or to be written, or to be added to what is there.
template <class T>
struct GradientTarget {
  T* to = nullptr;
  bool add = false;
};

/// dx, dW and db of linear() from dy, in one pass over the rows. x, weight, z and y may be null where they are not
/// read.
template <class F, class T>
void linear_backward(Cpu, std::int64_t rows, std::int64_t outputs, std::int64_t inputs, const T* x, const T* weight,
                     const T* z, const T* y, const T* dy, GradientTarget<T> dx, GradientTarget<T> dweight,
                     GradientTarget<T> dbias);

/// z_no += b_o, y = f(z) on the calling thread, for an instruction set.
template <class Isa, class F, class T>
void bias_activation_chunk(std::int64_t rows, std::int64_t columns, const T* bias, T* z, T* y);

}  // namespace kernels
}  // namespace atto
