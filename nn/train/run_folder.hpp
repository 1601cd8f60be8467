#pragma once

#include <filesystem>
#include <utility>

namespace atto {

/// The folder that a training run writes into, and the names of what lies in it.
///
/// A file `.attograd` marks a run folder, so that a mistyped path never overwrites files of someone else.
class RunFolder {
 public:
  /// A folder for a new run: created with its parents, or an empty one, or that of an earlier run, whose files (those
  /// named below and plots/*.svg, nothing else) are then removed so that no plot or checkpoint of another run stays
  /// among the new ones. Throws FileError where the folder cannot be made or written to, is a file, or holds other
  /// things.
  static RunFolder create(const std::filesystem::path& path);

  /// The folder of a run that goes on; nothing in it is touched, but for unfinished copies of files that a killed run
  /// left. Throws FileError where it does not exist, cannot be written to, or holds no checkpoint.
  static RunFolder resume(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path metrics_csv() const { return path_ / "metrics.csv"; }
  std::filesystem::path metrics_jsonl() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path config() const { return path_ / "config.json"; }
  std::filesystem::path summary() const { return path_ / "summary.json"; }
  /// The weights of the best epoch, for use after training.
  std::filesystem::path model() const { return path_ / "model.safetensors"; }
  /// Everything that a resumed run needs.
  std::filesystem::path checkpoint() const { return path_ / "checkpoint.safetensors"; }
  std::filesystem::path report() const { return path_ / "report.html"; }
  /// loss.svg, metric.svg, decay.svg and whatever else a run draws.
  std::filesystem::path plots() const { return path_ / "plots"; }

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace atto
