#include "autograd/tape.hpp"

#include <pthread.h>

#include <optional>

#include "autograd/inspect.hpp"
#include "core/allocator.hpp"
#include "core/error.hpp"
#include "tests/autograd/simple_ops.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

namespace atto::test {
namespace {

std::vector<double> gradient(const Var& x) {
  const Tensor g = x.grad();
  return g.defined() ? std::vector<double>(g.values<double>().begin(), g.values<double>().end())
                     : std::vector<double>{};
}

}  // namespace

TEST_CASE("tape: a value that is used on several ways gets the sum of their gradients") {
  const Var x = Var::leaf(numbers({2, 3})), y = Var::leaf(numbers({5, 7}));
  const Var a = times(x, y);                    // x y
  const Var b = plus(times(a, x), plus(a, a));  // x^2 y + 2 x y
  backward(b, numbers({1, 10}));
  CHECK(gradient(x) == std::vector<double>{2 * 2 * 5 + 2 * 5, 10 * (2 * 3 * 7 + 2 * 7)});
  CHECK(gradient(y) == std::vector<double>{4 + 4, 10 * (9 + 6)});
}

TEST_CASE("tape: gradients accumulate over passes until they are cleared") {
  const Var x = Var::leaf(numbers({2, 3}));
  for (int pass = 1; pass <= 3; ++pass) {
    total(times(x, x)).backward();
    CHECK(gradient(x) == std::vector<double>{4.0 * pass, 6.0 * pass});
  }
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
  total(x).backward();
  CHECK(gradient(x) == std::vector<double>{1, 1});
}

TEST_CASE("tape: a gradient that the user holds does not change in later passes") {
  const Var x = Var::leaf(numbers({2}));
  SECTION("through an operation") {
    total(x).backward();
    const Tensor held = x.grad();
    total(x).backward();
    CHECK(held.item() == 1);
    CHECK(x.grad().item() == 2);
  }
  SECTION("of a leaf that is itself the root") {
    backward(x, numbers({1}));
    const Tensor held = x.grad();
    backward(x, numbers({1}));
    CHECK(held.item() == 1);
    CHECK(x.grad().item() == 2);
  }
  SECTION("in a hook") {
    std::vector<Tensor> seen;
    x.register_hook([&](const Tensor& g) { return seen.push_back(g), Tensor(); });
    for (int pass = 0; pass < 3; ++pass) total(twice(x)).backward();
    for (const Tensor& g : seen) CHECK(g.item() == 2);
    CHECK(x.grad().item() == 6);
  }
  SECTION("of two leaves that got the same tensor") {
    const Var y = Var::leaf(numbers({3}));
    total(plus(x, y)).backward();
    total(twice(x)).backward();
    CHECK(x.grad().item() == 3);
    CHECK(y.grad().item() == 1);
  }
}

TEST_CASE("tape: a leaf may collect its gradient in memory of the caller's") {
  const Tensor flat = Tensor::full({4}, 9, DType::float64);
  const Var x = Var::leaf(numbers({2, 3})), y = Var::leaf(numbers({5, 7}));
  x.set_grad_storage(flat.rows(0, 2));
  y.set_grad_storage(flat.rows(2, 4));
  total(plus(times(x, y), x)).backward();
  CHECK(std::vector<double>(flat.data<double>(), flat.data<double>() + 4) == std::vector<double>{6, 8, 2, 3});
  total(x).backward();
  CHECK(flat.data<double>()[0] == 7);
  x.zero_grad();
  CHECK(flat.data<double>()[0] == 0);
  CHECK(x.grad().raw() == flat.raw());
  CHECK_THROWS_AS(x.set_grad_storage(flat), ShapeError);
}

TEST_CASE("tape: the graph is freed on the way unless it is asked to stay") {
  const Var x = Var::leaf(numbers({2}));
  const int before = living_ops;
  const Var y = twice(times(x, x));
  CHECK(living_ops == before + 2);
  backward(y, {}, {.retain_graph = true});
  CHECK(living_ops == before + 2);
  backward(y);
  CHECK(living_ops == before);
  CHECK(x.grad().item() == 16);
  CHECK(y.item() == 8);
  CHECK_THAT_SAYS(StateError, backward(y), "a graph that an earlier backward has freed");
  CHECK_THAT_SAYS(StateError, backward(twice(y)), "retain_graph");
}

TEST_CASE("tape: a root that cannot be differentiated is refused") {
  const Var x = Var::leaf(numbers({2, 3}));
  CHECK_THAT_SAYS(ShapeError, times(x, x).backward(),
                  "backward: root: got float64[2], expected a single number, or a seed");
  CHECK_THAT_SAYS(ShapeError, (backward(times(x, x), numbers({1}))),
                  "backward: seed: got float64[1], expected float64[2]");
  CHECK_THAT_SAYS(StateError, (total(numbers({1})).backward()), "depends on no leaf with a gradient");
  CHECK_THAT_SAYS(StateError, (apply<Frozen>({x})), "frozen: input: got a value that needs a gradient");
  CHECK(apply<Frozen>({x.detach()}).value().numel() == 2);
  CHECK_THAT_SAYS(StateError, Var().value(), "an undefined value");
  CHECK_THAT_SAYS(TypeError, (Var::leaf(Tensor::zeros({2}, DType::int32))), "int32");
}

TEST_CASE("tape: constants, detached values and frozen leaves record nothing") {
  const Var x = Var::leaf(numbers({2, 3}));
  const int before = living_ops;
  CHECK_FALSE(twice(numbers({1})).requires_grad());
  CHECK_FALSE(twice(x.detach()).requires_grad());
  {
    const NoGrad outer;
    { const NoGrad inner; }
    CHECK_FALSE(grad_enabled());
    CHECK_FALSE(twice(x).requires_grad());
  }
  CHECK(grad_enabled());
  CHECK(living_ops == before);
  CHECK(x.detach().value().raw() == x.value().raw());

  const Var frozen = Var::leaf(numbers({5, 7}));
  frozen.set_requires_grad(false);
  total(times(x, frozen)).backward();
  CHECK(gradient(x) == std::vector<double>{5, 7});
  CHECK_FALSE(frozen.grad().defined());
  CHECK_THROWS_AS(twice(x).set_requires_grad(false), StateError);
}

TEST_CASE("tape: the gradient of a computed value is kept on request, and does not flow twice") {
  const Var x = Var::leaf(numbers({3}));
  const Var y = twice(x);
  y.retain_grad();
  const Var z = twice(y);
  backward(z, {}, {.retain_graph = true});
  CHECK(y.grad().item() == 2);
  backward(z);
  CHECK(y.grad().item() == 2);
  CHECK(x.grad().item() == 8);
  CHECK_FALSE(z.grad().defined());
}

TEST_CASE("tape: stretched dimensions are summed out") {
  const auto stretched = [](const Shape& from, const Shape& to) {
    const Var x = Var::leaf(Tensor::full(from, 1, DType::float64));
    Tensor seed = Tensor::empty(to, DType::float64);
    for (std::int64_t i = 0; i < seed.numel(); ++i) seed.data<double>()[i] = static_cast<double>(i);
    backward(apply<Stretch>({x}, to), seed);
    return gradient(x);
  };
  CHECK(stretched({}, {2, 3}) == std::vector<double>{15});
  CHECK(stretched({3}, {2, 3}) == std::vector<double>{3, 5, 7});
  CHECK(stretched({2, 1}, {2, 3}) == std::vector<double>{3, 12});
  CHECK(stretched({1, 2, 1}, {2, 2, 2}) == std::vector<double>{0 + 1 + 4 + 5, 2 + 3 + 6 + 7});
  CHECK(stretched({3}, {0, 3}) == std::vector<double>{0, 0, 0});
  CHECK(stretched({1}, {1, 1, 1}) == std::vector<double>{0});
  CHECK_THAT_SAYS(ShapeError, (stretched({3}, {2, 4})), "gradient accumulation: gradient: got [2,4], expected [3]");
  CHECK_THAT_SAYS(ShapeError, (stretched({2, 3}, {3})), "gradient accumulation");
}

TEST_CASE("tape: a slice of a gradient is added in its place") {
  struct Part final : CountedOp {
    Part(int dimension, std::int64_t first, const Shape& result) : d(dimension), begin(first), shape(result) {}
    const Schema& schema() const override { return atto::test::stretch_schema; }
    Tensor forward(Inputs) override { return Tensor::full(shape, 1, DType::float64); }
    void backward(const Tensor& g, Gradients& gradients) override { gradients.add_slice(0, d, begin, g); }
    int d;
    std::int64_t begin;
    Shape shape;
  };
  const Var x = Var::leaf(Tensor::zeros({2, 3}, DType::float64));
  const Var columns = apply<Part>({x}, -1, 1, Shape{2, 2}), rows = apply<Part>({x}, 0, 1, Shape{1, 3});
  backward(plus(total(columns), total(rows)));
  CHECK(gradient(x) == std::vector<double>{0, 1, 1, 1, 2, 2});
  CHECK_THAT_SAYS(ShapeError, (backward(total(apply<Part>({x}, 0, 1, Shape{2, 3})))),
                  "slice: got [2,3] at 1, expected a part of [2,3]");
}

namespace {

// Runs f on a thread with a stack of one megabyte.
void with_small_stack(void (*f)()) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  REQUIRE(pthread_attr_setstacksize(&attributes, 1 << 20) == 0);
  pthread_t thread;
  const auto body = [](void* function) -> void* {
    reinterpret_cast<void (*)()>(function)();
    return nullptr;
  };
  REQUIRE(pthread_create(&thread, &attributes, body, reinterpret_cast<void*>(f)) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

constexpr int kLength = 1'000'000;
double chain_gradient = 0;

}  // namespace

TEST_CASE("tape: a value that no operation saved goes with its last handle, unless KeepValues holds it") {
  const Var x = Var::leaf(Tensor::zeros({1 << 18}, DType::float64));  // 2 MB
  const auto held = [&](bool keep) {
    const std::int64_t before = allocator::statistics().in_use;
    std::optional<KeepValues> keeping;
    if (keep) keeping.emplace();
    const Var y = plus(plus(plus(x, x), x), x);
    const std::int64_t bytes = allocator::statistics().in_use - before;
    if (!keep) CHECK(dot(y).find("value let go") != std::string::npos);
    else CHECK(dot(y).find("value let go") == std::string::npos);
    backward(total(y));
    CHECK(x.grad().data<double>()[7] == 4);
    x.zero_grad();
    return static_cast<double>(bytes) / static_cast<double>(x.value().bytes());
  };
  CHECK(held(false) < 1.5);
  CHECK(held(true) > 2.9);
}

TEST_CASE("tape: a leaf that is let train after the forward waits for the next one") {
  const Var x = Var::leaf(numbers({2, 3})), w = Var::leaf(numbers({5, 7}));
  w.set_requires_grad(false);
  const Var y = times(x, w);  // keeps what dx reads, not what dw would
  w.set_requires_grad(true);
  backward(total(y));
  CHECK_FALSE(w.grad().defined());
  backward(total(times(x, w)));
  CHECK(gradient(w) == std::vector<double>{2, 3});
}

TEST_CASE("backward: a seed that lies where the gradients are collected is read before it is written") {
  const Var x = Var::leaf(numbers({2, 3}));
  const Tensor memory = numbers({0, 0});
  x.set_grad_storage(memory);
  total(times(x, x)).backward();  // 4, 6
  backward(plus(x, x), x.grad());
  CHECK(gradient(x) == std::vector<double>{12, 18});
  CHECK(memory.values<double>()[1] == 18);
}

TEST_CASE("backward: gradients never share memory with the caller's seed") {
  const Tensor seed = Tensor::from<double>({1, 2}, {2});
  const Var x = Var::leaf(Tensor::from<double>({3, 4}, {2}));
  backward(x, seed);  // the seed itself comes down
  seed.fill(9);
  CHECK(x.grad().values<double>()[1] == 2);
  const Var y = plus(x, x);
  y.retain_grad();
  x.zero_grad();
  backward(y, seed);
  seed.fill(0);
  CHECK(x.grad().values<double>()[0] == 18);
  CHECK(y.grad().values<double>()[0] == 9);
}

TEST_CASE("tape: a chain of a million operations is differentiated and destroyed in a stack of one megabyte",
          "[slow]") {
  with_small_stack([] {
    const Var x = Var::leaf(numbers({1}));
    const auto chain = [&] {
      Var y = x;
      for (int i = 0; i < kLength; ++i) y = plus(y, x);
      return y;
    };
    const int before = living_ops;
    { const Var never_differentiated = chain(); }
    if (living_ops != before) return;
    backward(chain());
    if (living_ops == before) chain_gradient = x.grad().item();
  });
  CHECK(chain_gradient == kLength + 1);
}

}  // namespace atto::test
