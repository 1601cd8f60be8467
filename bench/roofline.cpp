// How near the kernels of graph attention come to what this machine can do. Its ceilings are measured at the start; the
// least time of a kernel follows from them:
//
//     T = max(FLOP / F, gathered bytes / R(window) + streamed bytes / B(level of all that is touched))
//
// F: multiply-adds in registers. R: random rows of the same width out of a table of the same size, which lies wherever
// caches put it. B: reads in sequence. Times are those of the trace, so only the operation itself counts.

#include "core/roofline.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "autograd/tape.hpp"
#include "bench/common/made.hpp"
#include "core/parallel.hpp"
#include "graph/distances.hpp"
#include "ops/edge/edge.hpp"
#include "ops/gat/gat.hpp"
#include "ops/hop_decay/hop_decay.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"

namespace {

using namespace atto;
using bench::random_tensor;

constexpr double b = 4, i = 4;  // bytes of a value and of an index
constexpr double kFloor = 0.75, kStretch = 0.9;

// What a kernel must do.
struct Work {
  double flops = 0;
  double gathered = 0;                   // bytes of rows that edges name
  std::int64_t rows = 0, row_width = 0;  // the window that they lie in
  double streamed = 0;                   // bytes that are read or written in sequence
  double touched = 0;                    // different bytes
};

struct Case {
  std::string name, title;
  std::string op;  // whose events count; empty: all of the direction
  bool backward;
  Work work;
  std::function<Var()> forward;
};

class Ceilings {
 public:
  explicit Ceilings(double seconds) : seconds_(seconds), roofline_(measure_roofline()) {}
  const Roofline& roofline() const { return roofline_; }
  double gather(std::int64_t rows, std::int64_t width) {
    double& rate = gather_[{rows, width}];
    if (rate == 0) rate = measure_gather(rows, width, seconds_);
    return rate;
  }
  double memory_time(const Work& w) {
    const double gathers = w.gathered > 0 ? w.gathered / gather(w.rows, w.row_width) : 0;
    return gathers + w.streamed / roofline_.level(w.touched).bandwidth;
  }
  double least_time(const Work& w) { return std::max(w.flops / roofline_.flops, memory_time(w)); }
  bool bound_by_arithmetic(const Work& w) { return w.flops / roofline_.flops > memory_time(w); }

