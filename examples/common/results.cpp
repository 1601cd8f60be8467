#include "examples/common/results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/file.hpp"
#include "core/parallel.hpp"
#include "examples/common/statistics.hpp"
#include "nn/report/draw_run.hpp"
#include "nn/report/format.hpp"
#include "nn/report/html.hpp"
#include "nn/report/table.hpp"

namespace atto::examples {
namespace {

// The epoch that validation chose in each fold.
struct FoldResult {
  MetricsRow best;
};

std::vector<FoldResult> best_epochs(const std::vector<MetricsRow>& rows, bool higher_is_better) {
  std::map<int, FoldResult> folds;
  for (const MetricsRow& row : rows) {
    const auto [found, fresh] = folds.try_emplace(row.fold, FoldResult{row});
    const double best = found->second.best.valid_metric;
    if (!fresh && (std::isnan(best) || (higher_is_better ? row.valid_metric > best : row.valid_metric < best)))
      found->second.best = row;
  }
  std::vector<FoldResult> results;
  for (const auto& [fold, result] : folds) results.push_back(result);
  return results;
}

struct Results {
  std::vector<FoldResult> folds;
  Statistics train, valid, test, seconds;
  std::int64_t parameters = 0;
};

Results collect(const std::vector<MetricsRow>& rows, const Objective& objective, std::int64_t parameters) {
  Results r{.folds = best_epochs(rows, objective.higher_is_better())};
  r.train = statistics(r.folds, [](const FoldResult& f) { return f.best.train_metric; });
  r.valid = statistics(r.folds, [](const FoldResult& f) { return f.best.valid_metric; });
  r.test = statistics(r.folds, [](const FoldResult& f) { return f.best.test_metric; });
  r.seconds = statistics(rows, [](const MetricsRow& row) { return row.seconds; });
  r.parameters = parameters;
  return r;
}

void write_summary(const RunFolder& folder, const Results& r, const Objective& objective, const GraphModel& model) {
  nlohmann::ordered_json json;
  json["metric"] = objective.metric_name;
  json["folds"] = nlohmann::ordered_json::array();
  for (const FoldResult& fold : r.folds)
    json["folds"].push_back({{"fold", fold.best.fold},
                             {"best_epoch", fold.best.epoch},
                             {"valid_metric", fold.best.valid_metric},
                             {"test_metric", fold.best.test_metric}});
  json["valid"] = to_json(r.valid);
  json["test"] = to_json(r.test);
  json["seconds_per_epoch"] = r.seconds.mean;
  json["peak_memory_bytes"] = peak_memory();
  json["parameters"] = r.parameters;
  json["threads"] = threads();
  if (model.needs_hops()) json["hops"] = model.hops(), json["gammas"] = model.gammas();
  write_atomically(folder.summary(), json.dump(2) + "\n");
}

report::Table result_table(const Results& r, const Objective& objective) {
  const auto value = [&](const Statistics& s) {
    const double factor = objective.higher_is_better() ? 100.0 : 1.0;
    const char* unit = objective.higher_is_better() ? " %" : "";
    if (std::isnan(s.deviation)) return fmt::format("{:.2f}{}", factor * s.mean, unit);
    return fmt::format("{:.2f} ± {:.2f}{}", factor * s.mean, factor * s.deviation, unit);
  };
  report::Table table({{"result"}, {"value", report::Align::right}});
  const std::string metric = objective.metric_name == "mae"              ? "mean absolute error"
                             : objective.metric_name == "class_accuracy" ? "class accuracy"
                                                                         : std::string(objective.metric_name);
  table.row({metric + ", training", value(r.train)});
  table.row({metric + ", validation", value(r.valid)});
  table.row({metric + ", test", value(r.test)});
  if (r.folds.size() == 1) table.row({"best epoch", std::to_string(r.folds[0].best.epoch)});
  else table.row({"folds", std::to_string(r.folds.size())});
  table.row({"seconds per epoch", fmt::format("{:.3g}", r.seconds.mean)});
  table.row({"peak memory", report::human_bytes(static_cast<double>(peak_memory()))});
  table.row({"parameters", report::with_thousands(r.parameters)});
  return table;
}

void write_report(const RunFolder& folder, const std::string& title, const Settings& settings,
                  const report::Table& table, const std::vector<MetricsRow>& rows, const report::RunPlots& plots) {
  report::draw_run(folder.plots(), rows, plots);
  report::HtmlPage page(title);
  page.table(table);
  page.heading("Loss");
  page.svg(report::run_curves(rows, true, plots));
  page.heading("Metric");
  page.svg(report::run_curves(rows, false, plots));
  if (!plots.decay.empty()) {
    page.heading("Decay learned by each head");
    page.svg(report::decay_curves(plots));
  }
  page.heading("Settings");
  page.preformatted(to_json(settings).dump(2));
  write_atomically(folder.report(), page.str());
}

report::RunPlots plots_of(const std::string& title, const Settings& settings, const Objective& objective,
                          const GraphModel& model, int diameter) {
  report::RunPlots plots{.title = title, .metric = std::string(objective.metric_name)};
  const std::vector<double> hops = model.hops(), gammas = model.gammas();
  const auto heads = static_cast<std::size_t>(model.options().heads);
  const int reach = std::max(8, std::min(diameter, 40));
  for (std::size_t head = 0; head < hops.size(); ++head)
    plots.decay.push_back({.title = hops.size() == heads
                                        ? fmt::format("head {}", head + 1)
                                        : fmt::format("layer {} · head {}", head / heads + 1, head % heads + 1),
                           .initial = report::decay_curve(*settings.gamma, *settings.hop, *settings.slope, reach),
                           .learned = report::decay_curve(gammas[head], hops[head], *settings.slope, reach)});
  return plots;
}

}  // namespace

std::string write_results(const RunFolder& folder, const std::string& title, const Settings& settings,
                          const Objective& objective, const std::vector<MetricsRow>& rows, const GraphModel& model,
                          std::int64_t parameters, int diameter) {
  const Results results = collect(rows, objective, parameters);
  const report::Table table = result_table(results, objective);
  write_summary(folder, results, objective, model);
  write_report(folder, title, settings, table, rows, plots_of(title, settings, objective, model, diameter));
  return table.text();
}

}  // namespace atto::examples
