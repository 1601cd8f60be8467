#pragma once
// Schedules: a factor on the learning rate, as a function of time. Time is whatever the caller counts, epochs or
// batches.
//
//     WarmupCosine schedule({.warmup = 5, .total = 100});
//     for (each epoch) { optimiser.set_learning_rate_scale(schedule.factor()); ...; schedule.step(validation_loss); }

#include <cstdint>
#include <vector>

#include "nn/module.hpp"

namespace atto {

class Schedule {
 public:
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;
  virtual ~Schedule() = default;

  /// The factor for the present time.
  virtual double factor() const = 0;
  /// One unit of time has passed, with this value of the watched metric (most schedules watch none).
  void step(double metric = 0.0);
  /// Units of time passed.
  std::int64_t time() const noexcept { return *time_.data<std::int64_t>(); }
  /// Everything that the next factors depend on.
  virtual std::vector<NamedTensor> state() const;

 protected:
  Schedule();
  virtual void observe(double) {}

 private:
  Tensor time_;
};

/// 1 for ever.
class Constant final : public Schedule {
 public:
  double factor() const override { return 1.0; }
};

struct WarmupCosineOptions {
  std::int64_t warmup = 0;   ///< w: linear from nearly 0 to 1
  std::int64_t total = 100;  ///< T: 0 is reached here and kept
};

/// t < w: max(1e-6, t/w); then max(0, (1 + cos(pi (t - w)/(T - w)))/2). T counts the same units as t.
class WarmupCosine final : public Schedule {
 public:
  explicit WarmupCosine(WarmupCosineOptions options);
  double factor() const override { return at(time(), options_); }
  static double at(std::int64_t t, const WarmupCosineOptions& options);

 private:
  WarmupCosineOptions options_;
};

struct StepDecayOptions {
  std::int64_t every = 30;
  double factor = 0.1;
};

/// factor^floor(t / every)
class StepDecay final : public Schedule {
 public:
  explicit StepDecay(StepDecayOptions options);
  double factor() const override;

 private:
  StepDecayOptions options_;
};

struct ReduceOnPlateauOptions {
  double factor = 0.5;
  std::int64_t patience = 10;  ///< steps without improvement that are still tolerated
  double threshold = 1e-4;     ///< an improvement is better by this fraction of the best value's size
  bool higher_is_better = false;
  double minimum = 0.0;  ///< the factor does not fall below
};

/// Multiplies the factor when the metric given to step() has not improved for more than `patience` steps. A NaN is no
/// improvement.
class ReduceOnPlateau final : public Schedule {
 public:
  explicit ReduceOnPlateau(ReduceOnPlateauOptions options = {});
  double factor() const override;
  std::vector<NamedTensor> state() const override;

 private:
  void observe(double metric) override;
  ReduceOnPlateauOptions options_;
  Tensor state_;  // factor, best, steps without improvement, 1 when there is a best
};

}  // namespace atto
