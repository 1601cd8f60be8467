#include "ops/adjacency/adjacency.hpp"

#include <cmath>
#include <limits>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "ops/reduce/reduce.hpp"
#include "ops/softmax/softmax.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

using Mode = AdjacencyMode;

constexpr Mode kModes[] = {Mode::relu,
                           Mode::silu,
                           Mode::softplus,
                           Mode::sharp_softplus,
                           Mode::sigmoid,
                           Mode::flowthreshold,
                           Mode::binary,
                           Mode::silu_plus_binary,
                           Mode::silu_below_binary_above,
                           Mode::relu_below_binary_above,
                           Mode::softplus_below_binary_above};

double sigmoid_of(double x) {
  return 1 / (1 + std::exp(-x));
}
double definition(const AdjacencyOptions& o, double p, double tau) {
  const double x = p - tau, beta = o.sharpness, step = p > tau ? 1 : 0;
  switch (o.mode) {
    case Mode::relu:
      return std::max(x, 0.0);
    case Mode::silu:
      return x * sigmoid_of(x);
    case Mode::softplus:
      return std::log(1 + std::exp(x));
    case Mode::sharp_softplus:
      return std::log(1 + std::exp(beta * x)) / beta;
    case Mode::sigmoid:
      return sigmoid_of(beta * x);
    case Mode::flowthreshold:
      return sigmoid_of(5 * p) * sigmoid_of(50 * x);
    case Mode::binary:
      return o.binary_scale * step;
    case Mode::silu_plus_binary:
      return x * sigmoid_of(x) + o.binary_scale * step;
    case Mode::silu_below_binary_above:
      return step == 1 ? 1 : x * sigmoid_of(x);
    case Mode::relu_below_binary_above:
      return step;
    case Mode::softplus_below_binary_above:
      return step == 1 ? 1 : std::log(1 + std::exp(x));
  }
  return 0;
}

// Numbers at least 0.002 away from the threshold.
Tensor probabilities(const Shape& shape, double tau, std::uint64_t seed) {
  Tensor p = uniform(shape, -0.25, 1, seed);
  for (double& value : p.values<double>())
    if (std::abs(value - tau) < 0.002) value = tau + 0.0078125;
  return p;
}

OpCase adjacency_case(const std::string& name, const Shape& shape, const AdjacencyOptions& o, bool given) {
  const double tau = given ? 0.3125 : o.threshold;
  std::vector<Tensor> inputs{probabilities(shape, tau, 7)};
  if (given) inputs.push_back(Tensor::full({1}, tau, DType::float64));
  const auto threshold = [given](std::span<const Var> in) { return given ? in[1] : Var(); };
  return {.op = "adjacency",
          .name = std::string(name_of(o.mode)) + ", " + name,
          .inputs = inputs,
          .run = [=](std::span<const Var> in) { return adjacency(in[0], o, threshold(in)); },
          .expected =
              [=](std::span<const Tensor> in) {
                const double at = given ? in[1].data<double>()[0] : o.threshold;
                return tabulate(shape, [&](std::int64_t i) { return definition(o, in[0].data<double>()[i], at); });
              },
          // beta x has the rounding of p and tau, times beta: 50 in flowthreshold
          .magnitude =
              [=](std::span<const Tensor> in) {
                const double steep = o.mode == Mode::flowthreshold ? 50 : std::max(1.0, o.sharpness);
                return tabulate(shape, [&](std::int64_t i) {
                  return std::abs(definition(o, in[0].data<double>()[i], tau)) + steep * 0.25;
                });
              },
          .reference = [=](std::span<const Var> in) { return adjacency_reference(in[0], o, threshold(in)); }};
}

const RegisterCases cases([] {
  std::vector<OpCase> list;
  for (const Mode mode : kModes) {
    list.push_back(adjacency_case("tau given", {3, 5, 7}, {.mode = mode}, true));
    list.push_back(
        adjacency_case("options", {37}, {.mode = mode, .threshold = 0.25, .sharpness = 4, .binary_scale = 0.5}, false));
  }
  list.push_back(adjacency_case("nothing", {0, 3}, {.mode = Mode::flowthreshold}, true));
  list.push_back(adjacency_case("one number", Shape{}, {.mode = Mode::silu}, true));
  list.push_back(adjacency_case("several threads", {41003}, {.mode = Mode::sharp_softplus}, true));
  return list;
});

