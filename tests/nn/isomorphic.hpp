#pragma once
// What the tests of graph-aware isomorphic attention share: fillers, and layers that are filled with them.

#include <string>
#include <vector>

#include "autograd/tape.hpp"
#include "nn/attention/isomorphic_attention.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/reduce/reduce.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {

using Numbers = std::vector<double>;

/// F(shape, k)_n = (((7 n + 3 k) mod 11) - 5) / 10, n the row-major index.
inline Tensor filler(const Shape& shape, std::int64_t k) {
  return tabulate(shape, [&](std::int64_t n) { return static_cast<double>((7 * n + 3 * k) % 11 - 5) / 10; });
}
/// scale F + offset
inline Tensor filler(const Shape& shape, std::int64_t k, double scale, double offset = 0) {
  const Tensor f = filler(shape, k);
  return tabulate(shape, [&](std::int64_t n) { return scale * f.data<double>()[n] + offset; });
}

inline Support causal(std::int64_t length) {
  return Support::causal(Ragged::single(length));
}

inline void set(const Model& model, const std::string& name, const Tensor& value) {
  model.parameter(name).value().copy_from(value);
}
/// Row h of a parameter of heads.
inline void set_head(const Model& model, const std::string& name, std::int64_t h, const Tensor& value) {
  const Tensor row = model.parameter(name).value().rows(h, h + 1);
  row.copy_from(value.reshape(row.shape()));
}

/// Every number of `got` is within one unit `unit` of the last printed digit.
inline void check_near(const Tensor& got, const Numbers& expected, double unit) {
  REQUIRE(got.numel() == static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(i);
    CHECK(got.data<double>()[i] == Approx(expected[i]).epsilon(0).margin(unit));
  }
}
inline void check_near(double got, double expected, double unit) {
  CHECK(got == Approx(expected).epsilon(0).margin(unit));
}

/// sum(C out) with C = F(shape of out, 9).
inline Var oracle_loss(const Var& out) {
  return sum(out * Var(filler(out.shape(), 9)));
}

/// GIN-Attention with the weights of the numeric oracles: L = 3, D = 4, H = 2, d = 2, m = 3.
struct OracleGin {
  explicit OracleGin(GinAttentionOptions options = {}, double alpha = 1.3)
      : model({.seed = 1, .dtype = DType::float64}), layer(model, 4, with_sizes(std::move(options))) {
    model.eval();
    if (alpha != 1) set(model, "normaliser.sharpness", Tensor::full(Shape{1}, alpha, DType::float64));
    const std::int64_t rows = model.parameter("query.weight").shape()[0];
    const Tensor query = model.parameter("query.weight").value(), key = model.parameter("key.weight").value();
    query.rows(0, 4).copy_from(filler({4, 4}, 2, 4));
    key.rows(0, 4).copy_from(filler({4, 4}, 3, 4));
    if (rows == 8) {
      query.rows(4, 8).copy_from(filler({4, 4}, 31, 4));
      key.rows(4, 8).copy_from(filler({4, 4}, 32, 4));
    }
    for (std::int64_t h = 0; h < 2; ++h) {
      set_head(model, "finish.hidden.weight", h, filler({3, 2}, 4 + 10 * h));
      set_head(model, "finish.hidden.bias", h, filler({3}, 5 + 10 * h));
      set_head(model, "finish.norm.weight", h, filler({3}, 6 + 10 * h, 1, 1));
      set_head(model, "finish.output.weight", h, filler({2, 3}, 7 + 10 * h));
      set_head(model, "finish.output.bias", h, filler({2}, 8 + 10 * h));
    }
    set(model, "finish.epsilon", Tensor::from({.25, -.5}, Shape{2, 1}));
  }
  static GinAttentionOptions with_sizes(GinAttentionOptions o) {
    o.heads = 2;
    o.gin.multiplier = 1.5;
    return o;
  }
  Tensor grad(const std::string& name) const { return model.parameter(name).grad(); }

  Model model;
  GinAttention layer;
  Var x = Var::leaf(filler({3, 4}, 1));
};

/// PNA-Attention likewise.
struct OraclePna {
  explicit OraclePna(PnaAttentionOptions options = {})
      : model({.seed = 1, .dtype = DType::float64}), layer(model, 4, with_sizes(std::move(options))) {
    set(model, "query.weight", filler({4, 4}, 2, 4));
    set(model, "key.weight", filler({4, 4}, 3, 4));
    set(model, "value.weight", filler({4, 4}, 12));
    set(model, "output.weight", filler({4, 4}, 15));
    for (std::int64_t h = 0; h < 2; ++h) {
      set_head(model, "finish.hidden.weight", h, filler({3, 8}, 13 + 10 * h));
      set_head(model, "finish.output.weight", h, filler({2, 3}, 14 + 10 * h));
    }
  }
  static PnaAttentionOptions with_sizes(PnaAttentionOptions o) {
    o.heads = 2;
    o.multiplier = 1.5;
    return o;
  }
  Tensor grad(const std::string& name) const { return model.parameter(name).grad(); }

  Model model;
  PnaAttention layer;
  Var x = Var::leaf(filler({3, 4}, 1));
};

}  // namespace atto::test
