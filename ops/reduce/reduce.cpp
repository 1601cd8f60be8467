#include "ops/reduce/reduce.hpp"

#include <optional>

#include "core/error.hpp"
#include "core/sum.hpp"
#include "ops/dispatch.hpp"

namespace atto {

const Schema sum_schema{{
    .name = "sum",
    .signature = "x[...] -> y[...]",
    .formula = "y = sum_m x_m over one dimension or all",
    .gradient = "dx_m = dy",
    .cost = "1 FLOP and 1 value moved per element of x",
}};

const Schema mean_schema{{
    .name = "mean",
    .signature = "x[...] -> y[...]",
    .formula = "y = 1/M sum_m x_m over one dimension or all, 0 if M = 0",
    .gradient = "dx_m = dy / M",
    .cost = "1 FLOP and 1 value moved per element of x",
}};

const Schema max_schema{{
    .name = "max",
    .signature = "x[...] -> y[...]",
    .formula = "y = max_m x_m over one dimension or all",
    .gradient = "dx_m = dy for the first m with x_m = y, else 0",
    .cost = "1 FLOP and 1 value moved per element of x",
}};

namespace {

// A tensor as [outer, middle, inner], of which the middle is reduced.
struct Span {
  std::int64_t outer = 1, middle = 1, inner = 1;
  Shape result;
};

struct Over {
  std::optional<int> dimension;  // none: all
  bool keep = false;
};

Span span_of(const Shape& shape, const Over& over, std::string_view op) {
  Span span;
  if (!over.dimension) {
    span.middle = shape.numel();
    return span;
  }
  const int d = *over.dimension < 0 ? *over.dimension + shape.rank() : *over.dimension;
  if (d < 0 || d >= shape.rank())
    throw IndexError({.op = std::string(op),
                      .argument = "dimension",
                      .got = std::to_string(*over.dimension),
                      .expected = "a dimension of " + shape.str(),
                      .hint = {}});
  std::array<std::int64_t, Shape::kMaxRank> sizes{};
  std::size_t rank = 0;
  for (int e = 0; e < shape.rank(); ++e) {
    if (e != d) (e < d ? span.outer : span.inner) *= shape[e];
    if (e != d) sizes[rank++] = shape[e];
    else if (over.keep) sizes[rank++] = 1;
  }
  span.middle = shape[d];
  span.result = Shape(std::span<const std::int64_t>(sizes.data(), rank));
  return span;
}

class Sum final : public Op {
 public:
  Sum(const Schema& schema, Over over) : schema_(&schema), over_(over) {}
  const Schema& schema() const override { return *schema_; }

  Tensor forward(Inputs in) override {
    shape_ = in[0].shape();
    bytes_ = in[0].bytes();
    span_ = span_of(shape_, over_, schema_->name());
    if (schema_ == &mean_schema && span_.middle > 0) factor_ = 1 / static_cast<double>(span_.middle);
    Tensor y = Tensor::empty(span_.result, in[0].dtype(), in[0].device());
    dispatch(y, schema_->name(), [&]<class T>(auto device) {
      sum_middle(span_.outer, span_.middle, span_.inner, in[0].data<T>(), y.data<T>());
      if (factor_ != 1)
        kernels::stretch_middle<T>(device, 1, 1, y.numel(), static_cast<T>(factor_), y.data<T>(), y.data<T>());
    });
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor dx = Tensor::empty(shape_, gradient.dtype(), gradient.device());
    dispatch(dx, schema_->name(), [&]<class T>(auto device) {
      kernels::stretch_middle<T>(device, span_.outer, span_.middle, span_.inner, static_cast<T>(factor_),
                                 gradient.data<T>(), dx.data<T>());
    });
    gradients.add(0, dx);
  }

  Cost cost() const override {
    return {.flops = static_cast<double>(shape_.numel()), .bytes = static_cast<double>(bytes_)};
  }
  double backward_factor() const override { return 1; }

 private:
  const Schema* schema_;
  Over over_;
  Span span_;
  Shape shape_;
  std::int64_t bytes_ = 0;
  double factor_ = 1;
};

class Max final : public Op {
 public:
  explicit Max(Over over) : over_(over) {}
  const Schema& schema() const override { return max_schema; }

  Tensor forward(Inputs in) override {
    shape_ = in[0].shape();
    bytes_ = in[0].bytes();
    span_ = span_of(shape_, over_, "max");
    if (span_.middle == 0 && span_.result.numel() > 0)
      throw ValueError({.op = "max",
                        .argument = "x",
                        .got = "no elements in " + shape_.str(),
                        .expected = "at least one",
                        .hint = {}});
    Tensor y = Tensor::empty(span_.result, in[0].dtype(), in[0].device());
    where_ = Tensor::empty(span_.result, DType::int64, in[0].device());
    dispatch(y, "max", [&]<class T>(auto device) {
      kernels::max_middle(device, span_.outer, span_.middle, span_.inner, in[0].data<T>(), y.data<T>(),
                          where_.data<std::int64_t>());
    });
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor dx = Tensor::zeros(shape_, gradient.dtype(), gradient.device());
    dispatch(dx, "max", [&]<class T>(auto) {
      const std::int64_t* where = where_.data<std::int64_t>();
      for (std::int64_t o = 0; o < span_.outer; ++o)
        for (std::int64_t i = 0; i < span_.inner; ++i) {
          const std::int64_t place = o * span_.inner + i;
          dx.data<T>()[(o * span_.middle + where[place]) * span_.inner + i] = gradient.data<T>()[place];
        }
    });
    gradients.add(0, dx);
  }

  Cost cost() const override {
    return {.flops = static_cast<double>(shape_.numel()), .bytes = static_cast<double>(bytes_)};
  }
  double backward_factor() const override { return 1; }

 private:
  Over over_;
  Span span_;
  Shape shape_;
  std::int64_t bytes_ = 0;
  Tensor where_;
};

}  // namespace

Var sum(const Var& x) {
  return apply<Sum>({x}, sum_schema, Over{});
}
Var sum(const Var& x, int dimension, bool keep) {
  return apply<Sum>({x}, sum_schema, Over{dimension, keep});
}
Var mean(const Var& x) {
  return apply<Sum>({x}, mean_schema, Over{});
}
Var mean(const Var& x, int dimension, bool keep) {
  return apply<Sum>({x}, mean_schema, Over{dimension, keep});
}
Var max(const Var& x) {
  return apply<Max>({x}, Over{});
}
Var max(const Var& x, int dimension, bool keep) {
  return apply<Max>({x}, Over{dimension, keep});
}

}  // namespace atto
