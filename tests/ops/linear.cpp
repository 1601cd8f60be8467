#include "ops/linear/linear.hpp"

#include <cmath>
#include <numbers>

#include "autograd/tape.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

double activated(double z, Activation activation) {
  switch (activation) {
    case Activation::none:
      return z;
    case Activation::relu:
      return std::max(z, 0.0);
    case Activation::gelu:
      return z / 2 * (1 + std::erf(z / std::numbers::sqrt2));
    case Activation::silu:
      return z / (1 + std::exp(-z));
    case Activation::tanh:
      return std::tanh(z);
    case Activation::sigmoid:
      break;
  }
  return 1 / (1 + std::exp(-z));
}

// z_no = sum_i x_ni W_oi + b_o, or with `sizes` the sum of the absolute terms.
Tensor affine(std::span<const Tensor> in, bool sizes) {
  const std::int64_t outputs = in[1].size(0), inputs = in[1].size(1);
  return tabulate(in[0].shape().with(-1, outputs), [&](std::int64_t i) {
    const std::int64_t n = i / outputs, o = i % outputs;
    const auto term = [&](double value) { return sizes ? std::abs(value) : value; };
    double z = in.size() > 2 ? term(in[2].data<double>()[o]) : 0;
    for (std::int64_t k = 0; k < inputs; ++k)
      z += term(in[0].data<double>()[n * inputs + k] * in[1].data<double>()[o * inputs + k]);
    return z;
  });
}

// All activations have slopes of at most 1.13, so the magnitude of z bounds that of y; a sigmoid adds its own rounding.
OpCase linear_case(const std::string& name, const Shape& x, std::int64_t outputs, bool bias,
                   Activation activation = Activation::none) {
  const std::int64_t inputs = x[-1];
  OpCase c{
      .op = "linear",
      .name = name,
      .inputs = {uniform(x, -2, 2, 1), uniform({outputs, inputs}, -1, 1, 2)},
      .run = [=](std::span<const Var> in) { return linear(in[0], in[1], in.size() > 2 ? in[2] : Var(), activation); },
      .expected =
          [=](std::span<const Tensor> in) {
            const Tensor z = affine(in, false);
            return tabulate(z.shape(), [&](std::int64_t i) { return activated(z.data<double>()[i], activation); });
          },
      .magnitude =
          [](std::span<const Tensor> in) {
            const Tensor z = affine(in, true);
            return tabulate(z.shape(), [&](std::int64_t i) { return 1 + z.data<double>()[i]; });
          },
      .k = 4,
      .reference =
          [=](std::span<const Var> in) {
            return linear_reference(in[0], in[1], in.size() > 2 ? in[2] : Var(), activation);
          }};
  if (bias) c.inputs.push_back(uniform({outputs}, -1, 1, 3));
  return c;
}

const RegisterCases cases([] {
  std::vector<OpCase> list{
      linear_case("3x4 to 5", {3, 4}, 5, true),
      linear_case("no bias", {3, 4}, 5, false),
      linear_case("a vector", {4}, 3, true),
      linear_case("rank 3", {2, 3, 4}, 5, true),
      linear_case("no rows", {0, 4}, 3, true, Activation::silu),
      linear_case("no inputs", {3, 0}, 2, true, Activation::relu),
      linear_case("no outputs", {3, 4}, 0, true),
      linear_case("tall", {5003, 7}, 9, true),
      linear_case("several tiles", {1100, 130}, 140, true, Activation::gelu),
      // What models have: whole registers of every instruction set, in several tiles.
      linear_case("whole registers", {301, 64}, 64, true),
      linear_case("five registers to three", {259, 80}, 48, false, Activation::silu),
      linear_case("seven registers to one", {263, 112}, 16, true, Activation::gelu),
  };
  for (const auto& [name, activation] :
       std::vector<std::pair<std::string, Activation>>{{"relu", Activation::relu},
                                                       {"gelu", Activation::gelu},
                                                       {"silu", Activation::silu},
                                                       {"tanh", Activation::tanh},
                                                       {"sigmoid", Activation::sigmoid}}) {
    list.push_back(linear_case(name, {17, 9}, 6, true, activation));
    list.push_back(linear_case(name + " without bias", {5, 3}, 33, false, activation));
  }
  return list;
});

const RegisterErrors errors([] {
  return std::vector<OpError>{
      {.op = "linear",
       .name = "inputs differ",
       .call =
           [] {
             linear(uniform({3, 4}), uniform({5, 3}), Var());
           },
       .text = "linear: weight: got [5,3], expected [O,I] with O = 5, I = 4"},
      {.op = "linear",
       .name = "bias",
       .call =
           [] {
             linear(uniform({3, 4}), uniform({5, 4}), uniform({4}));
           },
       .text = "linear: bias: got [4], expected [O] with O = 5"},
      {.op = "linear",
       .name = "a scalar",
       .call =
           [] {
             linear(uniform({}), uniform({5, 4}), Var());
           },
       .text = "linear: x: got []"},
      {.op = "linear",
       .name = "types",
       .call =
           [] {
             linear(uniform({3, 4}).to(DType::float32), uniform({5, 4}), Var());
           },
       .text = "linear: weight: got float64, expected float32"},
  };
});

}  // namespace

TEST_CASE("linear: what is not wanted is not computed, what is frozen gets no gradient") {
  const Var x = Var::leaf(uniform({3, 4})), weight = Var::leaf(uniform({5, 4})), bias = Var::leaf(uniform({5}));
  weight.set_requires_grad(false);
  backward(linear(x, weight, bias, Activation::silu), uniform({3, 5}));
  CHECK(x.grad().defined());
  CHECK_FALSE(weight.grad().defined());
  CHECK(bias.grad().defined());
}

TEST_CASE("linear: gradients are added to what other users have sent") {
  const Var x = Var::leaf(uniform({301, 64}).to(DType::float32)),
            weight = Var::leaf(uniform({48, 64}).to(DType::float32));
  const Tensor seed = uniform({301, 48}).to(DType::float32);
  backward(linear(x, weight, Var()), seed);
  const Tensor dx = x.grad().clone(), dweight = weight.grad().clone();
  for (const Var& leaf : {x, weight}) leaf.zero_grad();
  backward(linear(x, weight, Var()) + linear(x, weight, Var()), seed);
  for (const auto& [sum, part] : {std::pair{x.grad(), dx}, std::pair{weight.grad(), dweight}})
    for (std::int64_t i = 0; i < sum.numel(); ++i)
      REQUIRE(std::abs(sum.data<float>()[i] - 2 * part.data<float>()[i]) < 1e-3f);
}

}  // namespace atto::test
