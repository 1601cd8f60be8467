#pragma once
// A language model on its data, for the training loop, and how well it predicts.

#include <cmath>
#include <cstdint>
#include <span>

#include "nn/language/model.hpp"
#include "nn/language/token_data.hpp"
#include "nn/train/task.hpp"

namespace atto {

/// Next-token prediction; goes with Objective::next_token(). The model and the data must outlive the task.
class LanguageTask final : public TrainingTask {
 public:
  LanguageTask(const LanguageModel& model, const TokenData& data) : model_(model), data_(data) {}
  Result run(std::span<const std::int64_t> chosen, const std::optional<RandomStream>&) const override {
    const TokenBatch batch = data_.batch(chosen);
    return {.outputs = model_(batch.tokens, batch.sequences), .targets = batch.targets};
  }
  std::int64_t target_count(std::int64_t sample) const override { return data_.tokens(sample); }
  Tensor targets(std::int64_t sample) const override { return data_.batch(std::span(&sample, 1)).targets; }
  std::int64_t outputs() const override { return model_.options().vocabulary; }

 private:
  const LanguageModel& model_;
  const TokenData& data_;
};

/// How well a model predicts some samples, every token counted once.
struct Prediction {
  double loss = 0;  ///< mean cross-entropy in nats; NaN without tokens
  std::int64_t tokens = 0;
  double perplexity() const { return std::exp(loss); }
};
/// In the model's present mode (eval() switches dropout off) and without gradients, `batch` samples at a time.
Prediction predict(const LanguageModel& model, const TokenData& data, std::span<const std::int64_t> chosen,
                   std::int64_t batch = 8);

}  // namespace atto
