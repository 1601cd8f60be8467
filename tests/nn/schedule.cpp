#include "nn/optim/schedule.hpp"

#include <cmath>

#include "tests/support/errors.hpp"

using namespace atto;

TEST_CASE("linear warm-up, then a cosine") {
  const WarmupCosineOptions options{.warmup = 5, .total = 100};
  const std::pair<int, double> expected[] = {{0, 1e-6},      {1, 0.2},       {4, 0.8},   {5, 1.0},
                                             {52, 0.508267}, {99, 0.000273}, {100, 0.0}, {150, 0.0}};
  WarmupCosine schedule(options);
  for (const auto& [t, factor] : expected) {
    while (schedule.time() < t) schedule.step();
    CHECK(schedule.factor() == Approx(factor).margin(5e-7));
  }
  CHECK(WarmupCosine::at(0, {.warmup = 0, .total = 10}) == 1.0);
  CHECK(WarmupCosine::at(99, {.warmup = 5, .total = 62'500}) == Approx(0.99999442).margin(5e-9));
  CHECK_THROWS_AS(WarmupCosine({.warmup = 5, .total = 5}), ValueError);
}

TEST_CASE("steps and a constant") {
  StepDecay schedule({.every = 3, .factor = 0.1});
  std::vector<double> factors;
  for (int t = 0; t < 7; ++t, schedule.step()) factors.push_back(schedule.factor());
  CHECK(factors == std::vector<double>{1, 1, 1, 0.1, 0.1, 0.1, std::pow(0.1, 2)});
  Constant constant;
  constant.step();
  CHECK(constant.factor() == 1.0);
  CHECK_THROWS_AS(StepDecay({.every = 0}), ValueError);
}

TEST_CASE("a plateau") {
  ReduceOnPlateau schedule({.factor = 0.5, .patience = 1, .threshold = 0.1, .minimum = 0.2});
  const auto after = [&](double metric) {
    schedule.step(metric);
    return schedule.factor();
  };
  CHECK(after(std::nan("")) == 1.0);
  CHECK(after(1.0) == 1.0);
  CHECK(after(0.95) == 1.0);  // better, but not by a tenth: first step that waits
  CHECK(after(0.85) == 1.0);  // better by more
  CHECK(after(0.86) == 1.0);
  CHECK(after(std::nan("")) == 0.5);
  CHECK(after(0.9) == 0.5);
  CHECK(after(0.9) == 0.25);
  CHECK(after(0.9) == 0.25);
  CHECK(after(0.9) == 0.2);  // the minimum

  ReduceOnPlateau resumed({.factor = 0.5, .patience = 1, .threshold = 0.1, .minimum = 0.0});
  const auto from = schedule.state();
  const auto to = resumed.state();
  for (std::size_t i = 0; i < from.size(); ++i) to[i].value.copy_from(from[i].value);
  CHECK(resumed.time() == schedule.time());
  CHECK(resumed.factor() == 0.2);
  resumed.step(0.9);
  resumed.step(0.9);
  CHECK(resumed.factor() == 0.1);

  ReduceOnPlateau upward({.patience = 0, .higher_is_better = true});
  upward.step(0.5);
  upward.step(0.6);
  CHECK(upward.factor() == 1.0);
  upward.step(0.6);
  CHECK(upward.factor() == 0.5);
}
