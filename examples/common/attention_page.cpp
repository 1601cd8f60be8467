#include "examples/common/attention_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "nn/report/arc_diagram.hpp"
#include "nn/report/format.hpp"
#include "nn/report/html.hpp"
#include "nn/report/panel_grid.hpp"

namespace atto::examples {
namespace {

// Above this the pairs of a gate at 1/2 of the sigmoid are those above the threshold.
SparseMapOptions options_at(double sharpness, double threshold) {
  SparseMapOptions options{.sharpness = sharpness, .threshold = threshold, .gate = std::nullopt};
  if (threshold > 0) options.gate = sharpness > 0 ? 0.5 : threshold;
  return options;
}

SparseMap sparse_map(const AttentionPicture& picture, const SparseMapOptions& options) {
  const NoGrad no_grad;
  const Model model;
  const SparseMapBuilder builder(model, picture.weights.size(1), options);
  return builder(Var(picture.weights), picture.graph, Ragged::single(picture.graph.num_dst()));
}

// [L,L], row = receiver; NaN where no pair is.
report::HeatMap matrix(const SparseMap& map, std::vector<std::string> labels) {
  const auto count = static_cast<int>(map.graph.num_dst());
  report::HeatMap result{
      .rows = count,
      .columns = count,
      .values = std::vector<double>(static_cast<std::size_t>(count) * static_cast<std::size_t>(count), NAN),
      .row_labels = labels,
      .column_labels = std::move(labels),
      .low = 0,
      .high = 1};
  const Tensor weights = map.weights.value().to(DType::float64);
  const auto src = map.graph.in_src(), dst = map.graph.edge_dst();
  for (std::size_t e = 0; e < src.size(); ++e)
    result
        .values[static_cast<std::size_t>(dst[e]) * static_cast<std::size_t>(count) + static_cast<std::size_t>(src[e])] =
        weights.data<double>()[e];
  return result;
}

report::ArcDiagram arcs(const SparseMap& map, const std::vector<std::string>& labels) {
  report::ArcDiagram result{.labels = labels, .heaviest = 1};
  const Tensor weights = map.weights.value().to(DType::float64);
  const auto src = map.graph.in_src(), dst = map.graph.edge_dst();
  for (std::size_t e = 0; e < src.size(); ++e)
    result.arcs.push_back({.from = src[e], .to = dst[e], .weight = weights.data<double>()[e]});
  return result;
}

std::string curves(const AttentionPicture& picture, const AttentionPage& page) {
  std::vector<double> at = page.thresholds;
  const double last = std::max(0.5, *std::max_element(at.begin(), at.end()));
  for (int i = 0; i <= 50; ++i) at.push_back(last * i / 50);
  std::sort(at.begin(), at.end());
  report::Series edges, degree, kept;
  for (const ThresholdedMap& one : thresholded_maps(picture, page.sharpness, at)) {
    edges.x.push_back(one.threshold), edges.y.push_back(static_cast<double>(one.map.graph.num_edges()));
    degree.x.push_back(one.threshold), degree.y.push_back(one.mean_degree);
    kept.x.push_back(one.threshold), kept.y.push_back(one.kept);
  }
  const auto plot = [](const char* title, report::Series series) {
    return report::LinePlot{.title = title, .y = {.low = 0}, .series = {std::move(series)}};
  };
  return report::to_svg(report::PanelGrid{
      .title = "What a threshold leaves",
      .x_title = "threshold on the combined weight",
      .panels = {plot("edges", edges), plot("edges per token", degree), plot("share of the weight", kept)},
      .columns = 3,
      .share_axes = false,
      .panel_height = 160});
}

}  // namespace

std::vector<ThresholdedMap> thresholded_maps(const AttentionPicture& picture, double sharpness,
                                             const std::vector<double>& thresholds) {
  const SparseMap all = sparse_map(picture, options_at(0, 0));
  const Tensor combined = all.weights.value().to(DType::float64);
  const auto total = [&](double threshold) {
    double sum = 0;
    for (std::int64_t e = 0; e < combined.numel(); ++e)
      if (threshold == 0 || combined.data<double>()[e] > threshold) sum += combined.data<double>()[e];
    return sum;
  };
  std::vector<ThresholdedMap> result;
  for (const double threshold : thresholds) {
    if (!(threshold >= 0 && threshold < 1))
      throw ValueError({.op = "attention graph",
                        .argument = "thresholds",
                        .got = fmt::format("{}", threshold),
                        .expected = "0 <= threshold < 1",
                        .hint = {}});
    ThresholdedMap one{.threshold = threshold, .map = sparse_map(picture, options_at(sharpness, threshold))};
    one.mean_degree =
        static_cast<double>(one.map.graph.num_edges()) / std::max(1.0, static_cast<double>(picture.graph.num_dst()));
    one.kept = total(0) > 0 ? total(threshold) / total(0) : 0;
    result.push_back(std::move(one));
  }
  return result;
}

std::string attention_page(const AttentionPicture& picture, const AttentionPage& page) {
  const std::vector<ThresholdedMap> maps = thresholded_maps(picture, page.sharpness, page.thresholds);
  report::HtmlPage html(page.title);
  for (const std::string& remark : page.remarks) html.paragraph(remark);

  report::HeatMap whole = matrix(sparse_map(picture, options_at(0, 0)), picture.labels);
  whole.title = "Attention map";
  whole.subtitle = "of several heads the sum, cut at 1";
  whole.x_title = "token that is read", whole.y_title = "token that reads";
  whole.width = 720;
  html.heading("The map").svg(report::to_svg(whole));

  report::Table table({{"threshold", report::Align::right},
                       {"edges", report::Align::right},
                       {"edges per token", report::Align::right},
                       {"share of the weight", report::Align::right}});
  for (const ThresholdedMap& one : maps)
    table.row({report::number(one.threshold), std::to_string(one.map.graph.num_edges()),
               report::fixed(one.mean_degree, 2), report::fixed(one.kept, 3)});
  html.heading("From the map to a graph").table(table).svg(curves(picture, page));

  report::PanelGrid grid{.title = "The sparse map at several thresholds",
                         .subtitle = "grey: no edge",
                         .x_title = "token that is read",
                         .y_title = "token that reads"};
  for (const ThresholdedMap& one : maps) {
    report::HeatMap panel = matrix(one.map, {});
    panel.title = fmt::format("above {}", report::number(one.threshold));
    grid.panels.emplace_back(std::move(panel));
  }
  html.svg(report::to_svg(grid));

  html.heading("The graph");
  for (const ThresholdedMap& one : maps) {
    report::ArcDiagram diagram = arcs(one.map, picture.labels);
    diagram.title = fmt::format("Pairs above {}", report::number(one.threshold));
    diagram.subtitle = fmt::format("{} edges; an arc: the right token reads the left one; a dot: a token reads itself",
                                   one.map.graph.num_edges());
    html.svg(report::to_svg(diagram));
  }
  return html.str();
}

}  // namespace atto::examples
