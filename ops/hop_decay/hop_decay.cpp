#include "ops/hop_decay/hop_decay.hpp"

#include <cmath>
#include <string>

#include "core/error.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dispatch.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/shape/shape.hpp"

namespace atto {

const Schema hop_decay_schema{{
    .name = "hop_decay",
    .signature = "hop[H], gamma?[G] -> table[H,B]",
    .formula = "M_kt = gamma^phi(t - h_k), phi(x) = x > 0 ? x : a x; its own value for the last bucket",
    .gradient = "dh_k = -ln(gamma) sum_t dM_kt M_kt phi'(t - h_k), dgamma = sum_t dM_kt M_kt phi / gamma",
    .cost = "20 H B FLOP, H B values moved",
}};

namespace {

void require(bool holds, const char* argument, double got, const char* expected, const char* hint = "") {
  if (!holds)
    throw ValueError(
        {.op = "hop_decay", .argument = argument, .got = std::to_string(got), .expected = expected, .hint = hint});
}

class HopDecayOp final : public Op {
 public:
  explicit HopDecayOp(const HopDecayOptions& options) : options_(options) {}
  const Schema& schema() const override { return hop_decay_schema; }

  Tensor forward(Inputs in) override {
    hop_ = in[0];
    gamma_ = in[1];
    if (gamma_.defined() && gamma_.numel() != 1 && gamma_.numel() != hop_.numel())
      throw ShapeError({.op = "hop_decay",
                        .argument = "gamma",
                        .got = gamma_.shape().str(),
                        .expected = "[1] or " + hop_.shape().str(),
                        .hint = {}});
    Tensor table = Tensor::empty(Shape{hop_.numel(), options_.buckets}, hop_.dtype(), hop_.device());
    dispatch(table, "hop_decay", [&]<class T>(auto device) {
      for (std::int64_t k = 0; gamma_.defined() && k < gamma_.numel(); ++k)
        require(gamma<T>()[k] > 0 && gamma<T>()[k] <= 1, "gamma", gamma<T>()[k], "0 < gamma <= 1",
                "the sigmoid of a parameter stays there");
      kernels::hop_decay(device, hop_.numel(), options_, hop_.data<T>(), gamma<T>(), gamma_step(), table.data<T>());
    });
    return table;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    const Tensor dhop = Tensor::empty(hop_.shape(), hop_.dtype(), hop_.device());
    const Tensor dgamma = Tensor::empty(hop_.shape(), hop_.dtype(), hop_.device());
    dispatch(hop_, "hop_decay", [&]<class T>(auto device) {
      kernels::hop_decay_gradient(device, hop_.numel(), options_, hop_.data<T>(), gamma<T>(), gamma_step(),
                                  gradient.data<T>(), dhop.data<T>(), dgamma.data<T>());
    });
    if (gradients.wants(0)) gradients.add(0, dhop);
    if (gradients.wants(1)) gradients.add(1, dgamma);  // the tape adds up what heads with one gamma send
  }

  Cost cost() const override {
    const double size = static_cast<double>(hop_.numel() * options_.buckets);
    return {.flops = 20 * size, .bytes = size * static_cast<double>(size_of(hop_.dtype()))};
  }
  double backward_factor() const override { return 1; }
  bool gives_masks() const override { return options_.logarithm; }

 private:
  template <class T>
  const T* gamma() const {
    return gamma_.defined() ? gamma_.data<T>() : nullptr;
  }
  std::int64_t gamma_step() const { return gamma_.defined() && gamma_.numel() != 1 ? 1 : 0; }

  HopDecayOptions options_;
  Tensor hop_, gamma_;
};

}  // namespace

Var hop_decay(const Var& hop, const HopDecayOptions& options, const Var& gamma) {
  require(options.gamma > 0 && options.gamma <= 1, "gamma", options.gamma, "0 < gamma <= 1");
  require(options.slope >= 0, "slope", options.slope, "at least 0");
  require(options.buckets >= 1 && options.buckets <= 256, "buckets", static_cast<double>(options.buckets), "1 to 256");
  require(options.unreachable >= 0, "unreachable", options.unreachable, "at least 0");
  return apply<HopDecayOp>({hop, gamma}, options);
}

Var hop_decay_reference(const Var& hop, const HopDecayOptions& options, const Var& gamma) {
  const std::int64_t heads = hop.size(0), distances = options.buckets - 1;
  Tensor t = Tensor::empty(Shape{distances}, DType::float64);
  for (std::int64_t d = 0; d < distances; ++d) t.data<double>()[d] = static_cast<double>(d);
  const Var exponent = leaky_relu(Var(t.to(hop.dtype())) - reshape(hop, Shape{heads, 1}), options.slope);
  const Var log_table =
      gamma.defined() ? exponent * log(reshape(gamma, Shape{gamma.size(0), 1})) : exponent * std::log(options.gamma);
  const double last = options.logarithm ? std::log(options.unreachable) : options.unreachable;
  return concat({options.logarithm ? log_table : exp(log_table), Tensor::full(Shape{heads, 1}, last, hop.dtype())}, 1);
}

}  // namespace atto
