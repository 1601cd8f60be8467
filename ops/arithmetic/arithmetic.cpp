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
    const Tensor &a = in[0], &b = in[1];
    stretched_ = a.shape() != b.shape();
    Tensor y = stretched_
                   ? Tensor::empty(broadcast(a.shape(), b.shape(), schema_->name().data()), a.dtype(), a.device())
                   : Tensor::empty(a.shape(), a.dtype(), a.device());
    elements_ = y.shape().numel();
    moved_ = (a.shape().numel() + b.shape().numel() + elements_) * static_cast<std::int64_t>(size_of(a.dtype()));
    run(kernels::Part::f, y, a, b, y);
    if (kReadsBoth ? recording() : kReadsOther && will_want(1)) keep_input(0);
    if (kReadsBoth ? recording() : kReadsOther && will_want(0)) keep_input(1);
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    const auto part = [&](kernels::Part which, bool last) {
      Tensor y = last && !stretched_ ? gradients.reuse(gradient)
                                     : Tensor::empty(gradient.shape(), gradient.dtype(), gradient.device());
      const Tensor& g = gradient.defined() ? gradient : y;
      // The gradient stands in for arguments that are not read.
      run(which, g, keeps_input(0) ? gradients.input(0) : g, keeps_input(1) ? gradients.input(1) : g, y);
      return y;
    };
    constexpr bool passes_on_a = !kReadsBoth && !kReadsOther, passes_on_b = std::is_same_v<F, arithmetic::Add>;
    const bool wants_a = gradients.wants(0), wants_b = gradients.wants(1);
    if (wants_a) gradients.add(0, passes_on_a ? gradient : part(kernels::Part::da, !wants_b));
    if (wants_b) gradients.add(1, passes_on_b ? gradient : part(kernels::Part::db, true));
  }

  Cost cost() const override {
    return {.flops = static_cast<double>(elements_) * F::kFlops, .bytes = static_cast<double>(moved_)};
  }
  // A pass per gradient that is not just dy.
  double backward_factor() const override {
    return std::is_same_v<F, arithmetic::Add> ? 0 : std::is_same_v<F, arithmetic::Sub> ? 1 : 2;
  }

 private:
  // What a gradient reads: neither argument, the other one, or both.
  static constexpr bool kReadsOther = std::is_same_v<F, arithmetic::Mul>;
  static constexpr bool kReadsBoth =
      !kReadsOther && !std::is_same_v<F, arithmetic::Add> && !std::is_same_v<F, arithmetic::Sub>;

  void run(kernels::Part part, const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y) const {
    dispatch(y, schema_->name(), [&]<class T>(auto device) {
      if (stretched_)
        kernels::broadcast<F>(device, part, kernels::Broadcast(a.shape(), b.shape(), y.shape()), g.data<T>(),
                              a.data<T>(), b.data<T>(), y.data<T>());
      else kernels::elementwise<F>(device, part, y.numel(), g.data<T>(), a.data<T>(), b.data<T>(), y.data<T>());
    });
  }

  const Schema* schema_;
  std::int64_t elements_ = 0, moved_ = 0;
  bool stretched_ = false;
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
