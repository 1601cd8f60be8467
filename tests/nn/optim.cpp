#include <cmath>
#include <limits>

#include "core/parallel.hpp"
#include "core/random.hpp"
#include "core/simd.hpp"
#include "nn/optim/optimiser.hpp"
#include "tests/support/errors.hpp"

using namespace atto;

namespace {

using Values = std::vector<std::vector<double>>;  // one per parameter

// Parameters that are smaller and larger than a chunk of work, and a gap between them.
struct Toy {
  explicit Toy(DType dtype = DType::float64)
      : model({.seed = 7, .dtype = dtype}),
        small((model / "small").parameter("weight", {3}, init::normal())),
        large((model / "large").parameter("weight", {41, 127}, init::normal())),
        bias((model / "large").parameter("bias", {5}, init::normal())) {}
  Model model;
  Parameter small, large, bias;

  // A gradient that depends on the value, so that errors of one step reach the next.
  static double gradient(double value, int step, std::size_t i) {
    return std::sin(value + 0.1 * step) + 0.01 * static_cast<double>(i % 7);
  }

  Values values() const {
    Values result;
    for (const NamedParameter& parameter : model.parameters()) {
      const Tensor value = parameter.value.value().to(DType::float64);
      result.emplace_back(value.values<double>().begin(), value.values<double>().end());
    }
    return result;
  }
  void fill_gradients(int step) const {
    model.flatten();
    for (const NamedParameter& parameter : model.parameters())
      visit_float(model.options().dtype, "test", [&]<class T>() {
        const auto value = parameter.value.value().values<T>();
        const auto target = parameter.value.grad().values<T>();
        for (std::size_t i = 0; i < value.size(); ++i)
          target[i] = static_cast<T>(gradient(static_cast<double>(value[i]), step, i));
      });
  }
};

// Runs 50 steps beside `reference(parameter, values, gradients, t)` and returns the largest difference.
template <class Reference>
double compare(Toy& toy, Optimiser& optimiser, Reference&& reference) {
  Values expected = toy.values();
  double worst = 0;
  for (int t = 1; t <= 50; ++t) {
    toy.fill_gradients(t);
    optimiser.step();
    for (std::size_t p = 0; p < expected.size(); ++p)
      for (std::size_t i = 0; i < expected[p].size(); ++i)
        expected[p][i] = reference(p, i, expected[p][i], Toy::gradient(expected[p][i], t, i), t);
    const Values got = toy.values();
    for (std::size_t p = 0; p < expected.size(); ++p)
      for (std::size_t i = 0; i < expected[p].size(); ++i)
        worst = std::max(worst, std::abs(expected[p][i] - got[p][i]));
  }
  return worst;
}

struct Memory {
  double a = 0, b = 0;
};
using Memories = std::vector<std::vector<Memory>>;

Memories memories(const Toy& toy) {
  Memories result;
  for (const auto& values : toy.values()) result.emplace_back(values.size());
  return result;
}

double moved(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t p = 0; p < a.size(); ++p)
    for (std::size_t i = 0; i < a[p].size(); ++i) sum += std::abs(a[p][i] - b[p][i]);
  return sum;
}

}  // namespace

TEST_CASE("SGD follows the published rule for 50 steps") {
  const double momentum = GENERATE(0.0, 0.9);
  const bool nesterov = GENERATE(false, true);
  if (nesterov && momentum == 0.0) return;
  Toy toy;
  Sgd sgd(toy.model, {.learning_rate = 0.05, .momentum = momentum, .nesterov = nesterov, .weight_decay = 0.03});
  Memories memory = memories(toy);
  CHECK(compare(toy, sgd, [&](std::size_t p, std::size_t i, double w, double g, int t) {
          double& b = memory[p][i].a;
          g += 0.03 * w;
          b = t == 1 ? g : momentum * b + g;
          return w - 0.05 * (nesterov ? g + momentum * b : b);
        }) < 1e-10);
}

