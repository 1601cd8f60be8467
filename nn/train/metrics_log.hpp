#pragma once

#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace atto {

/// What one epoch of one fold gave. NaN stands for "not measured".
struct MetricsRow {
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();

  int fold = 0;   ///< from 0; 0 also where there are no folds
  int epoch = 0;  ///< from 1: the epochs of this fold that are done
  double seconds = none;
  double train_loss = none, train_metric = none;
  double valid_loss = none, valid_metric = none;
  double test_loss = none, test_metric = none;
};

inline constexpr std::string_view metrics_header =
    "fold,epoch,seconds,train_loss,train_metric,valid_loss,valid_metric,test_loss,test_metric";

/// One line of metrics.csv without its end. Numbers are the shortest that read back to the same double, NaN is empty,
/// infinities are inf and -inf.
std::string csv_line(const MetricsRow& row);

/// One line of metrics.jsonl without its end. NaN is null, and so are infinities, which JSON does not have.
std::string json_line(const MetricsRow& row);

/// The rows of a metrics.csv. Throws FileError with the line where the file is not one: another header, a wrong number
/// of fields, a field that is no number, rows that do not ascend in (fold, epoch), a last line that was cut off.
std::vector<MetricsRow> read_metrics(const std::filesystem::path& csv);

/// Writes metrics.csv and metrics.jsonl, one line per epoch, as they happen.
///
/// Each row is one write to each file, so that a reader (and a crash) sees whole lines; where a write fails (disk full)
/// the line is taken back and FileError thrown. Rows survive a crash of the process at once and one of the machine
/// after sync(), which belongs before every checkpoint: a checkpoint must not be ahead of its log.
class MetricsLog {
 public:
  /// The last epoch that a resumed run keeps.
  struct Position {
    int fold = 0;
    int epoch = 0;
  };

  /// Starts empty files, replacing what was there.
  MetricsLog(std::filesystem::path csv, std::filesystem::path jsonl);

  /// Goes on behind `last`: reads the csv, drops the rows after that position, replaces both files atomically (the
  /// jsonl is made from the csv) and appends from there. A csv that does not exist counts as empty. A last line that
  /// was cut off is dropped too, unless it may belong to an epoch that the resumed run has behind it; that, and any
  /// other malformed content, is a FileError, and the files stay as they are.
  MetricsLog(std::filesystem::path csv, std::filesystem::path jsonl, Position last);

  /// Adds a row. Throws StateError where (fold, epoch) does not come after the last row.
  void append(const MetricsRow& row);

  /// Waits until all rows are on the disk.
  void sync();

  const std::vector<MetricsRow>& rows() const { return rows_; }

 private:
  /// A file that only grows, by whole lines.
  class Output {
   public:
    explicit Output(std::filesystem::path path) : path_(std::move(path)) {}
    Output(Output&& other) noexcept
        : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
    Output& operator=(Output&&) = delete;
    ~Output();
    const std::filesystem::path& path() const { return path_; }
    void open();
    void add(const std::string& line);
    void take_back() noexcept;  ///< undoes the last add
    void sync();

   private:
    std::filesystem::path path_;
    int descriptor_ = -1;
    long long size_before_ = -1;
  };
  void replace_files();

  Output csv_, jsonl_;
  std::vector<MetricsRow> rows_;
};

}  // namespace atto
