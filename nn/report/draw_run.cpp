#include "nn/report/draw_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "core/error.hpp"
#include "core/file.hpp"
#include "nn/report/panel_grid.hpp"
#include "nn/report/plot.hpp"

namespace atto::report {
namespace {

namespace fs = std::filesystem;

struct Split {
  const char* name;
  double MetricsRow::*loss;
  double MetricsRow::*metric;
};
constexpr std::array splits{Split{"training", &MetricsRow::train_loss, &MetricsRow::train_metric},
                            Split{"validation", &MetricsRow::valid_loss, &MetricsRow::valid_metric},
                            Split{"test", &MetricsRow::test_loss, &MetricsRow::test_metric}};

bool measured(std::span<const MetricsRow> rows, double MetricsRow::*value) {
  return std::any_of(rows.begin(), rows.end(), [&](const MetricsRow& row) { return !std::isnan(row.*value); });
}

Series curve_of_fold(std::span<const MetricsRow> rows, double MetricsRow::*value, int fold) {
  Series series;
  for (const MetricsRow& row : rows)
    if (row.fold == fold) series.x.push_back(row.epoch), series.y.push_back(row.*value);
  return series;
}

/// Mean over the folds, as far as at least half of them go: the tail of the few longest would look like a trend.
Series mean_curve(std::span<const MetricsRow> rows, double MetricsRow::*value, std::size_t folds) {
  std::map<int, std::pair<double, std::size_t>> sums;
  for (const MetricsRow& row : rows) {
    auto& [sum, count] = sums[row.epoch];
    if (std::isfinite(row.*value)) sum += row.*value, ++count;
  }
  Series series;
  for (const auto& [epoch, total] : sums) {
    series.x.push_back(epoch);
    series.y.push_back(total.second > 0 && 2 * total.second >= folds ? total.first / static_cast<double>(total.second)
                                                                     : NAN);
  }
  return series;
}

bool wants_log(const std::vector<Series>& series) {
  double low = INFINITY, high = 0;
  for (const Series& s : series)
    for (const double y : s.y) {
      if (!std::isfinite(y)) continue;
      if (y <= 0) return false;
      low = std::min(low, y), high = std::max(high, y);
    }
  return high > 100 * low;
}

std::string capitalised(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string joined(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() ? a + b : a + " · " + b;
}

}  // namespace

std::vector<double> decay_curve(double gamma, double hop, double slope, int max_distance) {
  std::vector<double> out;
  for (int d = 0; d <= max_distance; ++d) {
    const double t = d - hop;
    out.push_back(std::pow(gamma, t > 0 ? t : slope * t));
  }
  return out;
}

std::string run_curves(std::span<const MetricsRow> rows, bool loss, const RunPlots& plots) {
  std::set<int> folds;
  for (const MetricsRow& row : rows) folds.insert(row.fold);
  const bool several = folds.size() > 1;

  LinePlot plot{.title = loss ? "Loss" : capitalised(plots.metric),
                .subtitle = joined(plots.title, several ? fmt::format("{} folds and their mean", folds.size()) : ""),
                .x = {.title = "epoch", .whole_numbers = true, .pad = false}};
  // All thin lines lie below all means.
  for (std::size_t i = 0; i < splits.size() && several; ++i)
    for (const int fold : folds) {
      Series thin = curve_of_fold(rows, loss ? splits[i].loss : splits[i].metric, fold);
      thin.colour = static_cast<int>(i), thin.width = 1, thin.opacity = 0.28;
      plot.series.push_back(std::move(thin));
    }
  for (std::size_t i = 0; i < splits.size(); ++i) {
    const auto value = loss ? splits[i].loss : splits[i].metric;
    if (!measured(rows, value)) continue;
    Series series = mean_curve(rows, value, folds.size());
    series.name = splits[i].name, series.colour = static_cast<int>(i);
    plot.series.push_back(std::move(series));
  }
  if (loss && wants_log(plot.series)) plot.y.scale = Scale::log;
  return to_svg(plot);
}

std::string decay_curves(const RunPlots& plots) {
  PanelGrid grid{.title = "Decay by distance",
                 .subtitle = plots.title,
                 .x_title = "hop distance between two nodes",
                 .y_title = "decay factor"};
  for (const HeadDecay& head : plots.decay) {
    LinePlot panel{.title = head.title, .x = {.whole_numbers = true}, .y = {.low = 0.0}};
    panel.series.push_back({.name = "initial", .y = head.initial, .colour = 6, .width = 1.75, .dashed = true});
    panel.series.push_back({.name = "learned", .y = head.learned, .colour = 0, .markers = true});
    grid.panels.push_back(std::move(panel));
  }
  return to_svg(grid);
}

std::vector<fs::path> draw_run(const fs::path& folder, std::span<const MetricsRow> rows, const RunPlots& plots) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) throw FileError(folder.string(), {}, "cannot create the folder: " + code.message());
  std::vector<fs::path> written;
  const auto write = [&](const char* name, const std::string& svg) {
    written.push_back(folder / name);
    write_atomically(written.back(), svg);
  };
  write("loss.svg", run_curves(rows, true, plots));
  write("metric.svg", run_curves(rows, false, plots));
  if (!plots.decay.empty()) write("decay.svg", decay_curves(plots));
  return written;
}

}  // namespace atto::report
