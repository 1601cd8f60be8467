#include "autograd/recompute.hpp"

#include "autograd/gradcheck.hpp"
#include "autograd/tape.hpp"
#include "core/allocator.hpp"
#include "tests/autograd/simple_ops.hpp"
#include "tests/support/catch.hpp"

namespace atto::test {
namespace {

Tensor ramp(std::int64_t count, double step) {
  Tensor x = Tensor::empty(Shape{count}, DType::float64);
  for (std::int64_t i = 0; i < count; ++i) x.data<double>()[i] = 0.3 + step * static_cast<double>(i % 17);
  return x;
}

// A chain of products; every one keeps its inputs.
Var chain(const Var& x, const Var& w, int length) {
  Var y = x;
  for (int i = 0; i < length; ++i) y = times(y, w);
  return y;
}

}  // namespace

TEST_CASE("recompute: values and gradients are those of the plain call, captured leaves included") {
  const auto run = [](bool again) {
    const Var x = Var::leaf(ramp(40, 0.01)), w = Var::leaf(ramp(40, 0.02));
    const auto part = [&](std::span<const Var> in) { return chain(in[0], w, 5); };
    const Var inputs[] = {times(x, x)};
    const Var y = again ? recompute(part, inputs) : part(inputs);
    backward(times(y, w), ramp(40, 0.05));
    return std::array{y.value(), x.grad(), w.grad()};
  };
  const auto plain = run(false), again = run(true);
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(bit_equal(plain[i], again[i]));
}

TEST_CASE("recompute: inside itself, and with several inputs of which some need no gradient") {
  const Var constant(ramp(7, 0.1));
  const auto f = [&](std::span<const Var> in) {
    return recompute(
        [&](std::span<const Var> inner) {
          return recompute([](std::span<const Var> most) { return chain(most[0], most[1], 3); }, inner);
        },
        std::array{times(in[0], constant), in[1]});
  };
  CHECK(gradcheck(f, {ramp(7, 0.03), ramp(7, 0.07)}).report == "");
}

TEST_CASE("recompute: nothing is recorded where nobody needs a gradient") {
  int runs = 0;
  const auto f = [&](std::span<const Var> in) {
    ++runs;
    return times(in[0], in[0]);
  };
  const Var inputs[] = {Var(ramp(3, 1))};
  CHECK_FALSE(recompute(f, inputs).requires_grad());
  CHECK(runs == 1);
}

TEST_CASE("recompute: between forward and backward only the inputs are kept") {
  const std::int64_t size = 1 << 16;
  const auto kept = [&](bool again) {
    const Var x = Var::leaf(ramp(size, 0.001)), w = Var::leaf(ramp(size, 0.002));
    const std::int64_t before = allocator::statistics().in_use;
    const auto part = [&](std::span<const Var> in) { return chain(in[0], w, 10); };
    const Var inputs[] = {x};
    const Var y = again ? recompute(part, inputs) : part(inputs);
    return allocator::statistics().in_use - before;
  };
  CHECK(kept(false) > 9 * size * 8);
  CHECK(kept(true) < 2 * size * 8);
}

}  // namespace atto::test
