// A few operations to test the tape with, which must not need ops/.
#pragma once

#include <cmath>
#include <functional>

#include "autograd/var.hpp"

namespace atto::test {

inline Tensor numbers(std::vector<double> values) {
  return Tensor::from(values);
}
inline Tensor each(const Tensor& x, const std::function<double(double)>& f) {
  Tensor y = Tensor::empty(x.shape(), DType::float64);
  for (std::int64_t i = 0; i < x.numel(); ++i) y.data<double>()[i] = f(x.data<double>()[i]);
  return y;
}
inline Tensor both(const Tensor& a, const Tensor& b, const std::function<double(double, double)>& f) {
  Tensor y = Tensor::empty(a.shape(), DType::float64);
  for (std::int64_t i = 0; i < a.numel(); ++i) y.data<double>()[i] = f(a.data<double>()[i], b.data<double>()[i]);
  return y;
}

inline int living_ops = 0;  // so that a test sees when the tape lets go
struct CountedOp : Op {
  CountedOp() { ++living_ops; }
  ~CountedOp() override { --living_ops; }
  Cost cost() const override { return {.flops = 3, .bytes = 16}; }
};

inline const Schema times_schema{{.name = "times",
                                  .signature = "a[...], b[...] -> y[...]",
                                  .formula = "y = a b",
                                  .gradient = "da = b dy, db = a dy",
                                  .cost = "-"}};
struct Times final : CountedOp {
  const Schema& schema() const override { return times_schema; }
  Tensor forward(Inputs in) override {
    a = in[0], b = in[1];
    return both(a, b, [](double p, double q) { return p * q; });
  }
  void backward(const Tensor& g, Gradients& gradients) override {
    if (gradients.wants(0)) gradients.add(0, both(g, b, [](double p, double q) { return p * q; }));
    if (gradients.wants(1)) gradients.add(1, both(g, a, [](double p, double q) { return p * q; }));
  }
  Tensor a, b;
};
inline Var times(const Var& a, const Var& b) {
  return apply<Times>({a, b});
}

// Hands the very tensor that it gets on to both inputs.
inline const Schema plus_schema{{.name = "plus",
                                 .signature = "a[...], b[...] -> y[...]",
                                 .formula = "y = a + b",
                                 .gradient = "da = db = dy",
                                 .cost = "-"}};
struct Plus final : CountedOp {
  const Schema& schema() const override { return plus_schema; }
  Tensor forward(Inputs in) override {
    return both(in[0], in[1], [](double p, double q) { return p + q; });
  }
  void backward(const Tensor& g, Gradients& gradients) override {
    gradients.add(0, g);
    gradients.add(1, g);
  }
};
inline Var plus(const Var& a, const Var& b) {
  return apply<Plus>({a, b});
}

// y = f(x), dx = df(x) dy; `df` may be wrong on purpose.
inline const Schema map_schema{
    {.name = "map", .signature = "x[...] -> y[...]", .formula = "y = f(x)", .gradient = "dx = f'(x) dy", .cost = "-"}};
struct Map final : CountedOp {
  Map(std::function<double(double)> function, std::function<double(double)> slope)
      : f(std::move(function)), df(std::move(slope)) {}
  const Schema& schema() const override { return map_schema; }
  Tensor forward(Inputs in) override {
    x = in[0];
    return each(x, f);
  }
  void backward(const Tensor& g, Gradients& gradients) override {
    gradients.add(0, both(x, g, [&](double p, double q) { return df(p) * q; }));
  }
  std::function<double(double)> f, df;
  Tensor x;
};
inline Var map(const Var& x, std::function<double(double)> f, std::function<double(double)> df) {
  return apply<Map>({x}, std::move(f), std::move(df));
}
inline Var twice(const Var& x) {
  return map(
      x, [](double v) { return 2 * v; }, [](double) { return 2; });
}

inline const Schema total_schema{
    {.name = "total", .signature = "x[...] -> y[]", .formula = "y = sum x", .gradient = "dx = dy", .cost = "-"}};
struct Total final : CountedOp {
  const Schema& schema() const override { return total_schema; }
  Tensor forward(Inputs in) override {
    shape = in[0].shape();
    double sum = 0;
    for (const double value : in[0].values<double>()) sum += value;
    return Tensor::full({}, sum, DType::float64);
  }
  void backward(const Tensor& g, Gradients& gradients) override {
    gradients.add(0, Tensor::full(shape, g.item(), DType::float64));
  }
  Shape shape;
};
inline Var total(const Var& x) {
  return apply<Total>({x});
}

// Copies x over a larger shape; sends back the gradient of that shape.
inline const Schema stretch_schema{{.name = "stretch",
                                    .signature = "x[...] -> y[...]",
                                    .formula = "y = x under broadcasting",
                                    .gradient = "dx = dy, summed by the tape",
                                    .cost = "-"}};
struct Stretch final : CountedOp {
  explicit Stretch(const Shape& wide) : shape(wide) {}
  const Schema& schema() const override { return stretch_schema; }
  Tensor forward(Inputs in) override { return Tensor::full(shape, in[0].data<double>()[0], DType::float64); }
  void backward(const Tensor& g, Gradients& gradients) override { gradients.add(0, g); }
  Shape shape;
};

inline const Schema frozen_schema{
    {.name = "frozen", .signature = "x[...] -> y[...]", .formula = "y = x", .gradient = "", .cost = "-"}};
struct Frozen final : CountedOp {
  const Schema& schema() const override { return frozen_schema; }
  Tensor forward(Inputs in) override { return in[0]; }
  bool differentiable() const override { return false; }
};

}  // namespace atto::test
