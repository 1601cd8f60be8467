#include "ops/arithmetic/arithmetic.hpp"

#include <cmath>

#include "autograd/tape.hpp"
#include "core/trace.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/table.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

struct Function {
  std::string op;
  Var (*run)(const Var&, const Var&);
  double (*definition)(double, double);
  bool difference = false;  // the magnitude is |a| + |b|
};

const std::vector<Function>& functions() {
  static const std::vector<Function> list{
      {"add", add, [](double a, double b) { return a + b; }, true},
      {"sub", sub, [](double a, double b) { return a - b; }, true},
      {"mul", mul, [](double a, double b) { return a * b; }},
      {"div", div, [](double a, double b) { return a / b; }},
      {"maximum", maximum, [](double a, double b) { return std::max(a, b); }},
      {"minimum", minimum, [](double a, double b) { return std::min(a, b); }},
  };
  return list;
}

// The element of x that broadcasting places at element i of `shape`, by the definition: index by index.
double broadcast_at(const Tensor& x, const Shape& shape, std::int64_t i) {
  std::int64_t place = 0, step = 1;
  for (int d = 1; d <= x.rank(); ++d) {
    const std::int64_t index = i % shape[-d];
    i /= shape[-d];
    if (x.size(-d) > 1) place += index * step;
    step *= x.size(-d);
  }
  return x.data<double>()[place];
}

Tensor broadcast_loop(std::span<const Tensor> in, const std::function<double(double, double)>& f) {
  const Shape shape = broadcast(in[0].shape(), in[1].shape(), "test");
  return tabulate(shape,
                  [&](std::int64_t i) { return f(broadcast_at(in[0], shape, i), broadcast_at(in[1], shape, i)); });
}

OpCase binary_case(const Function& f, const Shape& a, const Shape& b) {
  Tensor x = uniform(a, -3, 3, 1);
  Tensor y = uniform(b, 0.5, 3, 2);              // away from 0, for division
  if (f.op == "maximum" || f.op == "minimum") {  // away from ties: a is an odd multiple of 1/64, b an even one
    for (double& v : x.values<double>()) v = (2 * std::floor(v * 32) + 1) / 64;
    for (double& v : y.values<double>()) v = std::floor(v * 32) / 32;
  }
  OpCase c{
      .op = f.op,
      .name = a.str() + " " + b.str(),
      .inputs = {x, y},
      .run = [run = f.run](std::span<const Var> in) { return run(in[0], in[1]); },
      .expected = [g = f.definition](std::span<const Tensor> in) { return broadcast_loop(in, g); },
      .k = 1,
  };
  if (f.difference)
    c.magnitude = [](std::span<const Tensor> in) {
      return broadcast_loop(in, [](double p, double q) { return std::abs(p) + std::abs(q); });
    };
  return c;
}

const RegisterCases cases([] {
  std::vector<OpCase> list;
  for (const Function& f : functions()) {
    for (const auto& [a, b] : std::vector<std::pair<Shape, Shape>>{
             {{3, 5}, {3, 5}},
             {{}, {}},
             {{3, 5}, {}},
             {{}, {7}},
             {{4, 6}, {6}},  // trailing vector
             {{6}, {4, 6}},
             {{4, 6}, {4, 1}},  // column
             {{4, 1}, {1, 6}},  // outer
             {{2, 3, 4}, {3, 1}},
             {{2, 1, 4}, {3, 1}},
             {{2, 3, 4, 5}, {2, 1, 4, 1}},
             {{2, 1, 2, 1, 3, 1}, {1, 3, 1, 2, 1, 2}},
             {{0, 4}, {4}},
             {{3, 0}, {3, 1}},
             {{0}, {1}},
             {{131, 257}, {131, 257}},
             {{307, 129}, {129}},
             {{307, 129}, {307, 1}},
             {{31, 37, 41}, {37, 1}},
             {{80000}, {}},
         })
      list.push_back(binary_case(f, a, b));
  }
  return list;
});

