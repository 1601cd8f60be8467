#include "nn/summary.hpp"

#include "nn/layers/linear.hpp"
#include "nn/layers/norm.hpp"
#include "ops/reduce/reduce.hpp"
#include "tests/support/errors.hpp"

using namespace atto;
using test::contains;

TEST_CASE("a summary lists names, shapes and sums") {
  Model model;
  Linear head(model / "head", 3, 2);
  BatchNorm norm(model / "norm", 2);
  model.freeze("head.bias");
  const std::string text = summary(model);
  INFO(text);
  CHECK(contains(text, "head.weight        [2,3]       6  yes"));
  CHECK(contains(text, "head.bias          [2]         2  frozen"));
  CHECK(contains(text, "norm.running_mean  [2]         2  buffer"));
  CHECK(contains(text, "parameters: 12, 10 of them trained (float32)"));
}

TEST_CASE("an audit finds parameters that cannot be trained, and leaves gradients alone") {
  const bool flat = GENERATE(false, true);
  Model model({.seed = 1, .dtype = DType::float64});
  Linear used(model / "used", 2, 2);
  Linear forgotten(model / "forgotten", 2, 2, {.bias = false});
  Linear frozen(model / "frozen", 2, 2);
  Linear dead(model / "dead", 2, 2,
              {.activation = Activation::relu, .weight_init = init::zeros(), .bias_init = init::constant(-1)});
  model.freeze("frozen.*");
  if (flat) model.flatten();
  const Var x(Tensor::full({3, 2}, 0.5, DType::float64));
  const auto loss = [&] { return sum(dead(frozen(used(x)))); };
  const auto partial = [&] { return sum(used(x)); };

  partial().backward();
  const Tensor before = used.weight().var().grad().clone();
  const Var y = loss();
  const Audit result = audit(model, y);
  CHECK(result.unreached == std::vector<std::string>{"forgotten.weight"});
  CHECK(result.zero == std::vector<std::string>{"used.weight", "used.bias", "dead.weight", "dead.bias"});
  CHECK(contains(result.str(), "does not depend on:\n  forgotten.weight"));
  CHECK(bit_equal(before, used.weight().var().grad()));
  y.backward();  // the graph is still there
  CHECK_THROWS_AS(audit(model, y), StateError);
  CHECK(bit_equal(before, used.weight().var().grad()));

  CHECK(audit(model, Var(Tensor::zeros({}))).unreached.size() == 5);
  model.freeze("forgotten.*");
  model.freeze("dead.*");
  CHECK(audit(model, partial()).clean());
}
