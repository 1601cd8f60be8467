#include "ops/linear/linear.hpp"

#include <type_traits>

#include "autograd/accumulate.hpp"
#include "core/blas.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dispatch.hpp"
#include "ops/matmul/matmul.hpp"
#include "ops/pointwise/functors.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/shape/shape.hpp"

namespace atto {

const Schema linear_schema{{
    .name = "linear",
    .signature = "x[...,I], weight[O,I], bias?[O] -> y[...,O]",
    .formula = "y_no = act(sum_i x_ni W_oi + b_o)",
    .gradient = "dx = dz W, dW = dz^T x, db = sum_n dz, with dz = dy act'(z)",
    .cost = "2 N I O FLOP; N (I + O) + I O values moved",
}};

Var activate(const Var& x, Activation activation) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return relu(x);
    case Activation::gelu:
      return gelu(x);
    case Activation::silu:
      return silu(x);
    case Activation::tanh:
      return tanh(x);
    case Activation::sigmoid:
      break;
  }
  return sigmoid(x);
}

namespace {

// Calls f.template operator()<F>() with the functor of an activation.
template <class F>
void with_functor(Activation activation, F&& f) {
  switch (activation) {
    case Activation::none:
      return f.template operator()<pointwise::Identity>();
    case Activation::relu:
      return f.template operator()<pointwise::Relu>();
    case Activation::gelu:
      return f.template operator()<pointwise::Gelu>();
    case Activation::silu:
      return f.template operator()<pointwise::Silu>();
    case Activation::tanh:
      return f.template operator()<pointwise::Tanh>();
    case Activation::sigmoid:
      return f.template operator()<pointwise::Sigmoid>();
  }
}

class LinearOp final : public Op {
 public:
  explicit LinearOp(Activation activation) : activation_(activation) {}
  const Schema& schema() const override { return linear_schema; }

  Tensor forward(Inputs in) override {
    x_ = in[0];
    weight_ = in[1];
    outputs_ = weight_.size(0);
    inputs_ = weight_.size(1);
    for (int d = 0; d + 1 < x_.rank(); ++d) rows_ *= x_.size(d);
    const Tensor y = Tensor::empty(x_.shape().with(-1, outputs_), x_.dtype(), x_.device());
    // f' needs z where it is no function of y.
    const bool keeps_z = recording() && (activation_ == Activation::gelu || activation_ == Activation::silu);
    const Tensor z = keeps_z ? Tensor::empty(y.shape(), y.dtype(), y.device()) : y;
    dispatch(x_, "linear", [&]<class T>(auto device) {
      with_functor(activation_, [&]<class F>() {
        kernels::linear<F>(device, rows_, outputs_, inputs_, x_.data<T>(), weight_.data<T>(),
                           in[2].defined() ? in[2].data<T>() : nullptr, z.data<T>(), y.data<T>());
      });
    });
    if (recording() && activation_ != Activation::none) {
      z_ = z;
      y_ = activation_ == Activation::gelu ? z : y;  // gelu' does not read y: z stands in
    }
    if (!will_want(1)) x_.let_go();
    if (!will_want(0)) weight_.let_go();
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    // Where the weights are small all three gradients come from one pass over the rows; else from matrix products of
    // their own, which need no partial sums of the size of the weights.
    constexpr std::int64_t kSmallWeight = std::int64_t{1} << 16;
    const bool one_pass = outputs_ * inputs_ <= kSmallWeight;
    dispatch(gradient, "linear", [&]<class T>(auto device) {
      const auto pointer = [](const Tensor& tensor) { return tensor.defined() ? tensor.data<T>() : nullptr; };
      Tensor fresh[3];
      const auto target = [&](std::size_t i, const Shape& shape) -> kernels::GradientTarget<T> {
        if (!gradients.wants(i)) return {};
        if (const Tensor so_far = gradients.collected(i); so_far.defined()) return {so_far.data<T>(), true};
        fresh[i] = Tensor::empty(shape, gradient.dtype(), gradient.device());
        return {fresh[i].data<T>(), false};
      };
      const auto dx = target(0, x_.shape()), dw = target(1, weight_.shape());
      with_functor(activation_, [&]<class F>() {
        if (one_pass)
          return kernels::linear_backward<F>(device, rows_, outputs_, inputs_, pointer(x_), pointer(weight_),
                                             pointer(z_), pointer(y_), gradient.data<T>(), dx, dw,
                                             target(2, Shape{outputs_}));
        Tensor dz = gradient;
        if constexpr (!std::is_same_v<F, pointwise::Identity>) {
          dz = Tensor::empty(gradient.shape(), gradient.dtype(), gradient.device());
          kernels::pointwise_gradient(device, F{}, dz.numel(), z_.data<T>(), y_.data<T>(), gradient.data<T>(),
                                      dz.data<T>());
        }
        if (dx.to)
          blas::gemm<T>(false, false, rows_, inputs_, outputs_, T{1}, dz.data<T>(), weight_.data<T>(),
                        T(dx.add ? 1 : 0), dx.to);
        if (dw.to)
          blas::gemm<T>(true, false, outputs_, inputs_, rows_, T{1}, dz.data<T>(), x_.data<T>(), T(dw.add ? 1 : 0),
                        dw.to);
        if (gradients.wants(2)) fresh[2] = sum_to(dz, Shape{outputs_});
      });
      for (std::size_t i = 0; i < 3; ++i)
        if (fresh[i].defined()) gradients.add(i, std::move(fresh[i]));
    });
  }

  Cost cost() const override {
    const auto n = static_cast<double>(rows_), i = static_cast<double>(inputs_), o = static_cast<double>(outputs_);
    return {.flops = 2 * n * i * o, .bytes = static_cast<double>(size_of(x_.dtype())) * (n * (i + o) + i * o)};
  }

 private:
  Activation activation_;
  Tensor x_, weight_, z_, y_;
  std::int64_t rows_ = 1, inputs_ = 0, outputs_ = 0;
};

}  // namespace

Var linear(const Var& x, const Var& weight, const Var& bias, Activation activation) {
  return apply<LinearOp>({x, weight, bias}, activation);
}

Var linear_reference(const Var& x, const Var& weight, const Var& bias, Activation activation) {
  std::int64_t rows = 1;
  for (int d = 0; d + 1 < x.rank(); ++d) rows *= x.size(d);
  const Var z = matmul(reshape(x, {rows, x.size(-1)}), weight, {.transpose_b = true});
  return reshape(activate(bias.defined() ? z + bias : z, activation), x.shape().with(-1, weight.size(0)));
}

}  // namespace atto
