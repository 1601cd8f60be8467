// Times the attention kernels against their plain versions: forward and backward, minimum and median of interleaved
// repetitions.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "autograd/tape.hpp"
#include "bench/common/made.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "core/simd.hpp"
#include "graph/distances.hpp"
#include "ops/gat/gat.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"

namespace {

using namespace atto;

struct Entry {
  std::string name;
  std::vector<std::pair<std::string, std::function<void()>>> variants;
  double flops = 0;
};

struct Workload {
  std::string name;
  std::vector<std::int64_t> sizes;
  std::int64_t heads, width;
  double dropout = 0;
  bool causal = false;  // and no table
};

// Everything that a kernel call points to.
struct Attention {
  explicit Attention(const Workload& w) : workload(w) {
    Generator generator(7);
    std::vector<Graph> graphs;
    for (const std::int64_t size : w.sizes) graphs.push_back(bench::molecule(size, generator));
    nodes = Ragged::from_sizes(w.sizes);
    plane = hop_distances(graphs);
    const Shape shape{nodes.total(), w.heads, w.width};
    q = Var::leaf(bench::random_tensor(shape, 1)), k = Var::leaf(bench::random_tensor(shape, 2)),
    v = Var::leaf(bench::random_tensor(shape, 3));
    Tensor decay = Tensor::empty({w.heads, 256});
    for (std::int64_t i = 0; i < decay.numel(); ++i)
      decay.data<float>()[i] = std::pow(0.6f, static_cast<float>(i % 256));
    table = Var::leaf(decay);
    seed = bench::random_tensor(shape, 4);
    out = Tensor::empty(shape);
    row_max = Tensor::empty({nodes.total(), w.heads});
    row_inverse = row_max.clone();
    dq = out.clone(), dk = out.clone(), dv = out.clone(), dtable = decay.clone();
    largest.assign(w.sizes.size(), 0);
    for (std::size_t g = 0; g < w.sizes.size(); ++g)
      for (std::int64_t p = plane.offsets[g]; p < plane.offsets[g + 1]; ++p)
        if (const std::uint8_t bucket = plane.values.data<std::uint8_t>()[p]; bucket < 255)
          largest[g] = std::max(largest[g], bucket);
    call = {.graphs = nodes.count(),
            .query_offsets = nodes.offsets().data(),
            .key_offsets = nodes.offsets().data(),
            .pair_offsets = plane.offsets.data(),
            .heads = w.heads,
            .kv_heads = w.heads,
            .width = w.width,
            .value_width = w.width,
            .q = q.value().data<float>(),
            .k = k.value().data<float>(),
            .v = v.value().data<float>(),
            .buckets = plane.values.data<std::uint8_t>(),
            .largest = largest.data(),
            .table_size = 256,
            .multiply = table.value().data<float>(),
            .scale = 1 / std::sqrt(static_cast<float>(w.width)),
            .causal = w.causal,
            .threshold = static_cast<std::uint32_t>(w.dropout * 65536),
            .keep_scale = static_cast<float>(1 / (1 - w.dropout)),
            .seed = 1,
            .stream = 1,
            .out = out.data<float>(),
            .row_max = row_max.data<float>(),
            .row_inverse = row_inverse.data<float>()};
    gradients = {.out = seed.data<float>(),
                 .q = dq.data<float>(),
                 .k = dk.data<float>(),
                 .v = dv.data<float>(),
                 .multiply = dtable.data<float>()};
    if (w.causal) call.buckets = call.largest = nullptr, call.multiply = nullptr, gradients.multiply = nullptr;
  }

  void operation() {
    const RaggedAttentionOptions options{.dropout = workload.dropout, .random = {.seed = 1, .stream = 1}};
    const Var y = workload.causal ? ragged_attention(q, k, v, nodes, nodes, {}, {}, {}, {.causal = true})
                                  : ragged_attention(q, k, v, nodes, nodes, plane, {.multiply = table}, {}, options);
    backward(y, seed);
    for (const Var& leaf : {q, k, v, table}) leaf.zero_grad();
  }
  double flops() const {
    return (workload.causal ? 7.0 : 14.0) * static_cast<double>(plane.values.numel() * workload.heads * workload.width);
  }