TEST_CASE("Adam and AdamW follow the published rules for 50 steps") {
  const bool decoupled = GENERATE(false, true);
  Toy toy;
  const AdamOptions options{
      .learning_rate = 0.01,
      .beta1 = 0.8,
      .beta2 = 0.95,
      .epsilon = 1e-6,
      .weight_decay = 0.02,
      .groups = {{.pattern = "*.bias", .weight_decay = 0.0}, {.pattern = "small.*", .learning_rate_scale = 3.0}}};
  std::unique_ptr<Optimiser> optimiser;
  if (decoupled) optimiser = std::make_unique<AdamW>(toy.model, options);
  else optimiser = std::make_unique<Adam>(toy.model, options);
  Memories memory = memories(toy);
  const double rates[] = {0.03, 0.01, 0.01};  // small.weight, large.weight, large.bias
  const double decays[] = {0.02, 0.02, 0.0};
  CHECK(compare(toy, *optimiser, [&](std::size_t p, std::size_t i, double w, double g, int t) {
          auto& [m, v] = memory[p][i];
          if (decoupled) w *= 1.0 - rates[p] * decays[p];
          else g += decays[p] * w;
          m = 0.8 * m + 0.2 * g;
          v = 0.95 * v + 0.05 * g * g;
          const double m_hat = m / (1.0 - std::pow(0.8, t));
          const double v_hat = v / (1.0 - std::pow(0.95, t));
          return w - rates[p] * m_hat / (std::sqrt(v_hat) + 1e-6);
        }) < 1e-10);
  CHECK(optimiser->steps() == 50);
}

TEST_CASE("Adam normalises a weight decay that stands alone") {
  // Values seen with a published implementation: a hop offset without a data gradient drifts by about lr per step.
  Model model({.dtype = DType::float64});
  const Parameter hop = model.scope().parameter("hop", {1}, init::constant(5.0));
  Adam adam(model, {.learning_rate = 1e-3, .weight_decay = 1e-5});
  const auto run_to = [&](int steps) {
    while (adam.steps() < steps) adam.step();
    return hop.value().item();
  };
  CHECK(run_to(100) == Approx(4.9004).margin(1e-4));
  CHECK(run_to(1000) == Approx(4.0449).margin(1e-4));
  CHECK(run_to(2500) == Approx(2.7631).margin(1e-4));
}

TEST_CASE("the learning rate scale, frozen parameters and the gaps between parameters") {
  Toy toy;
  AdamW adam(toy.model, {.learning_rate = 0.01, .weight_decay = 0.1});
  toy.fill_gradients(1);
  const Values before = toy.values();
  adam.set_learning_rate_scale(0.0);
  CHECK(adam.learning_rate() == 0.0);
  adam.step();
  CHECK(moved(before, toy.values()) == 0.0);
  adam.set_learning_rate_scale(0.5);
  CHECK(adam.learning_rate() == 0.005);
  toy.model.freeze("large.weight");
  adam.step();
  const Values after = toy.values();
  CHECK(after[0] != before[0]);
  CHECK(after[1] == before[1]);
  CHECK(after[2] != before[2]);
  const FlatParameters& flat = toy.model.flatten();
  for (std::int64_t i = 3; i < flat.offsets[1]; ++i) CHECK(flat.values.values<double>()[i] == 0.0);
}

