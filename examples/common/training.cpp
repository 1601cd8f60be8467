#include "examples/common/training.hpp"

#include <chrono>

namespace atto::examples {
namespace {

constexpr double kCheckpointSeconds = 20;  // between two checkpoints: what a crash may cost

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

void train_to_end(Trainer& trainer, const TrainingRecord& record) {
  double last_saved = now();
  const auto checkpoint = [&](bool always) {
    if (!always && now() - last_saved < kCheckpointSeconds) return;
    record.log.sync();  // a checkpoint must not be ahead of its log
    trainer.save(record.folder.checkpoint(), record.metadata);
    last_saved = now();
  };
  checkpoint(true);
  while (!trainer.done()) {
    while (!trainer.epoch_over()) {
      const double loss = trainer.step();
      record.progress.batch(record.shown, static_cast<int>(trainer.position().epoch) + 1,
                            static_cast<int>(trainer.position().batch), static_cast<int>(trainer.batches()), loss);
      if (!trainer.epoch_over()) checkpoint(false);
    }
    MetricsRow row = trainer.finish_epoch();
    row.fold = record.fold;
    record.log.append(row);
    row.fold = record.shown;
    record.progress.epoch(row);
    checkpoint(trainer.done());
  }
}

}  // namespace atto::examples
