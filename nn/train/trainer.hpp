#pragma once
// Trains one model on one split: steps, epochs, evaluation, the best state, and everything needed to go on after an
// interruption.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "nn/checkpoint.hpp"
#include "nn/gradformer/task.hpp"
#include "nn/optim/optimiser.hpp"
#include "nn/optim/schedule.hpp"
#include "nn/snapshot.hpp"
#include "nn/train/metrics_log.hpp"
#include "nn/train/objective.hpp"
#include "nn/train/task.hpp"

namespace atto {

struct TrainerOptions {
  int epochs = 100;
  std::int64_t batch = 128;
  /// Parts that a batch is cut into, one after the other through the model, their gradients added up: the memory of a
  /// part, and the step of the whole batch, each target counted once. What is not a mean over all targets sees the parts:
  /// batch norm, losses with weights by class or with targets left out.
  std::int64_t accumulate = 1;
  double learning_rate = 1e-3;
  double weight_decay = 1e-5;
  bool decoupled = false;                   ///< AdamW instead of Adam with L2
  int warmup = 0;                           ///< epochs of linear warm-up
  bool cosine = false;                      ///< after it, cosine to 0 at the last epoch; otherwise constant
  std::vector<ParameterGroup> groups = {};  ///< parameters with a weight decay or learning rate of their own
  double clip = 0;                          ///< largest norm of all gradients together; 0 = no limit
  std::uint64_t seed = 1;                   ///< of the order of samples
  int fold = 0;  ///< which of several runs this is; part of the seed and of a checkpoint's position
};

/// Loss and metric over some samples, each sample (node, for node tasks) counted once.
struct Evaluation {
  double loss = MetricsRow::none;
  double metric = MetricsRow::none;
};

/// One training run:
///
///     while (!trainer.done()) {
///       while (!trainer.epoch_over()) trainer.step();
///       log.append(trainer.finish_epoch());
///     }
///     trainer.restore_best();
///
/// A run is a function of its options alone: the same bits for any number of threads, and with any interruptions
/// between save() and load(). The model, the data and the split must outlive it.
class Trainer {
 public:
  Trainer(const Model& root, std::shared_ptr<const TrainingTask> task, const Split& split, const Objective& objective,
          const TrainerOptions& options);
  Trainer(const Model& root, const GraphModel& model, const PreparedData& data, const Split& split,
          const Objective& objective, const TrainerOptions& options)
      : Trainer(root, std::make_shared<GraphTask>(model, data), split, objective, options) {}

  bool done() const { return position_.epoch >= options_.epochs; }
  bool epoch_over() const { return position_.batch >= batches(); }
  /// Steps per epoch.
  std::int64_t batches() const;
  /// Where the run stands: epochs done, and steps done in the present one.
  const Position& position() const { return position_; }

  /// One optimiser step on the next batch; returns the mean training loss of the epoch so far. NumericError when the
  /// loss or the gradient is not finite; the parameters are then untouched.
  double step();
  /// After the last step of an epoch: evaluates, remembers the state if it is the best on the validation part (the
  /// first of equals), and moves the schedule on.
  MetricsRow finish_epoch();
  /// Puts the best state into the model; does nothing when there is none (no epoch done, no validation part).
  void restore_best();

  Evaluation evaluate(std::span<const std::int64_t> chosen) const;
  /// The model's outputs for the chosen samples in evaluation mode, rows below each other.
  Tensor outputs(std::span<const std::int64_t> chosen) const;

  void save(const std::filesystem::path& path, const Metadata& metadata = {}) const;
  /// Goes on where save() was called. FileError when the file does not belong to such a run; then nothing has changed.
  void load(const std::filesystem::path& path);

 private:
  void begin_epoch();
  void shuffle();
  std::span<const std::int64_t> batch_of_epoch(std::int64_t batch) const;
  RunState state() const;
  double train_metric() const;
  std::int64_t count_targets(std::span<const std::int64_t> chosen) const;
  std::size_t evaluation_batch() const;
  bool keeps_outputs() const { return !objective_.metric()->from_loss(0).has_value(); }

  const Model& root_;
  std::shared_ptr<const TrainingTask> task_;
  const Split& split_;
  Objective objective_;
  TrainerOptions options_;
  std::unique_ptr<Optimiser> optimiser_;
  std::unique_ptr<Schedule> schedule_;
  BestSnapshot best_;

  Position position_;
  std::vector<std::int64_t> order_;  // of the training samples in this epoch
  double seconds_ = 0;               // of this epoch's steps
  Tensor sums_;                      // float64 [2]: loss times targets, targets, of this epoch
  Tensor
      outputs_;  // of the training samples in this epoch, in the order of the steps; no rows where the loss tells all
};

}  // namespace atto
