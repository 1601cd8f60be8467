// What an operation may keep of its inputs, and take of the gradient that it is given.

#include <optional>
#include <vector>

#include "autograd/tape.hpp"
#include "core/allocator.hpp"
#include "tests/autograd/simple_ops.hpp"
#include "tests/support/catch.hpp"

namespace atto::test {
namespace {

// y = a b c ..., which keeps its inputs instead of saving them.
const Schema product_schema{{.name = "product",
                             .signature = "a*[...] -> y[...]",
                             .formula = "y = a b c ...",
                             .gradient = "da = b c ... dy",
                             .cost = "-"}};
struct Product final : CountedOp {
  const Schema& schema() const override { return product_schema; }
  Tensor forward(Inputs in) override {
    Tensor y = in[0].clone();
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (recording()) keep_input(i);
      if (i > 0) y = both(y, in[i], [](double p, double q) { return p * q; });
    }
    count = in.size();
    return y;
  }
  void backward(const Tensor& g, Gradients& gradients) override {
    for (std::size_t i = 0; i < count; ++i) {
      Tensor da = g.clone();
      for (std::size_t j = 0; j < count; ++j)
        if (j != i) da = both(da, gradients.input(j), [](double p, double q) { return p * q; });
      gradients.add(i, da);
    }
  }
  std::size_t count = 0;
};

// y = 3 x, whose gradient is computed over that of y where it may be.
const Schema thrice_schema{
    {.name = "thrice", .signature = "x[...] -> y[...]", .formula = "y = 3 x", .gradient = "dx = 3 dy", .cost = "-"}};
int reused = 0;
struct Thrice final : CountedOp {
  const Schema& schema() const override { return thrice_schema; }
  Tensor forward(Inputs in) override {
    return each(in[0], [](double p) { return 3 * p; });
  }
  void backward(const Tensor& g, Gradients& gradients) override {
    const double* from = g.data<double>();
    const Tensor dx = gradients.reuse(g);
    reused += dx.data<double>() == from;
    for (std::int64_t i = 0; i < dx.numel(); ++i) dx.data<double>()[i] = 3 * from[i];
    gradients.add(0, dx);
  }
};
Var thrice(const Var& x) {
  return apply<Thrice>({x});
}

std::vector<double> listed(const Tensor& x) {
  return {x.values<double>().begin(), x.values<double>().end()};
}

}  // namespace

TEST_CASE("tape: an input that an operation keeps stays until its backward, and no longer") {
  const Var x = Var::leaf(Tensor::full({1 << 18}, 2, DType::float64));  // 2 MB
  const double size = static_cast<double>(x.value().bytes());
  const std::int64_t before = allocator::statistics().in_use;
  const auto held = [&] { return static_cast<double>(allocator::statistics().in_use - before) / size; };
  {
    const Var y = apply<Product>({twice(x), x});  // 4 * 2
    CHECK(held() > 1.9);                          // y and what was doubled
    CHECK(held() < 2.1);
  }
  CHECK(held() < 0.1);
  const Var y = apply<Product>({twice(x), x});
  backward(total(y), {}, {.retain_graph = true});
  CHECK(x.grad().data<double>()[7] == 8);  // d 2 x^2
  CHECK(held() > 2.9);
  backward(total(y));
  CHECK(x.grad().data<double>()[7] == 16);
  CHECK(held() < 2.1);  // y and the gradient
}

TEST_CASE("tape: what an operation keeps is let go while backward goes on, not at its end") {
  const Var x = Var::leaf(Tensor::full({1 << 18}, 1, DType::float64));
  const std::int64_t before = allocator::statistics().in_use;
  std::vector<double> held;
  Var y = twice(x);
  y.register_hook([&](const Tensor&) {
    held.push_back(static_cast<double>(allocator::statistics().in_use - before) /
                   static_cast<double>(x.value().bytes()));
    return Tensor();
  });
  for (int i = 0; i < 8; ++i) y = apply<Product>({y, y});
  y = total(y);
  backward(y);
  REQUIRE(held.size() == 1);
  CHECK(held[0] < 3);
}

TEST_CASE("tape: the same value kept twice, values held elsewhere, more than 64 inputs") {
  const Var x = Var::leaf(numbers({2, 3}));
  const Var square = apply<Product>({x, x});
  const Var y = apply<Product>({square, square, x});  // x^5
  backward(total(y));
  CHECK(listed(x.grad()) == std::vector<double>{5 * 16, 5 * 81});
  CHECK(listed(square.value()) == std::vector<double>{4, 9});
  x.zero_grad();
  const Var one = Var::leaf(numbers({1, 1}));
  std::vector<Var> many;
  for (int i = 0; i < 70; ++i) many.push_back(twice(one));
  const Var z = apply<Product>(std::span<const Var>(many));
  many.clear();
  backward(total(z));
  CHECK(one.grad().data<double>()[0] == 70 * std::pow(2.0, 70));
}

TEST_CASE("tape: the memory of a gradient is used again where nobody else reads it, and only there") {
  const Var x = Var::leaf(numbers({1, 2}));
  reused = 0;
  SECTION("in the middle of a chain") {
    backward(total(thrice(thrice(x))));
    CHECK(reused >= 1);
    CHECK(listed(x.grad()) == std::vector<double>{9, 9});
  }
  SECTION("the caller's seed stays") {
    const Tensor seed = numbers({5, 7});
    backward(thrice(thrice(x)), seed);
    CHECK(reused == 1);
    CHECK(listed(seed) == std::vector<double>{5, 7});
    CHECK(listed(x.grad()) == std::vector<double>{45, 63});
  }
  SECTION("a gradient that is kept on request stays") {
    const Var y = thrice(x);
    y.retain_grad();
    backward(thrice(y), numbers({5, 7}));
    CHECK(reused == 0);
    CHECK(listed(y.grad()) == std::vector<double>{15, 21});
    CHECK(listed(x.grad()) == std::vector<double>{45, 63});
  }
  SECTION("a gradient that a hook has taken stays") {
    const Var y = thrice(x);
    Tensor seen;
    y.register_hook([&](const Tensor& g) { return seen = g, Tensor(); });
    backward(thrice(y), numbers({5, 7}));
    CHECK(listed(seen) == std::vector<double>{15, 21});
    CHECK(listed(x.grad()) == std::vector<double>{45, 63});
  }
  SECTION("a gradient that went to two values stays") {
    backward(plus(thrice(x), thrice(x)), numbers({5, 7}));
    CHECK(listed(x.grad()) == std::vector<double>{30, 42});
  }
  SECTION("memory of the caller's stays") {
    const Var y = thrice(x);
    const Tensor memory = numbers({0, 0});
    y.set_grad_storage(memory);
    const Var z = thrice(y);
    backward(z, numbers({5, 7}), {.retain_graph = true});
    CHECK(listed(x.grad()) == std::vector<double>{45, 63});
  }
  SECTION("in a second pass over the same graph") {
    const Var y = thrice(thrice(x));
    backward(y, numbers({5, 7}), {.retain_graph = true});
    backward(y, numbers({5, 7}));
    CHECK(listed(x.grad()) == std::vector<double>{90, 126});
  }
}

}  // namespace atto::test
