#include "bench/common/kernels.hpp"

#include <fmt/format.h>

#include "bench/common/made.hpp"
#include "graph/distances.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge_attention/edge_attention.hpp"
#include "ops/gat/gat.hpp"
#include "ops/hop_decay/hop_decay.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"

namespace atto::bench {
namespace {

constexpr double b = 4, i = 4;  // bytes of a value and of an index

struct GraphSize {
  std::string name, title;
  std::int64_t nodes, edges;
};

Var leaf(const Shape& shape, std::uint64_t seed) {
  return Var::leaf(random_tensor(shape, seed));
}

void add_products(std::vector<Kernel>& kernels, const GraphSize& size, std::int64_t width) {
  const Graph g = random_graph(size.nodes, size.edges, false).coalesced().graph;
  const double e = static_cast<double>(g.num_edges()), n = static_cast<double>(size.nodes),
               d = static_cast<double>(width);
  const Work work{.flops = 2 * e * d,
                  .gathered = e * d * b,
                  .rows = size.nodes,
                  .row_width = width,
                  .streamed = e * (i + b) + n * d * b,
                  .touched = 2 * n * d * b + e * (i + b)};
  const Var x = leaf({size.nodes, width}, 1), y = leaf({size.nodes, width}, 2), w = leaf({g.num_edges()}, 3);
  kernels.push_back({fmt::format("spmm-{}-{}", size.name, width), fmt::format("SpMM, {}, D {}", size.title, width),
                     "spmm", false, work, [=] { return spmm(g, w, x); }});
  kernels.push_back({fmt::format("sddmm-{}-{}", size.name, width), fmt::format("SDDMM, {}, D {}", size.title, width),
                     "edge_dot", false, work, [=] { return edge_dot(g, x, y); }});
}

void add_edge_attention(std::vector<Kernel>& kernels, const GraphSize& size, std::int64_t heads, std::int64_t depth) {
  const Graph g = random_graph(size.nodes, size.edges, true);
  const double e = static_cast<double>(g.num_edges()), n = static_cast<double>(size.nodes),
               h = static_cast<double>(heads), d = static_cast<double>(heads * depth);
  const Shape wide{size.nodes, heads, depth};
  const Var x = leaf(wide, 1), y = leaf(wide, 2), z = leaf(wide, 3), src = leaf({size.nodes, heads}, 4),
            dst = leaf({size.nodes, heads}, 5);
  const auto add = [&](const std::string& name, const std::string& title, const std::string& op, const Work& forward,
                       const Work& backward, const std::function<Var()>& call) {
    kernels.push_back({name + "-forward", title + ", forward", op, false, forward, call});
    kernels.push_back({name + "-backward", title + ", backward", op, true, backward, call});
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
  // Keys and values lie side by side in the model.
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
  add("edges-" + size.name, "dot attention on edges, " + size.title, "edge_attention", forward, backward,
      [=] { return edge_attention(g, x, y, z); });
}

void add_dense_attention(std::vector<Kernel>& kernels, std::int64_t graphs, std::int64_t nodes, std::int64_t heads,
                         std::int64_t depth) {
  const EqualMolecules made = equal_molecules(graphs, nodes);
  const Ragged& ragged = made.ragged;
  const BucketPlane& plane = made.plane;
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
  kernels.push_back({name + "-forward", title + ", forward", "ragged_attention", false, work(4 * d + 20, 4), call});
  kernels.push_back({name + "-backward", title + ", backward", "ragged_attention", true, work(10 * d + 30, 9), call});
}

}  // namespace

std::vector<Kernel> all_kernels(bool quick) {
  const std::int64_t divisor = quick ? 100 : 1;
  const GraphSize small{"12k", "N 12.5k, E 40.5k", 12500 / divisor, 40500 / divisor},
      large{"100k", "N 100k, E 1M", 100000 / divisor, 1000000 / divisor};
  std::vector<Kernel> kernels;
  for (const std::int64_t width : {64, 128, 256}) add_products(kernels, small, width);
  add_products(kernels, large, 64);
  add_edge_attention(kernels, small, 8, 8);
  add_edge_attention(kernels, large, 4, 16);
  add_dense_attention(kernels, quick ? 2 : 128, 25, 8, 8);
  add_dense_attention(kernels, quick ? 2 : 32, 32, 8, 16);
  add_dense_attention(kernels, quick ? 1 : 8, 128, 8, 16);
  add_dense_attention(kernels, quick ? 1 : 2, 512, 4, 16);
  return kernels;
}

}  // namespace atto::bench
