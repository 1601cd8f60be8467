// Times the sparse operations against plain loops over the same graph: minimum and median of interleaved repetitions.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autograd/tape.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "core/simd.hpp"
#include "ops/csr_views.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/kernels.hpp"
#include "ops/edge/message.hpp"

namespace {

using namespace atto;

Tensor random(const Shape& shape, std::uint64_t seed, double low = -1) {
  Generator generator(seed);
  Tensor tensor = Tensor::empty(shape);
  for (float& value : tensor.values<float>()) value = static_cast<float>(generator.uniform(low, 1));
  return tensor;
}

Graph random_graph(std::int64_t nodes, std::int64_t edges) {
  Generator generator(7);
  std::vector<std::int32_t> src, dst;
  for (std::int64_t e = 0; e < edges; ++e) {
    src.push_back(static_cast<std::int32_t>(generator.below(nodes)));
    dst.push_back(static_cast<std::int32_t>(generator.below(nodes)));
  }
  return Graph::from_edges(nodes, src, dst);
}

// ---- Plain loops: one thread, results summed in memory
// -------------------------------------------------------------------

void plain_spmm(const Csr& csr, std::int64_t heads, std::int64_t depth, const float* w, const float* x, float* y) {
  const std::int64_t width = heads * depth;
  std::fill_n(y, csr.rows * width, 0.0f);
  for (std::int64_t r = 0; r < csr.rows; ++r)
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const std::int64_t edge = csr.edge ? csr.edge[t] : t;
      for (std::int64_t h = 0; h < heads; ++h)
        for (std::int64_t d = 0; d < depth; ++d)
          y[r * width + h * depth + d] += w[edge * heads + h] * x[csr.column[t] * width + h * depth + d];
    }
}

void plain_dot(const Csr& csr, std::int64_t heads, std::int64_t depth, const float* q, const float* k, float* e) {
  const std::int64_t width = heads * depth;
  for (std::int64_t r = 0; r < csr.rows; ++r)
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t)
      for (std::int64_t h = 0; h < heads; ++h) {
        float sum = 0;
        for (std::int64_t d = 0; d < depth; ++d)
          sum += q[r * width + h * depth + d] * k[csr.column[t] * width + h * depth + d];
        e[t * heads + h] = sum;
      }
}

void plain_softmax(const Csr& csr, std::int64_t heads, const float* z, float* a) {
  for (std::int64_t r = 0; r < csr.rows; ++r)
    for (std::int64_t h = 0; h < heads; ++h) {
      float top = -INFINITY, sum = 0;
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) top = std::max(top, z[t * heads + h]);
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t)
        sum += a[t * heads + h] = std::exp(z[t * heads + h] - top);
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) a[t * heads + h] /= sum;
    }
}

void plain_softmax_gradient(const Csr& csr, std::int64_t heads, const float* a, const float* da, float* dz) {
  for (std::int64_t r = 0; r < csr.rows; ++r)
    for (std::int64_t h = 0; h < heads; ++h) {
      float dot = 0;
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) dot += a[t * heads + h] * da[t * heads + h];
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t)
        dz[t * heads + h] = a[t * heads + h] * (da[t * heads + h] - dot);
    }
}

void plain_gated(const Csr& csr, std::int64_t width, const float* s, const float* x, float* gates, float* y) {
  std::fill_n(y, csr.rows * width, 0.0f);
  std::fill_n(gates, csr.rows * width, 1e-6f);
  for (std::int64_t r = 0; r < csr.rows; ++r) {
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t)
      for (std::int64_t c = 0; c < width; ++c) {
        y[r * width + c] += s[t * width + c] * x[csr.column[t] * width + c];
        gates[r * width + c] += s[t * width + c];
      }
    for (std::int64_t c = 0; c < width; ++c) y[r * width + c] /= gates[r * width + c];
  }
}