  Workload workload;
  Ragged nodes;
  BucketPlane plane;
  Var q, k, v, table;
  Tensor seed, out, row_max, row_inverse, dq, dk, dv, dtable;
  std::vector<std::uint8_t> largest;
  kernels::RaggedAttentionCall<float> call;
  kernels::RaggedAttentionGradients<float> gradients;
};

// GAT or GATv2 on a random graph with a self-loop at every node.
struct EdgeAttention {
  EdgeAttention(std::string title, std::int64_t nodes, std::int64_t edges, std::int64_t heads, std::int64_t depth,
                bool v2)
      : name(std::move(title)), dynamic(v2), graph(bench::random_graph(nodes, edges, true)) {
    const Shape wide{nodes, heads, depth}, narrow{nodes, heads};
    inputs[0] = Var::leaf(bench::random_tensor(wide, 1));
    inputs[1] = Var::leaf(bench::random_tensor(dynamic ? wide : narrow, 2));
    inputs[2] = Var::leaf(bench::random_tensor(dynamic ? Shape{heads, depth} : narrow, 3));
    y = Tensor::empty(wide), seed = bench::random_tensor(wide, 4), lse = Tensor::empty(narrow);
    weight = Tensor::empty({edges, heads}), dlogit = weight.clone();
    for (int i = 0; i < 3; ++i) gradients[i] = Tensor::empty(inputs[i].shape());
    const auto value = [&](int i) { return inputs[i].value().data<float>(); };
    const auto gradient = [&](int i) { return gradients[i].data<float>(); };
    out = {.value = gradient(0),
           .source = dynamic ? nullptr : gradient(1),
           .destination = gradient(dynamic ? 1 : 2),
           .vector = dynamic ? gradient(2) : nullptr,
           .edge = nullptr,
           .weight = weight.data<float>(),
           .dlogit = dlogit.data<float>()};
    call.emplace(kernels::GatCall<float>{.graph = graph,
                                         .heads = heads,
                                         .depth = depth,
                                         .options = {},
                                         .value = value(0),
                                         .source = dynamic ? nullptr : value(1),
                                         .destination = value(dynamic ? 1 : 2),
                                         .vector = dynamic ? value(2) : nullptr,
                                         .edge = nullptr});
  }

  void plain() {
    kernels::gat_forward_naive(*call, y.data<float>(), lse.data<float>());
    kernels::gat_backward_naive(*call, seed.data<float>(), lse.data<float>(), out);
  }
  void fast() {
    kernels::gat_forward(Cpu{}, *call, y.data<float>());
    kernels::gat_backward(Cpu{}, *call, seed.data<float>(), out);
  }
  void operation() {
    backward(dynamic ? gatv2(graph, inputs[0], inputs[1], inputs[2]) : gat(graph, inputs[0], inputs[1], inputs[2]),
             seed);
    for (const Var& leaf : inputs) leaf.zero_grad();
  }
  double flops() const {
    return (dynamic ? 24.0 : 6.0) * static_cast<double>(graph.num_edges() * seed.size(1) * seed.size(2));
  }

