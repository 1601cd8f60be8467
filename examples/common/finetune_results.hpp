#pragma once
// What adapters of a frozen model gave, side by side: tables, the answer, files, plots and a page.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "examples/common/finetune.hpp"
#include "examples/common/language_study.hpp"
#include "nn/report/table.hpp"
#include "nn/train/run_folder.hpp"

namespace atto::examples {

/// What one run gave. Losses in nats per token of the validation part, each token counted once.
struct FinetuneOutcome {
  Method method = Method::frozen;
  std::uint64_t seed = 0;
  std::int64_t parameters = 0;            ///< trained ones
  std::vector<double> valid = {};         ///< loss before the first step, and after each epoch
  std::vector<double> train = {};         ///< mean loss over the steps of each epoch
  std::vector<double> scales_begin = {};  ///< lambda of every layer; empty but for Sparse-GIN
  std::vector<double> scales = {};        ///< of the best epoch
  std::optional<Agreement> agreement = {};
  double seconds = 0;  ///< per epoch

  double best() const;
};

/// Asks a model after its training, whose best state it must be in.
FinetuneOutcome finetune_outcome(AdaptedModel& adapted, Method method, std::uint64_t seed, const LanguageText& text,
                                 double valid_before, const std::vector<MetricsRow>& rows);

/// A row for each method with mean ± deviation over its seeds.
report::Table finetune_table(const std::vector<FinetuneOutcome>& outcomes, const LanguageText& text);

/// Where the gain comes from, in one sentence per question, from differences of loss between runs of the same seed:
/// whether the graph of the intended direction helps beyond the literal one, which has none, and how both stand to
/// LoRA. A difference counts where its mean is more than two standard errors from 0. Empty where the methods were not
/// run.
std::vector<std::string> finetune_answers(const std::vector<FinetuneOutcome>& outcomes);

/// Writes results.csv (a row for each run), summary.json, plots/perplexity.svg and scales.svg, and report.html.
void write_finetune_results(const RunFolder& folder, const std::string& title, const std::vector<std::string>& remarks,
                            const std::string& settings, const std::vector<FinetuneOutcome>& outcomes,
                            const LanguageText& text);

}  // namespace atto::examples
