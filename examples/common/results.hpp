#pragma once
// What a finished run leaves behind: summary, plots, a page, and the table on screen.

#include <cstdint>
#include <string>
#include <vector>

#include "examples/common/settings.hpp"
#include "nn/gradformer/model.hpp"
#include "nn/train/metrics_log.hpp"
#include "nn/train/objective.hpp"
#include "nn/train/run_folder.hpp"

namespace atto::examples {

/// Writes summary.json, the plots and report.html into the folder of a run with these epochs; returns the table of
/// results as text. In each fold the first epoch with the best validation metric counts; several folds give mean and
/// deviation of a sample. `diameter` is the largest hop distance that the decay curves need to show.
std::string write_results(const RunFolder& folder, const std::string& title, const Settings& settings,
                          const Objective& objective, const std::vector<MetricsRow>& rows, const GraphModel& model,
                          std::int64_t parameters, int diameter);

}  // namespace atto::examples
