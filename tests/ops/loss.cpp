#include "ops/loss/loss.hpp"

#include <cmath>
#include <limits>

#include "autograd/tape.hpp"
#include "core/random.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

using Values = std::span<const Tensor>;
using Vars = std::span<const Var>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Tensor scalar(double value) {
  return Tensor::full(Shape{}, value, DType::float64);
}

Tensor random_targets(std::int64_t rows, std::int64_t classes, std::int64_t ignored = 0) {
  Generator random(5);
  std::vector<std::int64_t> target;
  for (std::int64_t n = 0; n < rows; ++n) target.push_back(n < ignored ? -100 : random.below(classes));
  return Tensor::from(target);
}

double cross_entropy_of(const Tensor& z, const Tensor& target, const Tensor& weights, bool sum, bool absolute) {
  const std::int64_t classes = z.size(1);
  double loss = 0, all = 0;
  for (std::int64_t n = 0; n < z.size(0); ++n) {
    const std::int64_t t = target.data<std::int64_t>()[n];
    if (t == -100) continue;
    const double* row = z.data<double>() + n * classes;
    double top = -kInfinity, total = 0;
    for (std::int64_t c = 0; c < classes; ++c) top = std::max(top, row[c]);
    for (std::int64_t c = 0; c < classes; ++c) total += std::exp(row[c] - top);
    const double w = weights.defined() ? weights.data<double>()[t] : 1.0;
    loss += w * (top - row[t] + std::log(total));
    if (absolute) loss += w;
    all += w;
  }
  return sum ? loss : all > 0 ? loss / all : 0;
}

OpCase cross_entropy_case(const std::string& name, std::int64_t rows, std::int64_t classes,
                          CrossEntropyOptions options = {}, std::int64_t ignored = 0, double range = 3) {
  const Tensor target = random_targets(rows, std::max<std::int64_t>(1, classes), ignored);
  const Tensor weights = options.class_weights;
  const auto typed = [=](const Var& z) {
    CrossEntropyOptions own = options;
    if (weights.defined()) own.class_weights = weights.to(z.dtype());
    return own;
  };
  return {
      .op = "cross_entropy",
      .name = name,
      .inputs = {uniform({rows, classes}, -range, range)},
      .run = [=](Vars in) { return cross_entropy(in[0], target, typed(in[0])); },
      .expected = [=](Values in) { return scalar(cross_entropy_of(in[0], target, weights, options.sum, false)); },
      .magnitude = [=](Values in) { return scalar(cross_entropy_of(in[0], target, weights, options.sum, true)); },
      .k = 4,
      .reference = [=](Vars in) { return cross_entropy_reference(in[0], target, typed(in[0])); },
  };
}

using PairFn = Var (*)(const Var&, const Tensor&);
OpCase pair_case(const std::string& op, PairFn f, PairFn reference, const std::function<double(double, double)>& term,
                 const std::string& name, const Shape& shape, std::int64_t missing = 0) {
  Tensor target = uniform(shape, 0, 1, 9);
  const Tensor x = uniform(shape, 1.25, 2, 1);  // away from the kink at x = t
  for (std::int64_t i = 0; i < missing; ++i) target.data<double>()[i] = kNaN;
  OpCase c{
      .op = op,
      .name = name,
      .inputs = {x},
      .run = [=](Vars in) { return f(in[0], target); },
      .expected =
          [=](Values in) {
            double sum = 0, count = 0;
            for (std::int64_t i = 0; i < in[0].numel(); ++i) {
              const double t = target.data<double>()[i];
              if (std::isnan(t)) continue;
              sum += term(in[0].data<double>()[i], t);
              ++count;
            }
            return scalar(count > 0 ? sum / count : 0);
          },
      .k = 8,
  };
  if (missing == 0) c.reference = [=](Vars in) { return reference(in[0], target.to(in[0].dtype())); };
  return c;
}

struct Pair {
  std::string op;
  PairFn f, reference;
  std::function<double(double, double)> term;
};

const std::vector<Pair>& pairs() {
  static const std::vector<Pair> list{
      {"l1_loss", l1_loss, l1_loss_reference, [](double x, double t) { return std::abs(x - t); }},
      {"mse_loss", mse_loss, mse_loss_reference, [](double x, double t) { return (x - t) * (x - t); }},
      {"bce_with_logits", bce_with_logits, bce_with_logits_reference,
       [](double x, double t) {
         return -t * std::log(1 / (1 + std::exp(-x))) - (1 - t) * std::log(1 / (1 + std::exp(x)));
       }},
  };
  return list;
}

