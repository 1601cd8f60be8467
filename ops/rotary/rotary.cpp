#include "ops/rotary/rotary.hpp"

#include <cmath>
#include <numbers>
#include <string>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dispatch.hpp"
#include "ops/index/index.hpp"
#include "ops/shape/shape.hpp"

namespace atto {

const Schema rotary_schema{{
    .name = "rotary",
    .signature = "x[N,H,D] -> y[N,H,D]",
    .formula = "a' = a cos(p w) - b sin(p w), b' = b cos(p w) + a sin(p w) for the pairs (a, b) of a row at position p",
    .gradient = "da = da' cos(p w) + db' sin(p w), db = db' cos(p w) - da' sin(p w)",
    .cost = "3 N H D FLOP, 2 N H D values moved",
}};

namespace {

void require(bool holds, const char* argument, double got, const char* expected) {
  if (!holds)
    throw ValueError({.op = "rotary_frequencies",
                      .argument = argument,
                      .got = std::to_string(got),
                      .expected = expected,
                      .hint = {}});
}

class Rotary final : public Op {
 public:
  Rotary(Tensor positions, Tensor table, RotaryPairs pairs)
      : positions_(std::move(positions)), table_(std::move(table)), pairs_(pairs) {}
  const Schema& schema() const override { return rotary_schema; }

  Tensor forward(Inputs in) override {
    const double size = static_cast<double>(in[0].numel());
    cost_ = {.flops = 3 * size, .bytes = 2 * static_cast<double>(in[0].bytes())};
    return turned(in[0], false);
  }
  void backward(const Tensor& gradient, Gradients& gradients) override { gradients.add(0, turned(gradient, true)); }
  Cost cost() const override { return cost_; }
  double backward_factor() const override { return 1; }

 private:
  Tensor turned(const Tensor& x, bool back) const {
    Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
    dispatch(x, "rotary", [&]<class T>(auto device) {
      kernels::rotary(device, x.size(0), x.size(1), x.size(2), x.data<T>(), positions_.data<std::int64_t>(),
                      table_.data<T>(), pairs_, back, y.data<T>());
    });
    return y;
  }

  Tensor positions_, table_;
  RotaryPairs pairs_;
  Cost cost_;
};

// Positions as int64, checked.
Tensor checked(const Var& x, const Tensor& positions, const Tensor& table) {
  const auto refuse = [](const char* argument, const Tensor& got, std::string expected, const char* hint = "") {
    throw ShapeError(
        {.op = "rotary", .argument = argument, .got = got.str(), .expected = std::move(expected), .hint = hint});
  };
  if (x.rank() != 3 || x.size(2) % 2 != 0)
    refuse("x", x.value(), "[N,H,D] with an even D", "heads side by side are reshaped to [N,H,D] first");
  if (!table.defined() || table.rank() != 3 || table.size(1) != 2 || table.size(2) != x.size(2) / 2)
    refuse("table", table, "[P,2," + std::to_string(x.size(2) / 2) + "]", "rotary_table() makes it");
  if (table.dtype() != x.dtype())
    throw TypeError({.op = "rotary",
                     .argument = "table",
                     .got = table.str(),
                     .expected = std::string(name_of(x.dtype())),
                     .hint = {}});
  if (!positions.defined() || is_floating(positions.dtype()) || positions.shape() != Shape{x.size(0)})
    refuse("positions", positions, "integers [" + std::to_string(x.size(0)) + "]");
  Tensor places = positions.to(DType::int64);
  std::int64_t row = 0;
  for (const std::int64_t place : places.values<std::int64_t>()) {
    if (place < 0 || place >= table.size(0))
      throw IndexError({.op = "rotary",
                        .argument = "positions",
                        .got = std::to_string(place) + " in row " + std::to_string(row),
                        .expected = "0 to " + std::to_string(table.size(0) - 1),
                        .hint = "the table has a row for each position"});
    ++row;
  }
  return places;
}

}  // namespace

Tensor rotary_frequencies(std::int64_t width, double theta, const RotaryScaling& s) {
  require(width >= 0 && width % 2 == 0, "width", static_cast<double>(width), "an even number");
  require(theta > 0, "theta", theta, "more than 0");
  require(s.kind == RotaryScaling::Kind::none || s.factor > 0, "factor", s.factor, "more than 0");
  const bool llama3 = s.kind == RotaryScaling::Kind::llama3;
  require(!llama3 || (s.low > 0 && s.low < s.high), "low", s.low, "more than 0 and less than high");
  require(!llama3 || s.original_length > 0, "original_length", s.original_length, "more than 0");
  Tensor frequencies = Tensor::empty(Shape{width / 2}, DType::float64);
  for (std::int64_t k = 0; k < width / 2; ++k) {
    double w = std::pow(theta, -2.0 * static_cast<double>(k) / static_cast<double>(width));
    if (s.kind == RotaryScaling::Kind::linear) w /= s.factor;
    if (llama3) {
      const double waves = s.original_length * w / (2 * std::numbers::pi);  // that fit into the original length
      if (waves < s.low) w /= s.factor;
      else if (waves <= s.high) {
        const double kept = (waves - s.low) / (s.high - s.low);
        w = (1 - kept) * w / s.factor + kept * w;
      }
    }
    frequencies.data<double>()[k] = w;
  }
  return frequencies;
}

Tensor rotary_table(std::int64_t count, const Tensor& frequencies, DType dtype) {
  const std::int64_t half = frequencies.numel();
  Tensor table = Tensor::empty(Shape{count, 2, half}, dtype);
  visit_float(dtype, "rotary_table", [&]<class T>() {
    const double* w = frequencies.data<double>();
    T* rows = table.data<T>();
    parallel_for(count, 100 * half, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p)
        for (std::int64_t k = 0; k < half; ++k) {
          rows[(2 * p) * half + k] = static_cast<T>(std::cos(static_cast<double>(p) * w[k]));
          rows[(2 * p + 1) * half + k] = static_cast<T>(std::sin(static_cast<double>(p) * w[k]));
        }
    });
  });
  return table;
}

Var rotary(const Var& x, const Tensor& positions, const Tensor& table, RotaryPairs pairs) {
  return apply<Rotary>({x}, checked(x, positions, table), table, pairs);
}

Var rotary_reference(const Var& x, const Tensor& positions, const Tensor& table, RotaryPairs pairs) {
  const std::int64_t rows = x.size(0), heads = x.size(1), half = x.size(2) / 2;
  // The two members of a pair lie side by side along this dimension of [N,H,2,D/2] or [N,H,D/2,2].
  const bool split_in_half = pairs == RotaryPairs::half_split;
  const int dimension = split_in_half ? 2 : 3;
  const Var angles = gather_rows(table, positions);  // [N,2,D/2]
  const auto part = [&](const Var& v, int d, std::int64_t i) { return slice(v, d, i, i + 1); };
  const auto over_heads = [&](const Var& v) {
    return reshape(v, split_in_half ? Shape{rows, 1, 1, half} : Shape{rows, 1, half, 1});
  };
  const Var cosine = over_heads(part(angles, 1, 0)), sine = over_heads(part(angles, 1, 1));
  const Var paired = reshape(x, split_in_half ? Shape{rows, heads, 2, half} : Shape{rows, heads, half, 2});
  const Var a = part(paired, dimension, 0), b = part(paired, dimension, 1);
  return reshape(concat({a * cosine - b * sine, b * cosine + a * sine}, dimension), x.shape());
}

}  // namespace atto
