#pragma once
// What runs of language models gave, side by side: tables, files, plots and a page.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "examples/common/language_study.hpp"
#include "examples/common/statistics.hpp"
#include "nn/report/table.hpp"
#include "nn/train/run_folder.hpp"

namespace atto::examples {

/// What one run gave. Losses in nats per token, each token counted once.
struct LanguageOutcome {
  std::string variant = {};
  std::uint64_t seed = 0;
  std::int64_t parameters = 0;
  std::vector<MetricsRow> rows = {};
  double last_train = 0, last_valid = 0;  ///< after the last epoch, both without dropout
  int best_epoch = 0;
  double best_valid = 0;               ///< of the epoch that validation chose
  std::vector<double> sharpness = {};  ///< of that epoch, layer by layer; empty where none is trained
  std::optional<Agreement> agreement = {};
  std::string sample = {};  ///< continuations of validation texts

  double gap() const { return last_valid - last_train; }
  double seconds() const;  ///< per epoch
};

/// Asks a run that stands after its last epoch; leaves it in the state of the best.
LanguageOutcome outcome_of(LanguageRun& run, const LanguageText& text, const std::string& variant,
                           std::vector<MetricsRow> rows, std::uint64_t seed);

/// A row for each variant with mean ± deviation over its seeds.
report::Table result_table(const std::vector<LanguageOutcome>& outcomes, const LanguageText& text);

/// Writes results.csv (a row for each run), summary.json, plots/train.svg, valid.svg and sharpness.svg, and
/// report.html. `remarks` are paragraphs of the page.
void write_language_results(const RunFolder& folder, const std::string& title, const std::vector<std::string>& remarks,
                            const std::string& settings, const std::vector<LanguageOutcome>& outcomes,
                            const LanguageText& text);

}  // namespace atto::examples
