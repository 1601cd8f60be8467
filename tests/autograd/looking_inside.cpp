// Looking inside: anomaly mode and tracing.

#include <limits>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "core/trace.hpp"
#include "tests/autograd/simple_ops.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"

namespace atto::test {

TEST_CASE("tape: anomaly mode names the operation and the place where a NaN is born") {
  const auto inverse = [](const Var& x) {
    return map(
        x, [](double v) { return 1 / v; }, [](double v) { return -1 / (v * v); });
  };
  const auto root = [](const Var& x) {  // the value is fine, the slope is infinite
    return map(
        x, [](double v) { return std::sqrt(v); }, [](double v) { return 0.5 / std::sqrt(v); });
  };
  const std::string path = "layers.3.attention";
  const Var x = Var::leaf(numbers({1, 0}));
  CHECK(std::isinf(inverse(x).value().data<double>()[1]));  // no anomaly mode, no error
  const AnomalyMode anomaly;
  {
    const PathScope scope(path);
    CHECK_THAT_SAYS(NumericError, inverse(x), "map: result: got a NaN or infinity at element 1 of float64[2]");
    CHECK_THAT_SAYS(NumericError, inverse(x), "created in layers.3.attention");
    const Var y = root(x);
    const std::string deeper = "layers.4";
    const PathScope inner(deeper);
    CHECK_THAT_SAYS(NumericError, total(y).backward(), "map: gradient of input 0");
    CHECK_THAT_SAYS(NumericError, total(root(x)).backward(), "created in layers.4");
  }
  CHECK_THAT_SAYS(NumericError, inverse(x), "outside any module");
}

TEST_CASE("tape: anomaly mode lets masks pass: -infinity where it is declared, or came in, and nothing else") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  struct Masked final : CountedOp {
    explicit Masked(double last) : value(last) {}
    const Schema& schema() const override { return map_schema; }
    bool gives_masks() const override { return true; }
    Tensor forward(Inputs in) override {
      Tensor y = in[0].clone();
      y.data<double>()[1] = value;
      return y;
    }
    void backward(const Tensor& g, Gradients& gradients) override { gradients.add(0, g); }
    double value;
  };
  const auto same = [](const Var& x) {
    return map(
        x, [](double v) { return v; }, [](double) { return 1; });
  };
  const AnomalyMode anomaly;
  const Var x = Var::leaf(numbers({1, 2, 3}));
  CHECK(apply<Masked>({x}, -infinity).value().data<double>()[1] == -infinity);
  CHECK_THAT_SAYS(NumericError, apply<Masked>({x}, infinity), "map: result: got a NaN or infinity at element 1");
  CHECK_THAT_SAYS(NumericError, apply<Masked>({x}, std::nan("")), "at element 1");

  CHECK(same(apply<Masked>({x}, -infinity)).value().data<double>()[1] == -infinity);
  CHECK(same(numbers({0, -infinity})).value().data<double>()[1] == -infinity);
  CHECK_THAT_SAYS(NumericError, times(numbers({-infinity, 0}), numbers({1, infinity})),
                  "times: result: got a NaN or infinity at element 1");
  CHECK_THAT_SAYS(NumericError,
                  map(
                      numbers({1, -infinity}), [](double v) { return -v; }, [](double) { return -1; }),
                  "at element 1");
  // The first that has no mask among its inputs is named.
  CHECK_THAT_SAYS(NumericError,
                  map(
                      numbers({1, 0}), [](double v) { return std::log(v); }, [](double v) { return 1 / v; }),
                  "at element 1");
  CHECK_THAT_SAYS(NumericError, backward(same(x), numbers({1, -infinity, 1})),
                  "map: gradient of input 0: got a NaN or infinity at element 1");
}

TEST_CASE("tape: operations are traced with their cost, forward and backward") {
  const Var x = Var::leaf(numbers({3}));
  trace::start();
  backward(times(x, x));
  trace::stop();
  const auto events = trace::events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].name == "times");
  CHECK_FALSE(events[0].backward);
  CHECK(events[0].cost.flops == 3);
  CHECK(events[1].backward);
  CHECK(events[1].cost.bytes == 32);
  twice(x);
  CHECK(trace::events().size() == 2);
}

TEST_CASE("tape: a call that throws is not recorded, and nobody asks what it cost") {
  struct Refusing final : CountedOp {
    explicit Refusing(bool f) : forward_fails(f) {}
    const Schema& schema() const override { return map_schema; }
    Tensor forward(Inputs in) override {
      if (forward_fails) throw std::runtime_error("forward");
      size = in[0].numel();
      return in[0].clone();
    }
    void backward(const Tensor&, Gradients&) override { throw std::runtime_error("backward"); }
    Cost cost() const override {
      if (size == 0) throw std::logic_error("the cost is not known yet");
      return {.flops = static_cast<double>(size), .bytes = 8};
    }
    bool forward_fails;
    std::int64_t size = 0;
  };
  const Var x = Var::leaf(numbers({3}));
  trace::start();
  CHECK_THROWS_WITH(apply<Refusing>({x}, true), "forward");
  CHECK(trace::events().empty());
  CHECK_THROWS_WITH(backward(apply<Refusing>({x}, false)), "backward");
  trace::stop();
  CHECK(trace::events().size() == 1);
}

}  // namespace atto::test