TEST_CASE("an optimiser has the same bits with one and two threads") {
  const auto run = [](int count) {
    const int before = threads();
    set_threads(count);
    Model model({.seed = 2});
    const Parameter weight = model.scope().parameter("weight", {300'001}, init::normal());
    AdamW adam(model, {.learning_rate = 0.1, .weight_decay = 0.1});
    double norm = 0;
    for (int t = 0; t < 3; ++t) {
      weight.var().grad().copy_from(weight.value());
      norm = clip_gradient_norm(model, 10.0);
      adam.step();
    }
    set_threads(before);
    return std::pair(weight.value().clone(), norm);
  };
  const auto one = run(1);
  const auto two = run(2);
  CHECK(bit_equal(one.first, two.first));
  CHECK(one.second == two.second);
}

TEST_CASE("every instruction set follows the same rule") {
  const Isa before = isa();
  std::vector<Tensor> results;
  for (const Isa wish : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (wish > before) continue;
    set_isa(wish);
    Toy toy(DType::float32);
    AdamW adam(toy.model, {.learning_rate = 0.01, .weight_decay = 0.1});
    for (int t = 1; t <= 10; ++t) {
      toy.fill_gradients(t);
      clip_gradient_norm(toy.model, 1.0);
      adam.step();
    }
    results.push_back(toy.model.flatten().values.clone());
  }
  set_isa(before);
  for (const Tensor& result : results)
    for (std::size_t i = 0; i < result.values<float>().size(); ++i)
      REQUIRE(result.values<float>()[i] == Approx(results[0].values<float>()[i]).margin(1e-5));
}

TEST_CASE("state: two optimisers with equal state take equal steps") {
  Toy a, b;
  AdamW first(a.model, {}), second(b.model, {});
  for (int t = 1; t <= 3; ++t) {
    a.fill_gradients(t);
    first.step();
  }
  first.set_learning_rate_scale(0.25);
  b.model.flatten().values.copy_from(a.model.flatten().values);
  const std::vector<NamedTensor> from = first.state();
  const std::vector<NamedTensor> to = second.state();
  REQUIRE(from.size() == 8);
  CHECK(from[2].name == "first_moment.small.weight");
  for (std::size_t i = 0; i < from.size(); ++i) {
    CHECK(from[i].name == to[i].name);
    to[i].value.copy_from(from[i].value);
  }
  for (int t = 4; t <= 6; ++t) {
    a.fill_gradients(t);
    b.fill_gradients(t);
    first.step();
    second.step();
  }
  CHECK(bit_equal(a.model.flatten().values, b.model.flatten().values));
  CHECK(second.steps() == 6);
}

TEST_CASE("clipping scales to the norm, and refuses what is not finite") {
  Model model({.dtype = DType::float64});
  const Parameter a = model.scope().parameter("a", {2}, init::ones());
  const Parameter b = model.scope().parameter("b", {40'000}, init::ones());
  const FlatParameters& flat = model.flatten();
  a.var().grad().values<double>()[0] = 3.0;
  b.var().grad().values<double>()[39'999] = -4.0;
  CHECK(clip_gradient_norm(model, 10.0) == 5.0);
  CHECK(a.var().grad().values<double>()[0] == 3.0);
  CHECK(clip_gradient_norm(model, 1.0) == 5.0);
  CHECK(a.var().grad().values<double>()[0] == Approx(0.6));
  CHECK(b.var().grad().values<double>()[39'999] == Approx(-0.8));
  CHECK(clip_gradient_norm(model, std::numeric_limits<double>::infinity()) == Approx(1.0));
  CHECK_THROWS_AS(clip_gradient_norm(model, 0.0), ValueError);

  b.var().grad().values<double>()[1] = std::numeric_limits<double>::quiet_NaN();
  const Tensor before = flat.gradients.clone();
  CHECK_THAT_SAYS(NumericError, clip_gradient_norm(model, 1.0), "gradient of b");
  CHECK(bit_equal(before, flat.gradients));
  b.var().grad().values<double>()[1] = 1e200;
  CHECK_THAT_SAYS(NumericError, clip_gradient_norm(model, 1.0), "overflows");
}

TEST_CASE("options out of range are refused") {
  Toy toy;
  CHECK_THROWS_AS(Adam(toy.model, {.learning_rate = -1.0}), ValueError);
  CHECK_THROWS_AS(Adam(toy.model, {.beta1 = 1.0}), ValueError);
  CHECK_THROWS_AS(Adam(toy.model, {.weight_decay = std::nan("")}), ValueError);
  CHECK_THROWS_AS(Sgd(toy.model, {.nesterov = true}), ValueError);
  CHECK_THAT_SAYS(ValueError, Sgd(toy.model, {.groups = {{.pattern = "layers.*"}}}), "layers.*");
  Adam adam(toy.model, {});
  CHECK_THROWS_AS(adam.set_learning_rate_scale(-1.0), ValueError);
}