void plain_gated_gradient(const Csr& in, const Csr& out, std::int64_t width, const float* s, const float* x,
                          const float* gates, const float* y, const float* dy, float* ds, float* dx) {
  for (std::int64_t r = 0; r < in.rows; ++r)
    for (std::int64_t t = in.offsets[r]; t < in.offsets[r + 1]; ++t)
      for (std::int64_t c = 0; c < width; ++c)
        ds[t * width + c] = dy[r * width + c] / gates[r * width + c] * (x[in.column[t] * width + c] - y[r * width + c]);
  std::fill_n(dx, out.rows * width, 0.0f);
  for (std::int64_t r = 0; r < out.rows; ++r)
    for (std::int64_t t = out.offsets[r]; t < out.offsets[r + 1]; ++t)
      for (std::int64_t c = 0; c < width; ++c) {
        const std::int64_t i = out.column[t] * width + c;
        dx[r * width + c] += s[out.edge[t] * width + c] * dy[i] / gates[i];
      }
}

// ---- Measurement
// ---------------------------------------------------------------------------------------------------------

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
    const Var x = Var::leaf(random({nodes, heads, depth}, 1)), k = Var::leaf(random({nodes, heads, depth}, 2));
    const Var weights = Var::leaf(random({edges, heads}, 3));
    const Tensor dy = random({nodes, heads, depth}, 4), de = random({edges, heads}, 5);
    Tensor y = dy.clone(), edge = de.clone(), edge2 = de.clone();
    const float *xp = x.value().data<float>(), *kp = k.value().data<float>(), *wp = weights.value().data<float>();
    const float *dyp = dy.data<float>(), *dep = de.data<float>();
    float *yp = y.data<float>(), *ep = edge.data<float>(), *e2p = edge2.data<float>();
    const auto clear = [](std::initializer_list<Var> leaves) {
      for (const Var& leaf : leaves) leaf.zero_grad();
    };

    run("spmm", e * (w + h + 1) + n * w,
        {{"plain", [&] { plain_spmm(in, heads, depth, wp, xp, yp); }},
         {"kernel", [&] { kernels::spmm(Cpu{}, in, heads, depth, wp, xp, false, yp); }}});
    run("spmm, both", 3 * e * w + 2 * n * w,
        {{"plain",
          [&] {
            plain_spmm(in, heads, depth, wp, xp, yp);
            plain_spmm(out, heads, depth, wp, dyp, yp);
            plain_dot(in, heads, depth, dyp, xp, ep);
          }},
         {"operation", [&] {
            backward(spmm(g, weights, x), dy);
            clear({weights, x});
          }}});
    run("edge_dot", e * (w + h + 1) + n * w,
        {{"plain", [&] { plain_dot(in, heads, depth, xp, kp, ep); }},
         {"kernel", [&] { kernels::edge_dot(Cpu{}, in, heads, depth, xp, kp, ep); }}});
    run("edge_softmax", 2 * e * h,
        {{"plain", [&] { plain_softmax(in, heads, wp, ep); }},
         {"kernel", [&] { kernels::edge_softmax(Cpu{}, in, heads, wp, ep); }}});
    run("edge_softmax, both", 5 * e * h,
        {{"plain",
          [&] {
            plain_softmax(in, heads, wp, ep);
            plain_softmax_gradient(in, heads, ep, dep, e2p);
          }},
         {"operation", [&] {
            backward(edge_softmax(g, weights), de);
            clear({weights});
          }}});
    if (heads > 1) return;

    const Var flat = Var::leaf(x.value().reshape({nodes, width})), gates = Var::leaf(random({edges, width}, 6, 0.1));
    const Tensor dflat = dy.reshape({nodes, width});
    Tensor sums = dflat.clone(), ds = gates.value().clone(), dx = dflat.clone();
    const float* sp = gates.value().data<float>();
    float *sump = sums.data<float>(), *dsp = ds.data<float>(), *dxp = dx.data<float>();
    run("gated_sum", 2 * e * w + 2 * n * w,
        {{"plain", [&] { plain_gated(in, width, sp, xp, sump, yp); }},
         {"kernel", [&] { kernels::gated_sum(Cpu{}, in, width, sp, xp, 1e-6f, yp, sump); }}});
    run("gated_sum, both", 6 * e * w + 6 * n * w,
        {{"plain",
          [&] {
            plain_gated(in, width, sp, xp, sump, yp);
            plain_gated_gradient(in, out, width, sp, xp, sump, yp, dyp, dsp, dxp);
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
    const Graph g = random_graph(nodes, edges);
    for (const auto& [heads, depth] : {std::pair{1, 64}, {8, 8}}) Bench{g, heads, depth, seconds, only}.all();
  }
}
