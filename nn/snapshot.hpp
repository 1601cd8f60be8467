#pragma once
// Copies of a model's weights: those of the best epoch, and a moving average.

#include <cstdint>
#include <vector>

#include "nn/module.hpp"

namespace atto {

/// Keeps parameters and buffers of the epoch with the best metric (strictly better: of equals the first).
class BestSnapshot {
 public:
  BestSnapshot(const Model& model, bool higher_is_better);
  BestSnapshot(const BestSnapshot&) = delete;
  BestSnapshot& operator=(const BestSnapshot&) = delete;

  /// Copies the model when the metric is the best so far, and tells whether it did. A NaN is never better.
  bool offer(double metric, std::int64_t epoch);
  /// Whether there is a copy.
  bool taken() const noexcept { return epoch() >= 0; }
  /// Of the copy; 0 and -1 without one.
  double metric() const noexcept;
  std::int64_t epoch() const noexcept;
  /// Puts the copy into the model; StateError when there is none.
  void restore() const;
  /// Forgets the copy (the next fold).
  void reset();

  /// For checkpoints; see RunState::more.
  std::vector<NamedTensor> state() const;

 private:
  Scope keep_alive_;
  const Model& model_;
  bool higher_is_better_;
  std::vector<NamedTensor> copies_;  // of parameters, then buffers
  Tensor metric_, epoch_;
};

/// Exponential moving average of all parameters: average <- decay average + (1 - decay) value after each step,
/// beginning with the values at the time of construction (Polyak and Juditsky 1992, in its exponential form). Buffers
/// are not averaged.
class WeightAverage {
 public:
  /// 0 <= decay < 1
  explicit WeightAverage(const Model& model, double decay = 0.999);
  WeightAverage(const WeightAverage&) = delete;
  WeightAverage& operator=(const WeightAverage&) = delete;

  /// After each optimiser step; StateError while the average is in use.
  void update();

  /// While an object lives the model computes with the averaged weights; afterwards with its own again.
  class Use {
   public:
    explicit Use(WeightAverage& average);
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use();

   private:
    WeightAverage& average_;
  };
  [[nodiscard]] Use use() { return Use(*this); }

  std::vector<NamedTensor> state() const;

 private:
  void swap() noexcept;

  Scope keep_alive_;
  const Model& model_;
  double decay_;
  Tensor average_;
  bool in_use_ = false;
};

}  // namespace atto
