#include "nn/optim/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"

namespace atto {
namespace {

void require(bool good, const char* schedule, const char* argument, double got, const char* expected) {
  if (!good)
    throw ValueError(
        {.op = schedule, .argument = argument, .got = std::to_string(got), .expected = expected, .hint = {}});
}

}  // namespace

Schedule::Schedule() : time_(Tensor::zeros({1}, DType::int64)) {}

void Schedule::step(double metric) {
  ++*time_.data<std::int64_t>();
  observe(metric);
}

std::vector<NamedTensor> Schedule::state() const {
  return {{"time", time_}};
}

WarmupCosine::WarmupCosine(WarmupCosineOptions options) : options_(options) {
  require(options.warmup >= 0, "WarmupCosine", "warmup", static_cast<double>(options.warmup), "at least 0");
  require(options.total > options.warmup, "WarmupCosine", "total", static_cast<double>(options.total),
          "more than warmup");
}

double WarmupCosine::at(std::int64_t t, const WarmupCosineOptions& options) {
  const auto w = static_cast<double>(options.warmup);
  const auto now = static_cast<double>(std::min(t, options.total));
  if (t < options.warmup) return std::max(1e-6, now / w);
  return std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * (now - w) / (static_cast<double>(options.total) - w))));
}

StepDecay::StepDecay(StepDecayOptions options) : options_(options) {
  require(options.every >= 1, "StepDecay", "every", static_cast<double>(options.every), "at least 1");
  require(options.factor > 0 && std::isfinite(options.factor), "StepDecay", "factor", options.factor,
          "a positive number");
}

double StepDecay::factor() const {
  return std::pow(options_.factor, static_cast<double>(time() / options_.every));
}

ReduceOnPlateau::ReduceOnPlateau(ReduceOnPlateauOptions options)
    : options_(options), state_(Tensor::from({1.0, 0.0, 0.0, 0.0}, {4})) {
  require(options.factor > 0 && options.factor < 1, "ReduceOnPlateau", "factor", options.factor, "between 0 and 1");
  require(options.patience >= 0, "ReduceOnPlateau", "patience", static_cast<double>(options.patience), "at least 0");
  require(options.threshold >= 0, "ReduceOnPlateau", "threshold", options.threshold, "at least 0");
  require(options.minimum >= 0 && options.minimum <= 1, "ReduceOnPlateau", "minimum", options.minimum,
          "between 0 and 1");
}

double ReduceOnPlateau::factor() const {
  return state_.values<double>()[0];
}

std::vector<NamedTensor> ReduceOnPlateau::state() const {
  std::vector<NamedTensor> result = Schedule::state();
  result.push_back({"plateau", state_});
  return result;
}

void ReduceOnPlateau::observe(double metric) {
  double& factor = state_.values<double>()[0];
  double& best = state_.values<double>()[1];
  double& waited = state_.values<double>()[2];
  double& started = state_.values<double>()[3];
  const double margin = options_.threshold * std::abs(best);
  const bool better = options_.higher_is_better ? metric > best + margin : metric < best - margin;
  if (std::isfinite(metric) && (started == 0.0 || better)) {
    best = metric;
    waited = 0;
    started = 1;
  } else if (++waited > static_cast<double>(options_.patience)) {
    factor = std::max(options_.minimum, factor * options_.factor);
    waited = 0;
  }
}

}  // namespace atto
