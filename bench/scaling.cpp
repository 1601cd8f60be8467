// Time and memory of a training step of Gradformer against depth and size of graphs, with and without recomputation.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <numeric>
#include <string>
#include <vector>

#include "core/allocator.hpp"
#include "core/file.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "core/trace_file.hpp"
#include "graph/generators.hpp"
#include "nn/gradformer/data.hpp"
#include "nn/gradformer/model.hpp"
#include "nn/optim/optimiser.hpp"
#include "nn/report/format.hpp"
#include "nn/report/plot.hpp"
#include "nn/report/table.hpp"
#include "ops/loss/loss.hpp"

namespace {

using namespace atto;

struct Point {
  std::int64_t layers, nodes;
  bool recompute;
  double milliseconds;  // the median step
  double bytes;         // the peak of a step
};

// Random regular graphs of degree 4 with random features, about `total` nodes in all.
PreparedData graphs_of(std::int64_t nodes, std::int64_t total) {
  Generator random(1);
  Dataset dataset;
  dataset.num_outputs = 2;
  dataset.node_features = {.kind = Features::Kind::real, .width = 8};
  for (std::int64_t g = 0; g < std::max<std::int64_t>(1, total / nodes); ++g) {
    Tensor x = Tensor::empty(Shape{nodes, 8});
    for (float& value : x.values<float>()) value = static_cast<float>(random.uniform(-1, 1));
    dataset.samples.push_back({.graph = generate::random_regular(random, nodes, 4),
                               .x = x,
                               .edge_attr = {},
                               .y = Tensor::from(std::vector<std::int64_t>{g % 2})});
  }
  return PreparedData(std::move(dataset), {.encoding = Encoding::none, .encoding_width = 1, .hops = true});
}

Point measure(const PreparedData& data, std::int64_t nodes, std::int64_t layers, bool recompute, int steps) {
  GraphModelOptions options;
  options.layers = layers;
  options.node_features = data.dataset().node_features;
  options.recompute = recompute;
  const Model root({.seed = 1});
  const GraphModel model(root, options);
  Adam optimiser(root, {.learning_rate = 1e-3});
  std::vector<std::int64_t> all(static_cast<std::size_t>(data.size()));
  std::iota(all.begin(), all.end(), 0);
  allocator::trim();
  allocator::reset_peak();
  std::vector<double> times;
  for (int step = 0; step <= steps; ++step) {
    const auto start = std::chrono::steady_clock::now();
    const Batch batch = data.batch(all);
    root.zero_grad();
    cross_entropy(model(batch), batch.y).backward();
    optimiser.step();
    if (step > 0)
      times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return {layers, nodes, recompute, times[times.size() / 2], static_cast<double>(allocator::statistics().peak)};
}

// One curve with and one without recomputation over `x`.
std::string plot(const std::vector<Point>& points, const char* title, const char* axis, bool time,
                 std::int64_t Point::*x) {
  report::LinePlot plot{
      .title = title,
      .x = {.title = axis, .scale = report::Scale::log},
      .y = {.title = time ? "ms per step" : "MiB at the peak of a step", .scale = report::Scale::log}};
  for (const bool recompute : {false, true}) {
    report::Series series{.name = recompute ? "layers recomputed" : "everything kept", .markers = true};
    for (const Point& point : points)
      if (point.recompute == recompute) {
        series.x.push_back(static_cast<double>(point.*x));
        series.y.push_back(time ? point.milliseconds : point.bytes / (1 << 20));
      }
    plot.series.push_back(series);
  }
  return report::to_svg(plot);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Time and memory of a training step of Gradformer (64 channels, 4 heads) against depth and size of graphs.");
  std::vector<std::int64_t> depths{4, 12, 24, 48}, sizes{32, 128, 512, 2048, 4096};
  std::int64_t total = 4096;
  int steps = 5, thread_count = 0;
  std::string out = "results/scaling", trace_file;
  app.add_option("--layers", depths, "Depths, at graphs of 128 nodes")->capture_default_str();
  app.add_option("--nodes", sizes, "Sizes of graphs, at 4 layers")->capture_default_str();
  app.add_option("--total", total, "Nodes of a batch")->capture_default_str();
  app.add_option("--steps", steps, "Steps to time, after one that is not")->capture_default_str();
  app.add_option("--threads", thread_count, "Threads (default: all)");
  app.add_option("--out", out, "Folder for the table and the plots")->capture_default_str();
  app.add_option("--trace", trace_file, "Write where the time went to this file and print a table");
  CLI11_PARSE(app, argc, argv);
  if (thread_count > 0) set_threads(thread_count);

  TraceFile trace(trace_file);
  std::vector<Point> by_depth, by_size;
  const auto run = [&](std::vector<Point>& points, const PreparedData& data, std::int64_t nodes, std::int64_t layers) {
    for (const bool recompute : {false, true}) {
      points.push_back(measure(data, nodes, layers, recompute, steps));
      fmt::print(stderr, "{} layers, graphs of {} nodes{}: {:.4g} ms, {}\n", layers, nodes,
                 recompute ? ", recomputed" : "", points.back().milliseconds, report::human_bytes(points.back().bytes));
    }
  };
  const PreparedData middle = graphs_of(128, total);
  for (const std::int64_t layers : depths) run(by_depth, middle, 128, layers);
  for (const std::int64_t nodes : sizes) run(by_size, graphs_of(nodes, total), nodes, 4);

  report::Table table({{"layers", report::Align::right},
                       {"nodes of a graph", report::Align::right},
                       {"layers recomputed"},
                       {"ms per step", report::Align::right},
                       {"peak MiB", report::Align::right}});
  for (const std::vector<Point>* points : {&by_depth, &by_size})
    for (const Point& p : *points)
      table.row({std::to_string(p.layers), std::to_string(p.nodes), p.recompute ? "yes" : "no",
                 fmt::format("{:.1f}", p.milliseconds), fmt::format("{:.1f}", p.bytes / (1 << 20))});
  std::filesystem::create_directories(out);
  const std::filesystem::path folder(out);
  write_atomically(folder / "scaling.csv", table.csv());
  write_atomically(folder / "time_by_depth.svg", plot(by_depth, "Time by depth", "layers", true, &Point::layers));
  write_atomically(folder / "memory_by_depth.svg", plot(by_depth, "Memory by depth", "layers", false, &Point::layers));
  write_atomically(folder / "time_by_size.svg",
                   plot(by_size, "Time by size of graphs", "nodes of a graph", true, &Point::nodes));
  write_atomically(folder / "memory_by_size.svg",
                   plot(by_size, "Memory by size of graphs", "nodes of a graph", false, &Point::nodes));
  fmt::print("{} threads, {}, batches of {} nodes\n\n{}\nPlots are in {}\n", threads(), name_of(isa()), total,
             table.text(), out);
  if (!trace_file.empty()) fmt::print("\n{}", trace.finish());
}
