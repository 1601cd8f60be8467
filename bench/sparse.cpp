// Times the sparse operations against plain loops over the same graph: minimum and median of interleaved repetitions.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "autograd/tape.hpp"
#include "bench/common/made.hpp"
#include "bench/common/plain.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "ops/csr_views.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/kernels.hpp"
#include "ops/edge/message.hpp"

namespace {

using namespace atto;
namespace plain = bench::plain;

double milliseconds(const std::function<void()>& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

using Variants = std::vector<std::pair<std::string, std::function<void()>>>;

void compare(const std::string& workload, double seconds, double bytes, const Variants& variants) {
  std::vector<std::vector<double>> times(variants.size());
  double spent = 0;
  for (int round = 0; round < 5 || (spent < seconds * 1000 && round < 5000); ++round)
    for (std::size_t v = 0; v < variants.size(); ++v) {
      times[v].push_back(milliseconds(variants[v].second));
      spent += times[v].back();
    }
  for (std::size_t v = 0; v < variants.size(); ++v) {
    std::sort(times[v].begin(), times[v].end());
    fmt::print("{:44} {:16} {:10.4f} {:10.4f} {:8.1f} {:8.2f}\n", workload, variants[v].first, times[v].front(),
               times[v][times[v].size() / 2], bytes / times[v].front() * 1e-6, times[0].front() / times[v].front());
  }
}

struct Bench {
  Graph g;
  std::int64_t heads, depth;
  double seconds;
  std::string only;
  std::string size_text = fmt::format("N {} E {} H {} D {}", g.num_nodes(), g.num_edges(), heads, depth);
  std::int64_t nodes = g.num_nodes(), edges = g.num_edges(), width = heads * depth;
  Csr in = by_destination(g), out = by_source(g);

  void run(const std::string& name, double values, const Variants& variants) const {
    if (name.find(only) != std::string::npos) compare(name + ", " + size_text, seconds, 4 * values, variants);
  }

  void all() const {
    const double e = static_cast<double>(edges), n = static_cast<double>(nodes), w = static_cast<double>(width),
                 h = static_cast<double>(heads);
    const Var x = Var::leaf(bench::random_tensor({nodes, heads, depth}, 1)),
              k = Var::leaf(bench::random_tensor({nodes, heads, depth}, 2));
    const Var weights = Var::leaf(bench::random_tensor({edges, heads}, 3));
    const Tensor dy = bench::random_tensor({nodes, heads, depth}, 4), de = bench::random_tensor({edges, heads}, 5);
    Tensor y = dy.clone(), edge = de.clone(), edge2 = de.clone();
    const float *xp = x.value().data<float>(), *kp = k.value().data<float>(), *wp = weights.value().data<float>();
    const float *dyp = dy.data<float>(), *dep = de.data<float>();
    float *yp = y.data<float>(), *ep = edge.data<float>(), *e2p = edge2.data<float>();
    const auto clear = [](std::initializer_list<Var> leaves) {
      for (const Var& leaf : leaves) leaf.zero_grad();
    };

    run("spmm", e * (w + h + 1) + n * w,
        {{"plain", [&] { plain::spmm(in, heads, depth, wp, xp, yp); }},
         {"kernel", [&] { kernels::spmm(Cpu{}, in, heads, depth, wp, xp, false, yp); }}});
    run("spmm, both", 3 * e * w + 2 * n * w,
        {{"plain",
          [&] {
            plain::spmm(in, heads, depth, wp, xp, yp);
            plain::spmm(out, heads, depth, wp, dyp, yp);
            plain::edge_dot(in, heads, depth, dyp, xp, ep);
          }},
         {"operation", [&] {
            backward(spmm(g, weights, x), dy);
            clear({weights, x});
          }}});
    run("edge_dot", e * (w + h + 1) + n * w,
        {{"plain", [&] { plain::edge_dot(in, heads, depth, xp, kp, ep); }},
         {"kernel", [&] { kernels::edge_dot(Cpu{}, in, heads, depth, xp, kp, ep); }}});
    run("edge_softmax", 2 * e * h,
        {{"plain", [&] { plain::edge_softmax(in, heads, wp, ep); }},
         {"kernel", [&] { kernels::edge_softmax(Cpu{}, in, heads, wp, ep); }}});
    run("edge_softmax, both", 5 * e * h,
        {{"plain",
          [&] {
            plain::edge_softmax(in, heads, wp, ep);
            plain::edge_softmax_gradient(in, heads, ep, dep, e2p);
          }},
         {"operation", [&] {
            backward(edge_softmax(g, weights), de);
            clear({weights});
          }}});
    if (heads > 1) return;

    const Var flat = Var::leaf(x.value().reshape({nodes, width})),
              gates = Var::leaf(bench::random_tensor({edges, width}, 6, 0.1));
    const Tensor dflat = dy.reshape({nodes, width});
    Tensor sums = dflat.clone(), ds = gates.value().clone(), dx = dflat.clone();
    const float* sp = gates.value().data<float>();
    float *sump = sums.data<float>(), *dsp = ds.data<float>(), *dxp = dx.data<float>();
    run("gated_sum", 2 * e * w + 2 * n * w,
        {{"plain", [&] { plain::gated_sum(in, width, sp, xp, sump, yp); }},
         {"kernel", [&] { kernels::gated_sum(Cpu{}, in, width, sp, xp, 1e-6f, yp, sump); }}});
    run("gated_sum, both", 6 * e * w + 6 * n * w,
        {{"plain",
          [&] {
            plain::gated_sum(in, width, sp, xp, sump, yp);
            plain::gated_sum_gradient(in, out, width, sp, xp, sump, yp, dyp, dsp, dxp);
          }},
         {"operation",
          [&] {
            backward(gated_sum(g, gates, flat), dflat);
            clear({gates, flat});
          }},
         {"reference", [&] {
            backward(gated_sum_reference(g, gates, flat), dflat);
            clear({gates, flat});
          }}});
    run("gine_sum, both", 5 * e * w + 2 * n * w,
        {{"reference",
          [&] {
            backward(gine_sum_reference(g, flat, gates), dflat);
            clear({gates, flat});
          }},
         {"operation", [&] {
            backward(gine_sum(g, flat, gates), dflat);
            clear({gates, flat});
          }}});
  }
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times the sparse operations against plain loops over the same graph.");
  double seconds = 1;
  int thread_count = 0;
  std::string only;
  bool large = false;
  app.add_option("--seconds", seconds, "time to spend on each workload")->capture_default_str();
  app.add_option("--threads", thread_count, "threads (default: all)");
  app.add_option("--only", only, "only workloads whose name contains this");
  app.add_flag("--large", large, "also 100,000 nodes and 1,000,000 edges");
  CLI11_PARSE(app, argc, argv);
  if (thread_count > 0) set_threads(thread_count);
  fmt::print("{} threads, {}\n{:44} {:16} {:>10} {:>10} {:>8} {:>8}\n", threads(), name_of(isa()), "workload",
             "variant", "minimum ms", "median ms", "GB/s", "ratio");
  for (const auto& [nodes, edges] : {std::pair{100, 320}, {12500, 40500}, {100000, 1000000}}) {
    if (nodes > 50000 && !large) continue;
    const Graph g = bench::random_graph(nodes, edges, false);
    for (const auto& [heads, depth] : {std::pair{1, 64}, {8, 8}}) Bench{g, heads, depth, seconds, only}.all();
  }
}
