#include "ops/arithmetic/arithmetic.hpp"

#include <string_view>
#include <type_traits>

#include "ops/dispatch.hpp"
#include "ops/pointwise/pointwise.hpp"

namespace atto {
namespace {

constexpr Schema::Text text(std::string_view name, std::string_view formula, std::string_view gradient,
                            std::string_view cost = "1 FLOP per element of y, every operand moved once") {
  return {
      .name = name, .signature = "a[...], b[...] -> y[...]", .formula = formula, .gradient = gradient, .cost = cost};
}

template <class F>
class Binary final : public Op {
 public:
  explicit Binary(const Schema& schema) : schema_(&schema) {}
  const Schema& schema() const override { return *schema_; }

  Tensor forward(Inputs in) override {
    a_ = in[0];
    b_ = in[1];
    shape_ = broadcast(a_.shape(), b_.shape(), schema_->name().data());
    return run(kernels::Part::f, {});
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    if (gradients.wants(0))
      gradients.add(0, std::is_same_v<F, arithmetic::Add> || std::is_same_v<F, arithmetic::Sub>
                           ? gradient
                           : run(kernels::Part::da, gradient));
    if (gradients.wants(1))
      gradients.add(1, std::is_same_v<F, arithmetic::Add> ? gradient : run(kernels::Part::db, gradient));
  }

  Cost cost() const override {
    const auto bytes = static_cast<double>(a_.bytes() + b_.bytes()) +
                       static_cast<double>(shape_.numel()) * static_cast<double>(size_of(a_.dtype()));
    return {.flops = static_cast<double>(shape_.numel()) * F::kFlops, .bytes = bytes};
  }
  // A pass per gradient that is not just dy.
  double backward_factor() const override {
    return std::is_same_v<F, arithmetic::Add> ? 0 : std::is_same_v<F, arithmetic::Sub> ? 1 : 2;
  }

 private:
  Tensor run(kernels::Part part, const Tensor& gradient) const {
    Tensor y = Tensor::empty(shape_, a_.dtype(), a_.device());
    const kernels::Broadcast plan(a_.shape(), b_.shape(), shape_);
    dispatch(a_, schema_->name(), [&]<class T>(auto device) {
      kernels::broadcast<F>(device, part, plan, gradient.defined() ? gradient.data<T>() : nullptr, a_.data<T>(),
                            b_.data<T>(), y.data<T>());
    });
    return y;
  }

  const Schema* schema_;
  Tensor a_, b_;
  Shape shape_;
};

}  // namespace

const Schema add_schema{text("add", "y = a + b", "da = dy, db = dy, summed over stretched dimensions")};
Var add(const Var& a, const Var& b) {
  return apply<Binary<arithmetic::Add>>({a, b}, add_schema);
}

const Schema sub_schema{text("sub", "y = a - b", "da = dy, db = -dy, summed over stretched dimensions")};
Var sub(const Var& a, const Var& b) {
  return apply<Binary<arithmetic::Sub>>({a, b}, sub_schema);
}

const Schema mul_schema{text("mul", "y = a b", "da = b dy, db = a dy, summed over stretched dimensions")};
Var mul(const Var& a, const Var& b) {
  return apply<Binary<arithmetic::Mul>>({a, b}, mul_schema);
}

const Schema div_schema{text("div", "y = a / b", "da = dy / b, db = -dy a / b^2, summed over stretched dimensions",
                             "4 FLOP per element of y, every operand moved once")};
Var div(const Var& a, const Var& b) {
  return apply<Binary<arithmetic::Div>>({a, b}, div_schema);
}

const Schema maximum_schema{text("maximum", "y = max(a, b)", "da = dy where a >= b, db = dy elsewhere")};
Var maximum(const Var& a, const Var& b) {
  return apply<Binary<arithmetic::Maximum>>({a, b}, maximum_schema);
}

const Schema minimum_schema{text("minimum", "y = min(a, b)", "da = dy where a <= b, db = dy elsewhere")};
Var minimum(const Var& a, const Var& b) {
  return apply<Binary<arithmetic::Minimum>>({a, b}, minimum_schema);
}

Var operator+(const Var& a, const Var& b) {
  return add(a, b);
}
Var operator-(const Var& a, const Var& b) {
  return sub(a, b);
}
Var operator*(const Var& a, const Var& b) {
  return mul(a, b);
}
Var operator/(const Var& a, const Var& b) {
  return div(a, b);
}
Var operator-(const Var& a) {
  return scale(a, -1);
}
Var operator+(const Var& a, double b) {
  return scale(a, 1, b);
}
Var operator+(double a, const Var& b) {
  return scale(b, 1, a);
}
Var operator-(const Var& a, double b) {
  return scale(a, 1, -b);
}
Var operator-(double a, const Var& b) {
  return scale(b, -1, a);
}
Var operator*(const Var& a, double b) {
  return scale(a, b);
}
Var operator*(double a, const Var& b) {
  return scale(b, a);
}
Var operator/(const Var& a, double b) {
  return scale(a, 1 / b);
}
Var operator/(double a, const Var& b) {
  return a == 1 ? reciprocal(b) : scale(reciprocal(b), a);
}

}  // namespace atto