const RegisterCases cases([] {
  const Tensor weights = Tensor::from({0.5, 2.0, 0.0, 1.25, 1.0, 3.0}, {6});
  std::vector<OpCase> list{
      cross_entropy_case("20 rows, 6 classes", 20, 6),
      cross_entropy_case("weighted", 20, 6, {.class_weights = weights}),
      cross_entropy_case("summed", 20, 6, {.class_weights = weights, .sum = true}),
      cross_entropy_case("rows without a target", 20, 6, {}, 7),
      cross_entropy_case("weighted, rows without a target", 20, 6, {.class_weights = weights}, 7),
      cross_entropy_case("all weights 0", 20, 6, {.class_weights = Tensor::zeros({6}, DType::float64)}),
      cross_entropy_case("no targets at all", 5, 6, {}, 5),
      cross_entropy_case("no rows", 0, 6),
      cross_entropy_case("no classes", 3, 0, {}, 3),
      cross_entropy_case("one row", 1, 3),
      cross_entropy_case("one class", 4, 1),
      cross_entropy_case("two classes", 9, 2),
      cross_entropy_case("16 classes", 9, 16),
      cross_entropy_case("a rest of one", 9, 33),
      cross_entropy_case("large logits", 9, 5, {}, 0, 60),
      cross_entropy_case("several threads", 3000, 41),
      cross_entropy_case("several chunks", 9000, 3),
  };
  for (const Pair& p : pairs()) {
    const auto add = [&](const std::string& name, const Shape& shape, std::int64_t missing = 0) {
      list.push_back(pair_case(p.op, p.f, p.reference, p.term, name, shape, missing));
    };
    add("5x3", {5, 3});
    add("rank 1", {7});
    add("a number", Shape{});
    add("nothing", {0, 3});
    add("missing targets", {5, 3}, 4);
    add("all missing", {5, 3}, 15);
    add("several threads", {300, 100});
  }
  return list;
});

const RegisterErrors errors([] {
  const Tensor target = Tensor::from<std::int64_t>({0, 1, 3}, {3});
  std::vector<OpError> list{
      {.op = "cross_entropy",
       .name = "target too large",
       .call =
           [=] {
             cross_entropy(uniform({3, 3}), target);
           },
       .text = "cross_entropy: target of row 2: got 3, expected 0 <= target < 3"},
      {.op = "cross_entropy",
       .name = "negative target",
       .call =
           [] {
             cross_entropy(uniform({1, 3}), Tensor::from<std::int64_t>({-1}, {1}));
           },
       .text = "target of row 0: got -1"},
      {.op = "cross_entropy",
       .name = "targets of another length",
       .call =
           [=] {
             cross_entropy(uniform({4, 3}), target);
           },
       .text = "cross_entropy: target: got int64[3], expected int64[4]"},
      {.op = "cross_entropy",
       .name = "targets of another type",
       .call =
           [=] {
             cross_entropy(uniform({3, 4}), target.to(DType::float32));
           },
       .text = "cross_entropy: target: got float32[3], expected int64[3]"},
      {.op = "cross_entropy",
       .name = "weights for other classes",
       .call =
           [=] {
             cross_entropy(uniform({3, 4}), target, {.class_weights = uniform({3})});
           },
       .text = "cross_entropy: class_weights: got float64[3], expected float64[4]"},
      {.op = "cross_entropy",
       .name = "logits of rank 1",
       .call = [=] { cross_entropy(uniform({3}), target); },
       .text = "cross_entropy: logits: got [3], expected [N,C]"},
  };
  for (const Pair& p : pairs()) {
    list.push_back({.op = p.op,
                    .name = "target of another shape",
                    .call =
                        [=] {
                          p.f(uniform({3, 1}), uniform({3}));
                        },
                    .text = p.op + ": target: got float64[3], expected float64[3,1]"});
    list.push_back({.op = p.op,
                    .name = "target of integers",
                    .call = [=] { p.f(uniform({3}), Tensor::zeros({3}, DType::int64)); },
                    .text = p.op + ": target: got int64[3]"});
  }
  return list;
});

}  // namespace

TEST_CASE("losses: the weighted loss of PATTERN and CLUSTER") {
  const Tensor target = Tensor::from<std::int64_t>({0, 0, 0, 1}, {4});
  const Tensor weights = class_balance_weights(target, 2, DType::float64);
  CHECK(bit_equal(weights, Tensor::from({0.25, 0.75}, {2})));
  const Tensor logits = tabulate({4, 2}, [](std::int64_t i) { return i % 2 == 0 ? 2.0 : 0.0; });
  CHECK(std::abs(cross_entropy(logits, target, {.class_weights = weights}).item() - 1.1269280110) < 5e-11);
  CHECK(std::abs(cross_entropy(logits, target).item() - 0.6269280110) < 5e-11);
}

