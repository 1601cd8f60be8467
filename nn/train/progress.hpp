#pragma once

#include <cstddef>
#include <cstdio>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "nn/train/metrics_log.hpp"

namespace atto {

struct ProgressOptions {
  int folds = 1;
  int epochs = 1;  ///< of one fold
  std::string metric = "metric";
  std::string run = "fold";  ///< what several runs are called
  /// One line that rewrites itself (true) or one plain line per epoch (false). Not given: true where the output is a
  /// terminal that can move its cursor.
  std::optional<bool> live{};
  int columns = 0;                  ///< width of a live line; 0: that of the terminal, 80 where there is none
  double interval = 0.1;            ///< seconds between two redraws of a live line
  std::function<double()> clock{};  ///< seconds that only grow; not given: the steady clock
};

/// Shows how a training run goes on, on a stream that the caller gives. Nothing here throws: a closed pipe or a full
/// disk under the log must not end a run.
///
///     Progress progress(stderr, {.epochs = 100, .metric = "accuracy"});
///     ... progress.batch(fold, epoch, batch, batches, loss); ... progress.epoch(row);
class Progress {
 public:
  Progress(std::FILE* out, ProgressOptions options);
  Progress(std::ostream& out, ProgressOptions options);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// `batch` of `batches` of this epoch are done, with mean training loss `loss` so far. Plain output shows nothing.
  void batch(int fold, int epoch, int batch, int batches, double loss) noexcept;

  /// An epoch is done. Plain output shows its line.
  void epoch(const MetricsRow& row) noexcept;

  /// A line that stays: the result of a fold, why training stopped early.
  void note(std::string_view line) noexcept;

  /// Ends the live line, so that other output can follow. The destructor does so too.
  void finish() noexcept;

 private:
  void write(std::string_view text);
  void redraw(bool force);
  std::string plain_line(const MetricsRow& row) const;
  std::string live_line(std::size_t columns) const;
  std::string place(int fold, int epoch) const;
  std::string remaining() const;
  void arrived(int fold, int epoch, double part);

  std::FILE* file_ = nullptr;
  std::ostream* stream_ = nullptr;
  ProgressOptions options_;
  bool live_ = false, drawn_ = false;
  double start_ = 0, last_draw_ = 0;
  double first_ = -1, done_ = 0;  ///< epochs, all folds together: before this process began, and now
  int batch_ = 0, batches_ = 0;
  double loss_ = 0;
  MetricsRow row_, last_row_;
};

}  // namespace atto
