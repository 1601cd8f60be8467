#include "ops/adjacency/adjacency.hpp"

#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/sum.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dispatch.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/shape/shape.hpp"

namespace atto {

const Schema adjacency_schema{{
    .name = "adjacency",
    .signature = "p[...], tau?[1] -> y[...]",
    .formula = "y = f(p, tau), one of eleven thresholds f of p at tau",
    .gradient = "dp = f_p(p, tau) dy, dtau = sum f_tau(p, tau) dy; steps have derivative 0",
    .cost = "up to 50 FLOP and 2 values moved per element",
}};

namespace {

class Adjacency final : public Op {
 public:
  explicit Adjacency(const AdjacencyOptions& options) : options_(options) {}
  const Schema& schema() const override { return adjacency_schema; }

  Tensor forward(Inputs in) override {
    if (recording()) p_ = in[0], tau_ = in[1];
    Tensor y = Tensor::empty(in[0].shape(), in[0].dtype(), in[0].device());
    dispatch(y, "adjacency", [&]<class T>(auto device) {
      kernels::adjacency(device, options_, y.numel(), threshold<T>(in[1]), in[0].data<T>(), y.data<T>());
    });
    adjacency_modes::with_functor(options_, [&](auto f) {
      cost_ = {.flops = static_cast<double>(f.kFlops * y.numel()), .bytes = static_cast<double>(2 * y.bytes())};
    });
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor dp = Tensor::empty(p_.shape(), p_.dtype(), p_.device()), terms, dtau;
    if (gradients.wants(1)) {
      terms = Tensor::empty(p_.shape(), p_.dtype(), p_.device());
      dtau = Tensor::empty(tau_.shape(), p_.dtype(), p_.device());
    }
    dispatch(dp, "adjacency", [&]<class T>(auto device) {
      T* const to = terms.defined() ? terms.template data<T>() : nullptr;
      kernels::adjacency_gradient(device, options_, p_.numel(), threshold<T>(tau_), p_.data<T>(), gradient.data<T>(),
                                  dp.data<T>(), to);
      if (to != nullptr) sum_middle(1, p_.numel(), 1, to, dtau.data<T>());
    });
    if (gradients.wants(0)) gradients.add(0, std::move(dp));
    if (gradients.wants(1)) gradients.add(1, std::move(dtau));
  }

  Cost cost() const override { return cost_; }
  double backward_factor() const override { return 1.5; }  // p and dy in, dp out

 private:
  template <class T>
  T threshold(const Tensor& tau) const {
    return tau.defined() ? tau.data<T>()[0] : static_cast<T>(options_.threshold);
  }

  AdjacencyOptions options_;
  Tensor p_, tau_;
  Cost cost_;
};

// 1 where x > 0: a constant, as its derivative is 0.
Var step_of(const Var& x) {
  const Tensor& value = x.value();
  Tensor step = Tensor::zeros(value.shape(), value.dtype(), value.device());
  dispatch(step, "adjacency", [&]<class T>(auto) {
    for (std::int64_t i = 0; i < step.numel(); ++i) step.data<T>()[i] = value.data<T>()[i] > 0 ? T{1} : T{0};
  });
  return step;
}

}  // namespace

Var adjacency(const Var& p, const AdjacencyOptions& options, const Var& tau) {
  if (!(options.sharpness > 0))
    throw ValueError({.op = "adjacency",
                      .argument = "sharpness",
                      .got = std::to_string(options.sharpness),
                      .expected = "a number above 0",
                      .hint = {}});
  return apply<Adjacency>({p, tau}, options);
}

Var adjacency_reference(const Var& p, const AdjacencyOptions& options, const Var& tau) {
  const Var x = tau.defined() ? p - reshape(tau, Shape{}) : p - options.threshold;
  const double beta = options.sharpness;
  const auto below = [&](const Var& y) { return y * (1 - step_of(x)) + step_of(x); };
  switch (options.mode) {
    case AdjacencyMode::relu:
      return relu(x);
    case AdjacencyMode::silu:
      return silu(x);
    case AdjacencyMode::softplus:
      return softplus(x);
    case AdjacencyMode::sharp_softplus:
      return softplus(x * beta) * (1 / beta);
    case AdjacencyMode::sigmoid:
      return sigmoid(x * beta);
    case AdjacencyMode::flowthreshold:
      return sigmoid(p * 5) * sigmoid(x * 50);
    case AdjacencyMode::binary:
      return x * 0 + step_of(x) * options.binary_scale;
    case AdjacencyMode::silu_plus_binary:
      return silu(x) + step_of(x) * options.binary_scale;
    case AdjacencyMode::silu_below_binary_above:
      return below(silu(x));
    case AdjacencyMode::relu_below_binary_above:
      return below(relu(x));
    case AdjacencyMode::softplus_below_binary_above:
      return below(softplus(x));
  }
  return x;
}

std::string_view name_of(AdjacencyMode mode) {
  constexpr std::string_view names[] = {"relu",
                                        "silu",
                                        "softplus",
                                        "sharp_softplus",
                                        "sigmoid",
                                        "flowthreshold",
                                        "binary",
                                        "silu_plus_binary",
                                        "silu_below_binary_above",
                                        "relu_below_binary_above",
                                        "softplus_below_binary_above"};
  return names[static_cast<std::size_t>(mode)];
}

}  // namespace atto