TEST_CASE("losses: class weights of absent classes are 0, and those of a single class give a loss of 0") {
  const Tensor target = Tensor::from<std::int64_t>({2, 2, 2}, {3});
  const Tensor weights = class_balance_weights(target, 4, DType::float64);
  CHECK(bit_equal(weights, Tensor::zeros({4}, DType::float64)));
  const Var logits = Var::leaf(uniform({3, 4}));
  const Var loss = cross_entropy(logits, target, {.class_weights = weights});
  CHECK(loss.item() == 0);
  loss.backward();
  CHECK(bit_equal(logits.grad(), Tensor::zeros({3, 4}, DType::float64)));
  CHECK(bit_equal(class_balance_weights(Tensor::zeros({0}, DType::int64), 2, DType::float32), Tensor::zeros({2})));
  CHECK_THAT_SAYS(IndexError, class_balance_weights(target, 2, DType::float32),
                  "class_balance_weights: target of row 0: got 2");
}

TEST_CASE("losses: a row of weight 0 counts nothing, whatever its logits") {
  const Var logits = Var::leaf(Tensor::from({0.0, -kInfinity, 1.0, 2.0, kNaN, 0.0}, {3, 2}));
  const Tensor target = Tensor::from<std::int64_t>({1, 0, -100}, {3});
  const Var loss = cross_entropy(logits, target, {.class_weights = Tensor::from({1.0, 0.0}, {2})});
  CHECK(std::abs(loss.item() - std::log1p(std::exp(1.0))) < 1e-15);
  loss.backward();
  CHECK(logits.grad().data<double>()[0] == 0);
  CHECK(logits.grad().data<double>()[4] == 0);
}

TEST_CASE("losses: impossible targets cost infinity, hopeless logits are NaN") {
  CHECK(cross_entropy(Tensor::from({0.0, -kInfinity}, {1, 2}), Tensor::from<std::int64_t>({1}, {1})).item() ==
        kInfinity);
  CHECK(std::isnan(cross_entropy(Tensor::from({0.0, kNaN}, {1, 2}), Tensor::from<std::int64_t>({0}, {1})).item()));
  CHECK(std::isnan(
      cross_entropy(Tensor::from({-kInfinity, -kInfinity}, {1, 2}), Tensor::from<std::int64_t>({0}, {1})).item()));
}

TEST_CASE("losses: float32 logits of 10^4 keep their differences") {
  const Tensor logits = Tensor::from({10000.0f, 10001.0f, 9999.5f}, {1, 3});
  const double expected = std::log(std::exp(-1.0) + 1 + std::exp(-1.5)) + 1;
  CHECK(std::abs(cross_entropy(logits, Tensor::from<std::int64_t>({0}, {1})).item() - expected) < 1e-6);
}

TEST_CASE("losses: binary cross-entropy does not overflow") {
  const Var x = Var::leaf(Tensor::from({1000.0, -1000.0, 1000.0, -1000.0}, {4}));
  const Var loss = bce_with_logits(x, Tensor::from({1.0, 0.0, 0.0, 1.0}, {4}));
  CHECK(loss.item() == 500);
  loss.backward();
  CHECK(bit_equal(x.grad(), Tensor::from({0.0, 0.0, 0.25, -0.25}, {4})));
}

TEST_CASE("losses: targets and weights that change after the forward do not change the gradient") {
  const Tensor classes = Tensor::from<std::int64_t>({2, 0}, {2}), weights = uniform({3}, 0.5, 1),
               numbers = uniform({2, 3}, 0, 1, 2);
  const auto gradient = [&](const Tensor& later, const std::function<Var(const Var&)>& loss) {
    const Var x = Var::leaf(uniform({2, 3}));
    const Var y = loss(x);
    const Tensor before = later.clone();
    if (later.dtype() == DType::int64) later.fill(1'000'000'000);
    else later.fill(7);
    y.backward();
    later.copy_from(before);
    return x.grad();
  };
  const Tensor unrelated = uniform({1});
  const auto check = [&](const Tensor& later, const std::function<Var(const Var&)>& loss) {
    CHECK(bit_equal(gradient(later, loss), gradient(unrelated, loss)));
  };
  check(classes, [&](const Var& x) { return cross_entropy(x, classes); });
  check(weights, [&](const Var& x) { return cross_entropy(x, classes, {.class_weights = weights}); });
  for (const auto loss : {l1_loss, mse_loss, bce_with_logits})
    check(numbers, [&](const Var& x) { return loss(x, numbers); });
}

TEST_CASE("losses: the absolute error has derivative 0 where it is 0") {
  const Var x = Var::leaf(Tensor::from({1.0, 2.0, 3.0}, {3}));
  l1_loss(x, Tensor::from({1.0, 0.0, 6.0}, {3})).backward();
  CHECK(mismatch(x.grad(), Tensor::from({0.0, 1.0 / 3, -1.0 / 3}, {3}), {}, 1e-15) == "");
}

}  // namespace atto::test