const RegisterErrors errors([] {
  std::vector<OpError> list;
  for (const Function& f : functions()) {
    list.push_back({.op = f.op,
                    .name = "shapes",
                    .call =
                        [run = f.run] {
                          run(uniform({3, 4}), uniform({3}));
                        },
                    .text = f.op + ": shapes: got [3,4] and [3], expected sizes that are equal or 1"});
    list.push_back({.op = f.op,
                    .name = "types",
                    .call = [run = f.run] { run(uniform({3}), uniform({3}).to(DType::float32)); },
                    .text = f.op + ": b: got float32, expected float64"});
  }
  return list;
});

}  // namespace

TEST_CASE("operators mean what they say") {
  const Var a = Var::leaf(Tensor::from({1.0, -2.0, 4.0}, {3}));
  const Var b = Var::leaf(Tensor::from({0.5, 3.0, -1.0}, {3}));
  const auto is = [](const Var& x, const std::vector<double>& expected) {
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(x.value().data<double>()[i] == Approx(expected[i]));
  };
  is(a + b, {1.5, 1, 3});
  is(a - b, {0.5, -5, 5});
  is(a * b, {0.5, -6, -4});
  is(a / b, {2, -2.0 / 3, -4});
  is(-a, {-1, 2, -4});
  is(a + 1, {2, -1, 5});
  is(1 + a, {2, -1, 5});
  is(a - 1, {0, -3, 3});
  is(1 - a, {0, 3, -3});
  is(a * 2, {2, -4, 8});
  is(2 * a, {2, -4, 8});
  is(a / 2, {0.5, -1, 2});
  is(2 / a, {2, -1, 0.5});
  const Var y = (2 * a - b / a) * b + 1 / b;
  backward(y, Tensor::from({1.0, 1.0, 1.0}, {3}));
  for (int i = 0; i < 3; ++i) {
    const double p = a.value().data<double>()[i], q = b.value().data<double>()[i];
    CHECK(a.grad().data<double>()[i] == Approx((2 + q / (p * p)) * q));
    CHECK(b.grad().data<double>()[i] == Approx(2 * p - 2 * q / p - 1 / (q * q)));
  }
}

TEST_CASE("arithmetic costs what its documentation says") {
  const Tensor x = Tensor::full({4, 25}, 1);
  trace::start();
  for (const auto f : {add, sub, mul, div, maximum, minimum}) f(x, x);
  trace::stop();
  REQUIRE(trace::events().size() == 6);
  for (const trace::Event& event : trace::events()) {
    INFO(event.name);
    CHECK(explain(event.name).find("cost      " + std::to_string(static_cast<int>(event.cost.flops / 100)) + " FLOP") !=
          std::string::npos);
  }
}

TEST_CASE("ties of maximum and minimum send the gradient to the first argument") {
  for (const auto f : {maximum, minimum}) {
    const Var a = Var::leaf(Tensor::from({1.0, 2.0}, {2}));
    const Var b = Var::leaf(Tensor::from({1.0, 2.0}, {2}));
    backward(f(a, b), Tensor::full({2}, 1, DType::float64));
    CHECK(bit_equal(a.grad(), Tensor::full({2}, 1, DType::float64)));
    CHECK(bit_equal(b.grad(), Tensor::zeros({2}, DType::float64)));
  }
}

TEST_CASE("a value that is used twice gets both gradients") {
  const Var a = Var::leaf(uniform({4, 3}));
  backward(a * a + a, uniform({4, 3}, -1, 1, 2));
  const Tensor seed = uniform({4, 3}, -1, 1, 2);
  for (int i = 0; i < 12; ++i)
    CHECK(a.grad().data<double>()[i] == Approx((2 * a.value().data<double>()[i] + 1) * seed.data<double>()[i]));
}

}  // namespace atto::test
