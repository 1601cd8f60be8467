#pragma once
// Graphs and their model, for the training loop.

#include "nn/gradformer/data.hpp"
#include "nn/gradformer/model.hpp"
#include "nn/train/task.hpp"

namespace atto {

/// A graph model on prepared data; both must outlive the task.
class GraphTask final : public TrainingTask {
 public:
  GraphTask(const GraphModel& model, const PreparedData& data) : model_(model), data_(data) {}
  Result run(std::span<const std::int64_t> chosen, const std::optional<RandomStream>& augment) const override {
    const Batch batch = data_.batch(chosen, augment);
    return {.outputs = model_(batch), .targets = batch.y};
  }
  std::int64_t target_count(std::int64_t sample) const override { return targets(sample).size(0); }
  Tensor targets(std::int64_t sample) const override {
    return data_.dataset().samples[static_cast<std::size_t>(sample)].y;
  }
  std::int64_t outputs() const override { return model_.options().outputs; }

 private:
  const GraphModel& model_;
  const PreparedData& data_;
};

}  // namespace atto
