// Hooks, and what an error in backward leaves behind.

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "tests/autograd/simple_ops.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

namespace atto::test {

TEST_CASE("tape: hooks see the gradient before it is used, in order, and may replace it") {
  const Var x = Var::leaf(numbers({3}));
  std::string calls;
  const Var y = twice(x);
  y.register_hook([&](const Tensor& g) {
    calls += "a" + std::to_string(static_cast<int>(g.item()));
    return each(g, [](double v) { return 10 * v; });
  });
  y.register_hook([&](const Tensor& g) {
    calls += "b" + std::to_string(static_cast<int>(g.item()));
    return Tensor();
  });
  x.register_hook([&](const Tensor& g) {
    calls += "x" + std::to_string(static_cast<int>(g.item()));
    return Tensor();
  });
  backward(plus(y, y), numbers({1}));
  CHECK(calls == "a2b20x40");  // once, with the whole gradient
  backward(twice(x), numbers({1}));
  CHECK(calls == "a2b20x40x2");  // a leaf's hook sees this pass alone
  CHECK(x.grad().item() == 42);
}

TEST_CASE("tape: a root that is a leaf gets its gradient as any other value does: hooks see it, and it is added up") {
  const Var x = Var::leaf(numbers({3, 4}));
  std::vector<double> seen;
  x.register_hook([&](const Tensor& g) {
    seen.push_back(g.data<double>()[1]);
    return each(g, [](double v) { return 10 * v; });
  });
  backward(x, numbers({1, 2}));
  backward(x, numbers({5, 6}));
  CHECK(seen == std::vector<double>{2, 6});
  CHECK(x.grad().data<double>()[0] == 60);
  CHECK(x.grad().data<double>()[1] == 80);

  const Tensor memory = Tensor::zeros({2}, DType::float64);
  x.set_grad_storage(memory);
  backward(x, numbers({1, 2}));
  CHECK(memory.data<double>()[1] == 20);
}

TEST_CASE("tape: a hook that replaces a gradient by one of another shape or type is refused") {
  const Var x = Var::leaf(numbers({3}));
  const Var y = twice(x);
  y.register_hook([](const Tensor&) { return numbers({1, 2}); });
  CHECK_THAT_SAYS(ShapeError, backward(y), "result of a hook: got float64[2], expected float64[1]");
  const Var z = Var::leaf(numbers({3}));
  z.register_hook([](const Tensor& g) { return g.to(DType::float32); });
  CHECK_THAT_SAYS(ShapeError, backward(twice(z)), "got float32[1]");
}

TEST_CASE("tape: an error in backward leaves nothing behind that breaks the next pass") {
  const Var x = Var::leaf(numbers({3}));
  bool fail = true;
  const Var y = map(
      x, [](double v) { return v; },
      [&](double) -> double {
        if (fail) throw std::runtime_error("no slope");
        return 1;
      });
  const Var z = twice(y);
  CHECK_THROWS_WITH(backward(z, {}, {.retain_graph = true}), "no slope");
  fail = false;
  x.zero_grad();
  backward(z);
  CHECK(x.grad().item() == 2);
}

TEST_CASE("tape: an error in backward gives hooked leaves back the gradient of earlier passes") {
  const Var x = Var::leaf(numbers({3})), stored = Var::leaf(numbers({5}));
  const Tensor memory = Tensor::zeros({1}, DType::float64);
  stored.set_grad_storage(memory);
  for (const Var& leaf : {x, stored}) leaf.register_hook([](const Tensor&) { return Tensor(); });
  bool fail = false;
  const auto run = [&](bool first) {
    const Var broken = map(
        x, [](double v) { return v; },
        [&](double) -> double {
          if (fail) throw std::runtime_error("no slope");
          return 1;
        });
    // What was created last is differentiated first: with or without a gradient on its way when the error comes.
    const Var good = first ? twice(times(x, stored)) : plus(x, stored);
    backward(plus(broken, good));
  };
  run(true);
  CHECK(x.grad().item() == 1 + 10);
  CHECK(memory.item() == 6);
  fail = true;
  for (const bool first : {true, false}) {
    CHECK_THROWS_WITH(run(first), "no slope");
    CHECK(x.grad().item() == 11);
    CHECK(memory.item() == 6);
  }
  fail = false;
  run(true);
  CHECK(x.grad().item() == 22);
  CHECK(memory.item() == 12);
}

}  // namespace atto::test
