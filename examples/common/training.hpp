#pragma once
// The loop around a trainer, with everything that it leaves on the way.

#include "nn/checkpoint.hpp"
#include "nn/train/metrics_log.hpp"
#include "nn/train/progress.hpp"
#include "nn/train/run_folder.hpp"
#include "nn/train/trainer.hpp"

namespace atto::examples {

/// Where a run is recorded.
struct TrainingRecord {
  const RunFolder& folder;
  MetricsLog& log;
  Progress& progress;
  const Metadata& metadata;  ///< of the checkpoints
  int fold = 0;              ///< in the log
  int shown = 0;             ///< the number of the run in the progress
};

/// Trains from where the trainer stands to its end: a row in the log and a line of progress for every epoch, a
/// checkpoint before the first step, every 20 seconds at most, and after the last epoch. The model is then in the state
/// of the last epoch; trainer.restore_best() gives the best.
void train_to_end(Trainer& trainer, const TrainingRecord& record);

}  // namespace atto::examples
