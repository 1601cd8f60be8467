#include "core/file.hpp"
#include "nn/train/metrics_log.hpp"
#include "tests/fuzz/target.hpp"

namespace atto::fuzz {
namespace {

std::string lines_of(const std::vector<MetricsRow>& rows) {
  std::string lines(metrics_header);
  lines += '\n';
  for (const MetricsRow& row : rows) lines += csv_line(row) + "\n";
  return lines;
}

// What is read is written as the same rows. A log that resumes keeps what it should, or leaves the file as it was.
bool run(std::string_view input) {
  static Folder& folder = *new Folder;
  const auto path = folder / "metrics.csv", json = folder / "metrics.jsonl", copy = folder / "copy.csv";
  write(path, input);
  std::vector<MetricsRow> rows;
  const bool accepted = accepts([&] { rows = read_metrics(path); });
  if (accepted) {
    write(copy, lines_of(rows));
    require(lines_of(read_metrics(copy)) == lines_of(rows), "rows changed on their way");
  }
  const MetricsLog::Position last{.fold = 0, .epoch = 2};
  std::vector<MetricsRow> kept;
  if (accepts([&] { kept = MetricsLog(path, json, last).rows(); })) {
    require(read_file(path) == lines_of(kept), "a resumed log does not hold its rows");
    for (const MetricsRow& row : kept)
      require(std::pair(row.fold, row.epoch) <= std::pair(0, 2), "a row behind the position stayed");
  } else {
    require(!accepted && read_file(path) == input, "a refused log was touched");
  }
  return accepted;
}

std::vector<std::string> seeds() {
  return {lines_of({}), lines_of({{.fold = 0, .epoch = 1, .seconds = 0.5, .train_loss = 1e-9, .train_metric = 1},
                                  {.fold = 0, .epoch = 2, .test_loss = std::numeric_limits<double>::infinity()},
                                  {.fold = 1, .epoch = 1, .valid_loss = -0.1, .test_metric = 123456789.125}})};
}

}  // namespace

const Target detail::kMetrics{.name = "metrics", .folder = false, .run = run, .seeds = seeds};

}  // namespace atto::fuzz