const RegisterErrors errors([] {
  return std::vector<OpError>{
      {.op = "adjacency",
       .name = "sharpness",
       .call = [] { adjacency(uniform({3}), {.sharpness = 0}); },
       .text = "adjacency: sharpness"},
      {.op = "adjacency",
       .name = "two thresholds",
       .call = [] { adjacency(uniform({3}), {}, Tensor::zeros({2}, DType::float64)); },
       .text = "tau"},
  };
});

double at(const AdjacencyOptions& o, double p) {
  return adjacency(Tensor::full({1}, p, DType::float64), o).value().item();
}

}  // namespace

TEST_CASE("adjacency: the values of the paper's code at its default threshold") {
  const auto check = [](Mode mode, std::vector<std::pair<double, double>> table) {
    for (const auto& [p, value] : table) {
      INFO(name_of(mode) << " of " << p);
      CHECK(at({.mode = mode}, p) == Approx(value).epsilon(1e-8).margin(1e-9));
    }
  };
  check(Mode::flowthreshold, {{0, 2.269893435e-5},
                              {.1, 4.166027510e-3},
                              {.2, 0.365529289},
                              {.3, 0.812102572},
                              {.5, 0.924141537},
                              {1, 0.993307149}});
  CHECK(at({.mode = Mode::flowthreshold}, -.1) == Approx(1.1549e-7).epsilon(1e-4));
  check(Mode::silu, {{0, -0.090033201}, {1, 0.551979585}});
  check(Mode::softplus, {{.2, std::log(2.0)}, {0, 0.598138869}});
  check(Mode::sharp_softplus, {{0, 0.012692801}, {.2, 0.069314718}, {.25, 0.097407698}, {1, 0.800033541}});
  check(Mode::sigmoid, {{0, 0.119202922}, {.2, .5}, {.5, 0.952574127}});
  check(Mode::silu_plus_binary, {{.5, 1.172332755}});
  check(Mode::relu, {{.1, 0}, {.2, 0}, {.5, .3}});
  for (const Mode mode : {Mode::binary, Mode::relu_below_binary_above}) check(mode, {{.2, 0}, {.21, 1}, {0, 0}});
  check(Mode::silu_below_binary_above, {{.2, 0}, {.21, 1}, {0, -0.090033201}});
  check(Mode::softplus_below_binary_above, {{.2, std::log(2.0)}, {.21, 1}, {0, 0.598138869}});
}

TEST_CASE("adjacency: the slope of flowthreshold, and none through steps") {
  const auto gradients = [](Mode mode, double p) {
    const Var x = Var::leaf(Tensor::full({2}, p, DType::float64)),
              tau = Var::leaf(Tensor::full({1}, .2, DType::float64));
    backward(sum(adjacency(x, {.mode = mode}, tau)));
    return std::pair{x.grad().data<double>()[0], tau.grad().item()};
  };
  CHECK(gradients(Mode::flowthreshold, .2).first == Approx(9.629762066).epsilon(1e-9));
  for (const Mode mode : {Mode::binary, Mode::relu_below_binary_above})
    for (const double p : {0.0, .2, .9}) CHECK(gradients(mode, p) == std::pair{0.0, 0.0});
  for (const Mode mode : {Mode::silu_below_binary_above, Mode::softplus_below_binary_above})
    CHECK(gradients(mode, .5) == std::pair{0.0, 0.0});
  const auto [dp, dtau] = gradients(Mode::silu, .5);
  CHECK(dtau == Approx(-2 * dp));
}

TEST_CASE("adjacency: a number that is none stays none") {
  const Var p(Tensor::full(Shape{1}, std::numeric_limits<double>::quiet_NaN(), DType::float64));
  for (const Mode mode : {Mode::relu, Mode::silu})
    CHECK(std::isnan(adjacency(p, {.mode = mode}).value().item()));
}

}  // namespace atto::test