 private:
  double seconds_;
  Roofline roofline_;
  std::map<std::pair<std::int64_t, std::int64_t>, double> gather_;
};

struct Times {
  double median, minimum;  // seconds
};

Times measure(const Case& c, double seconds) {
  const Tensor seed = random_tensor(c.forward().shape(), 9);
  std::vector<double> times;
  double spent = 0;
  for (int round = 0; round < 3 || (spent < seconds && round < 5000); ++round) {
    trace::start();
    if (c.backward) {
      backward(c.forward(), seed);
    } else {
      const NoGrad no_grad;
      c.forward();
    }
    trace::stop();
    double time = 0;
    for (const trace::Event& event : trace::events()) {
      spent += static_cast<double>(event.duration_ns) * 1e-9;
      if (event.backward == c.backward && (c.op.empty() || event.name == c.op))
        time += static_cast<double>(event.duration_ns) * 1e-9;
    }
    times.push_back(time);
  }
  std::sort(times.begin(), times.end());
  return {.median = times[times.size() / 2], .minimum = times.front()};
}

// ---- The kernels, and what they must do by their formulas
// --------------------------------------------------------------

struct GraphSize {
  std::string name, title;
  std::int64_t nodes, edges;
};

Var leaf(const Shape& shape, std::uint64_t seed) {
  return Var::leaf(random_tensor(shape, seed));
}

void add_products(std::vector<Case>& cases, const GraphSize& size, std::int64_t width) {
  const Graph g = bench::random_graph(size.nodes, size.edges, false).coalesced().graph;
  const double e = static_cast<double>(g.num_edges()), n = static_cast<double>(size.nodes),
               d = static_cast<double>(width);
  const Work work{.flops = 2 * e * d,
                  .gathered = e * d * b,
                  .rows = size.nodes,
                  .row_width = width,
                  .streamed = e * (i + b) + n * d * b,
                  .touched = 2 * n * d * b + e * (i + b)};
  const Var x = leaf({size.nodes, width}, 1), y = leaf({size.nodes, width}, 2), w = leaf({g.num_edges()}, 3);
  cases.push_back({fmt::format("spmm-{}-{}", size.name, width), fmt::format("SpMM, {}, D {}", size.title, width),
                   "spmm", false, work, [=] { return spmm(g, w, x); }});
  cases.push_back({fmt::format("sddmm-{}-{}", size.name, width), fmt::format("SDDMM, {}, D {}", size.title, width),
                   "edge_dot", false, work, [=] { return edge_dot(g, x, y); }});
}

void add_edge_attention(std::vector<Case>& cases, const GraphSize& size, std::int64_t heads, std::int64_t depth) {
  const Graph g = bench::random_graph(size.nodes, size.edges, true);
  const double e = static_cast<double>(g.num_edges()), n = static_cast<double>(size.nodes),
               h = static_cast<double>(heads), d = static_cast<double>(heads * depth);
  const Shape wide{size.nodes, heads, depth};
  const Var x = leaf(wide, 1), y = leaf(wide, 2), z = leaf(wide, 3), src = leaf({size.nodes, heads}, 4),
            dst = leaf({size.nodes, heads}, 5);
  const auto add = [&](const std::string& name, const std::string& title, const std::string& op, const Work& forward,
                       const Work& backward, const std::function<Var()>& call) {
    cases.push_back({name + "-forward", title + ", forward", op, false, forward, call});
    cases.push_back({name + "-backward", title + ", backward", op, true, backward, call});
  };
  Work forward{.flops = 2 * e * d + 15 * e * h,
               .gathered = e * (d + h) * b,
               .rows = size.nodes,
               .row_width = heads * depth,
               .streamed = e * i + n * (d + h) * b,
               .touched = 2 * n * (d + h) * b + e * i};
  // Logits and weights of all edges go from the pass by destination to the one by source.
  Work backward{.flops = 4 * e * d + 30 * e * h,
                .gathered = 2 * e * (d + h) * b,
                .rows = size.nodes,
                .row_width = heads * depth,
                .streamed = 2 * e * i + 4 * e * h * b + 2 * n * d * b + 3 * n * h * b,
                .touched = 3 * n * (d + h) * b + 2 * e * (i + h * b)};
  add("gat-" + size.name, "GAT, " + size.title, "gat", forward, backward, [=] { return gat(g, x, src, dst); });
  // Not fused here: the model is that of one pass, keys and values side by side.
  forward = {.flops = 4 * e * d + 15 * e * h,
             .gathered = 2 * e * d * b,
             .rows = 2 * size.nodes,
             .row_width = heads * depth,
             .streamed = e * i + 2 * n * d * b + n * h * b,
             .touched = 4 * n * d * b + e * i};
  backward = {.flops = 12 * e * d + 30 * e * h,
              .gathered = 4 * e * d * b,
              .rows = 2 * size.nodes,
              .row_width = heads * depth,
              .streamed = 2 * e * h * b + 2 * e * i + 6 * n * d * b,
              .touched = 8 * n * d * b + 4 * e * h * b};
  add("edges-" + size.name, "dot attention on edges (composed), " + size.title, "", forward, backward,
      [=] { return spmm(g, edge_softmax(g, edge_dot(g, x, y)), z); });
}

void add_dense_attention(std::vector<Case>& cases, std::int64_t graphs, std::int64_t nodes, std::int64_t heads,
                         std::int64_t depth) {
  Generator generator(7);
  std::vector<Graph> made;
  for (std::int64_t g = 0; g < graphs; ++g) made.push_back(bench::molecule(nodes, generator));
  const Ragged ragged = Ragged::from_sizes(std::vector<std::int64_t>(static_cast<std::size_t>(graphs), nodes));
  const BucketPlane plane = hop_distances(made);
  const Shape shape{ragged.total(), heads, depth};
  const Var q = leaf(shape, 1), k = leaf(shape, 2), v = leaf(shape, 3), hop = Var::leaf(Tensor::full({heads}, 1.5));
  const double pairs = static_cast<double>(plane.values.numel()), h = static_cast<double>(heads),
               d = static_cast<double>(depth), values = static_cast<double>(shape.numel());
  const auto work = [&](double flops, double tensors) {
    const double bytes = tensors * values * b + pairs;
    return Work{.flops = h * pairs * flops, .streamed = bytes, .touched = bytes};
  };
  const std::function<Var()> call = [=] {
    return ragged_attention(q, k, v, ragged, ragged, plane, {.multiply = hop_decay(hop, {.gamma = 0.6})});
  };
  const std::string name = fmt::format("attention-{}", nodes);
  const std::string title = fmt::format("attention, {} graphs of {}, H {}, D {}", graphs, nodes, heads, depth);
  cases.push_back({name + "-forward", title + ", forward", "ragged_attention", false, work(4 * d + 20, 4), call});
  cases.push_back({name + "-backward", title + ", backward", "ragged_attention", true, work(10 * d + 30, 9), call});
}

std::vector<Case> all_cases(bool quick) {
  const std::int64_t divisor = quick ? 100 : 1;
  const GraphSize small{"12k", "N 12.5k, E 40.5k", 12500 / divisor, 40500 / divisor},
      large{"100k", "N 100k, E 1M", 100000 / divisor, 1000000 / divisor};
  std::vector<Case> cases;
  for (const std::int64_t width : {64, 128, 256}) add_products(cases, small, width);
  add_products(cases, large, 64);
  add_edge_attention(cases, small, 8, 8);
  add_edge_attention(cases, large, 4, 16);
  add_dense_attention(cases, quick ? 2 : 128, 25, 8, 8);
  add_dense_attention(cases, quick ? 2 : 32, 32, 8, 16);
  add_dense_attention(cases, quick ? 1 : 8, 128, 8, 16);
  add_dense_attention(cases, quick ? 1 : 2, 512, 4, 16);
  return cases;
}

std::string time_text(double seconds) {
  return seconds < 1e-3 ? fmt::format("{:.3g} us", seconds * 1e6) : fmt::format("{:.3g} ms", seconds * 1e3);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times the kernels of graph attention and holds them against the roofline of this machine.");
  double seconds = 0.5;
  int thread_count = 0;
  std::string only;
  bool quick = false, json = false;
  app.add_option("--seconds", seconds, "Time to spend on each kernel")->capture_default_str();
  app.add_option("--threads", thread_count, "Threads (default: all)");
  app.add_option("--only", only, "Only kernels whose name contains this");
  app.add_flag("--quick", quick, "Tiny sizes: a smoke test, no measurement");
  app.add_flag("--json", json, "Print one JSON object instead of a table, for bench/compare.py");
  CLI11_PARSE(app, argc, argv);
  if (thread_count > 0) set_threads(thread_count);
  if (quick) seconds = 0;

  std::vector<Case> cases = all_cases(quick);
  std::erase_if(cases, [&](const Case& c) { return c.name.find(only) == std::string::npos; });
  Ceilings ceilings(quick ? 0 : 0.15);
  for (const Case& c : cases) ceilings.least_time(c.work);  // all windows are measured before anything is timed
  nlohmann::json rows = nlohmann::json::array();
  if (!json) {
    fmt::print(
        "{}\n\n| workload | ours | minimum | model | bound by | share | floor / stretch | verdict |\n"
        "|---|---|---|---|---|---|---|---|\n",
        ceilings.roofline().describe());
  }
  for (const Case& c : cases) {
    const Times times = measure(c, seconds);
    const double model = ceilings.least_time(c.work), share = model / times.median;
    const std::string bound = ceilings.bound_by_arithmetic(c.work) ? "arithmetic"
                              : c.work.gathered > 0                ? fmt::format("memory, gathers {:.0f} GB/s",
                                                                                 ceilings.gather(c.work.rows, c.work.row_width) * 1e-9)
                                                                   : "memory";
    rows.push_back({{"name", c.name},
                    {"median_ms", times.median * 1e3},
                    {"minimum_ms", times.minimum * 1e3},
                    {"model_ms", model * 1e3},
                    {"bound", bound}});
    if (!json)
      fmt::print("| {} | {} | {} | {} | {} | {:.0f} % | {:.0f} % / {:.0f} % | {} |\n", c.title, time_text(times.median),
                 time_text(times.minimum), time_text(model), bound, 100 * share, 100 * kFloor, 100 * kStretch,
                 quick               ? "smoke only"
                 : share >= kStretch ? "stretch met"
                 : share >= kFloor   ? "floor met"
                                     : "NOT MET");
  }
  if (json) fmt::print("{}\n", nlohmann::json{{"machine", ceilings.roofline().describe()}, {"rows", rows}}.dump());
}