  std::string name;
  bool dynamic;
  Graph graph;
  Var inputs[3];
  Tensor y, seed, lse, weight, dlogit, gradients[3];
  kernels::GatGradients<float> out;
  std::optional<kernels::GatCall<float>> call;
};

std::vector<std::int64_t> nci1_sizes(std::int64_t count) {
  Generator generator(3);
  std::vector<std::int64_t> sizes;
  for (std::int64_t g = 0; g < count; ++g)
    sizes.push_back(
        std::clamp<std::int64_t>(static_cast<std::int64_t>(26.5 * std::exp(0.42 * generator.normal())), 3, 111));
  return sizes;
}

bool cpu_clock = false;  // time used by the process instead of time passed

double now() {
  if (cpu_clock) return static_cast<double>(std::clock()) * 1e3 / CLOCKS_PER_SEC;
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double milliseconds(const std::function<void()>& f) {
  const double start = now();
  f();
  return now() - start;
}

void report(const std::vector<Entry>& entries, double seconds) {
  fmt::print("{:34} {:>24} {:>12} {:>12} {:>10}\n", "workload", "variant", "minimum ms", "median ms", "GFLOP/s");
  for (const Entry& entry : entries) {
    std::vector<std::vector<double>> times(entry.variants.size());
    double spent = 0;
    for (int round = 0; round < 5 || (spent < seconds * 1000 && round < 2000); ++round)
      for (std::size_t variant = 0; variant < entry.variants.size(); ++variant) {
        times[variant].push_back(milliseconds(entry.variants[variant].second));
        spent += times[variant].back();
      }
    for (std::size_t variant = 0; variant < entry.variants.size(); ++variant) {
      std::vector<double>& list = times[variant];
      std::sort(list.begin(), list.end());
      fmt::print("{:34} {:>24} {:12.4f} {:12.4f} {:10.1f}\n", entry.name, entry.variants[variant].first, list.front(),
                 list[list.size() / 2], entry.flops / list.front() * 1e-6);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times the attention kernels against their plain versions.");
  double seconds = 2;
  int thread_count = 0;
  std::string only;
  app.add_option("--seconds", seconds, "time to spend on each workload")->capture_default_str();
  app.add_option("--threads", thread_count, "threads (default: all)");
  app.add_option("--only", only, "only workloads whose name contains this");
  bool fast_only = false;
  app.add_flag("--fast", fast_only, "leave out the plain kernels");
  app.add_flag("--cpu", cpu_clock,
               "measure the time of the processor: steadier on a busy machine, and of use with one thread");
  std::vector<std::int64_t> own;
  app.add_option("--own", own, "a workload of your own: graphs, nodes of each, heads, features of a head")->expected(4);
  CLI11_PARSE(app, argc, argv);
  if (thread_count > 0) set_threads(thread_count);
  fmt::print("{} threads, {}\n", threads(), name_of(isa()));

  const auto equal = [](std::int64_t count, std::int64_t size) {
    return std::vector<std::int64_t>(static_cast<std::size_t>(count), size);
  };
  std::vector<Workload> workloads{
      {"attention 128 x 25, H 8, D 8", equal(128, 25), 8, 8},
      {"attention 32 x 32, H 8, D 16", equal(32, 32), 8, 16},
      {"attention 8 x 128, H 8, D 16", equal(8, 128), 8, 16},
      {"attention 2 x 512, H 4, D 16", equal(2, 512), 4, 16},
      {"attention NCI1 x 128, H 4, D 16", nci1_sizes(128), 4, 16},
      {"attention NCI1, dropout 0.5", nci1_sizes(128), 4, 16, 0.5},
      {"attention 1 x 600, H 4, D 64", equal(1, 600), 4, 64},
      {"attention 1 x 256, H 8, D 64, causal", equal(1, 256), 8, 64, 0, true},
      {"attention 1 x 1024, H 8, D 64, causal", equal(1, 1024), 8, 64, 0, true},
      {"attention 1 x 2048, H 8, D 64, causal", equal(1, 2048), 8, 64, 0, true},
  };
  if (!own.empty())
    workloads = {{fmt::format("attention {} x {}, H {}, D {}", own[0], own[1], own[2], own[3]), equal(own[0], own[1]),
                  own[2], own[3]}};
  std::vector<Attention> attentions;
  attentions.reserve(workloads.size());
  std::vector<Entry> entries;
  for (const Workload& workload : workloads) {
    if (workload.name.find(only) == std::string::npos) continue;
    Attention& a = attentions.emplace_back(workload);
    Entry forward{a.workload.name, {}, a.flops() * 4 / 14}, both{a.workload.name, {}, a.flops()};
    if (!fast_only) {
      forward.variants.emplace_back("plain, forward", [&] { kernels::ragged_attention_forward_naive(a.call); });
      both.variants.emplace_back("plain, both", [&] {
        kernels::ragged_attention_forward_naive(a.call);
        kernels::ragged_attention_backward_naive(a.call, a.gradients);
      });
    }
    forward.variants.emplace_back("fast, forward", [&] { kernels::ragged_attention_forward(Cpu{}, a.call); });
    both.variants.emplace_back("fast, both", [&] {
      kernels::ragged_attention_forward(Cpu{}, a.call);
      kernels::ragged_attention_backward(Cpu{}, a.call, a.gradients);
    });
    both.variants.emplace_back("operation, both", [&] { a.operation(); });
    entries.push_back(forward);
    entries.push_back(both);
  }
  std::vector<std::unique_ptr<EdgeAttention>> edge_attentions;
  const auto add = [&](const std::string& name, std::int64_t nodes, std::int64_t edges, std::int64_t heads,
                       std::int64_t depth, bool dynamic) {
    if (name.find(only) == std::string::npos || !own.empty()) return;
    EdgeAttention& a =
        *edge_attentions.emplace_back(std::make_unique<EdgeAttention>(name, nodes, edges, heads, depth, dynamic));
    Entry both{name, {}, a.flops()};
    if (!fast_only) both.variants.emplace_back("plain, both", [&a] { a.plain(); });
    both.variants.emplace_back("fast, both", [&a] { a.fast(); });
    both.variants.emplace_back("operation, both", [&a] { a.operation(); });
    entries.push_back(both);
  };
  add("GAT N 100, E 320, H 8, D 8", 100, 320, 8, 8, false);
  add("GAT N 12.5k, E 40.5k, H 8, D 8", 12500, 40500, 8, 8, false);
  add("GAT N 100k, E 1M, H 4, D 16", 100000, 1000000, 4, 16, false);
  add("GATv2 N 100, E 320, H 8, D 8", 100, 320, 8, 8, true);
  add("GATv2 N 12.5k, E 40.5k, H 8, D 8", 12500, 40500, 8, 8, true);
  report(entries, seconds);
}
