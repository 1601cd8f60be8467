#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "nn/train/metrics_log.hpp"

namespace atto::report {

/// The decay that one head gives to pairs at hop distance 0, 1, 2, ..., before and after training.
struct HeadDecay {
  std::string title{};  ///< "layer 2 · head 1"
  std::vector<double> initial{}, learned{};
};

/// gamma^phi(d - hop) for d = 0 ... max_distance with phi(t) = t for t > 0 and slope * t otherwise: the decay mask of
/// Gradformer.
std::vector<double> decay_curve(double gamma, double hop, double slope, int max_distance);

/// What the plots of a run say besides the numbers.
struct RunPlots {
  std::string title{};  ///< of the run, under the title of each plot: "Gradformer on MUTAG, seed 1"
  std::string metric = "metric";
  std::vector<HeadDecay> decay{};
};

/// Loss (`loss` true) or metric over the epochs as SVG: a curve each for training, validation and test; of several
/// folds a thin line each and their mean. A loss that spans more than two orders of magnitude gets a log axis.
std::string run_curves(std::span<const MetricsRow> rows, bool loss, const RunPlots& plots);

/// One panel per head as SVG, the initial decay dashed and the learned one solid.
std::string decay_curves(const RunPlots& plots);

/// Writes loss.svg and metric.svg, and decay.svg where there are heads, into `folder`, which is created; returns their
/// paths. Throws FileError where a file cannot be written.
std::vector<std::filesystem::path> draw_run(const std::filesystem::path& folder, std::span<const MetricsRow> rows,
                                            const RunPlots& plots = {});

}  // namespace atto::report
