#include "ops/dropout/dropout.hpp"

#include "core/error.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dispatch.hpp"

namespace atto {

const Schema dropout_schema{{
    .name = "dropout",
    .signature = "x[...] -> y[...]",
    .formula = "y_i = m_i x_i / (1 - rate), m_i = 0 with probability rate, else 1",
    .gradient = "dx_i = m_i dy_i / (1 - rate), with the same m",
    .cost = "40 operations per value, 2 values moved",
}};

namespace {

Tensor dropped(const Tensor& x, double rate, const RandomStream& stream) {
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  dispatch(x, "dropout",
           [&]<class T>(auto device) { kernels::dropout(device, x.numel(), x.data<T>(), rate, stream, y.data<T>()); });
  return y;
}

class Dropout final : public Op {
 public:
  Dropout(double rate, const RandomStream& stream) : rate_(rate), stream_(stream) {}
  const Schema& schema() const override { return dropout_schema; }
  Tensor forward(Inputs in) override {
    size_ = static_cast<double>(in[0].numel());
    bytes_ = 2.0 * static_cast<double>(in[0].bytes());
    return dropped(in[0], rate_, stream_);
  }
  void backward(const Tensor& gradient, Gradients& gradients) override {
    gradients.add(0, dropped(gradient, rate_, stream_));
  }
  Cost cost() const override { return {.flops = 40 * size_, .bytes = bytes_}; }
  double backward_factor() const override { return 1; }

 private:
  double rate_;
  RandomStream stream_;
  double size_ = 0, bytes_ = 0;
};

}  // namespace

Var dropout(const Var& x, double rate, const RandomStream& stream) {
  if (!(rate >= 0 && rate < 1))
    throw ValueError(
        {.op = "dropout", .argument = "rate", .got = std::to_string(rate), .expected = "0 <= rate < 1", .hint = {}});
  return rate == 0 ? x : apply<Dropout>({x}, rate, stream);
}

Var dropout_reference(const Var& x, double rate, const RandomStream& stream) {
  Tensor mask = Tensor::full(x.shape(), 1 / (1 - rate), DType::float64);
  for (std::int64_t i = 0; i < mask.numel(); ++i)
    if (stream.bits(static_cast<std::uint64_t>(i)) < rate * 4294967296.0) mask.data<double>()[i] = 0;
  return x * Var(mask.to(x.dtype()));
}

}  // namespace atto
