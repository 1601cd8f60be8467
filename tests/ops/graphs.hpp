// Graphs on which every sparse operation is tested, and loops over their edges that are plain enough to be the
// definition.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "graph/graph.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {

struct NamedGraph {
  std::string name;
  Graph graph;
};

inline Graph random_bipartite(std::int64_t num_src, std::int64_t num_dst, std::int64_t edges, std::uint64_t seed) {
  Generator random(seed);
  std::vector<std::int32_t> src, dst;
  for (std::int64_t k = 0; k < edges; ++k) {
    src.push_back(static_cast<std::int32_t>(random.below(num_src)));
    dst.push_back(static_cast<std::int32_t>(random.below(num_dst)));
  }
  return Graph::bipartite(num_src, num_dst, src, dst);
}

/// Square, with self-loops, duplicates and nodes without edges, listed in no order.
inline Graph random_square(std::int64_t nodes, std::int64_t edges, std::uint64_t seed) {
  const Graph g = random_bipartite(nodes, nodes, edges, seed);
  Generator random(seed + 1);
  std::vector<std::int32_t> src, dst;
  for (const std::int64_t k : random.permutation(edges)) {
    src.push_back(g.in_src()[static_cast<std::size_t>(k)]);
    dst.push_back(g.edge_dst()[static_cast<std::size_t>(k)]);
  }
  return Graph::from_edges(nodes, src, dst);
}

/// `spokes` edges into node 0, some of them duplicates, and a few others.
inline Graph hub(std::int64_t nodes, std::int64_t spokes) {
  std::vector<std::int32_t> src{0, 1, 2}, dst{1, 2, 1};
  for (std::int64_t k = 0; k < spokes; ++k) {
    src.push_back(static_cast<std::int32_t>(k % nodes));
    dst.push_back(0);
  }
  return Graph::from_edges(nodes, src, dst);
}

/// Small graphs at the edge of what there is.
inline std::vector<NamedGraph> small_graphs() {
  return {
      {"no nodes", Graph()},
      {"no edges", Graph::from_edges(4, {})},
      {"one node", Graph::from_edges(1, {})},
      {"self-loop only", Graph::from_edges(1, {{0, 0}})},
      {"isolated nodes", Graph::from_edges(6, {{1, 4}, {4, 1}, {2, 4}})},
      {"duplicate edges", Graph::from_edges(3, {{0, 1}, {0, 1}, {1, 0}, {0, 1}})},
      {"two components", Graph::from_edges(5, {{0, 1}, {1, 0}, {2, 3}, {3, 4}, {4, 2}, {3, 2}})},
      {"unsorted", random_square(9, 30, 3)},
      {"rectangular", random_bipartite(7, 4, 15, 4)},
      {"no sources", Graph::bipartite(0, 3, {}, {})},
      {"no destinations", Graph::bipartite(3, 0, {}, {})},
  };
}

/// Calls f(e, i, j) for every edge e from j to i, in canonical order.
template <class F>
void for_edges(const Graph& g, F&& f) {
  for (std::int64_t e = 0; e < g.num_edges(); ++e)
    f(e, std::int64_t{g.edge_dst()[static_cast<std::size_t>(e)]},
      std::int64_t{g.in_src()[static_cast<std::size_t>(e)]});
}

/// Element c of row r of a tensor seen as [rows, width].
inline double at(const Tensor& x, std::int64_t r, std::int64_t c, std::int64_t width) {
  return x.data<double>()[r * width + c];
}

/// y[E, width] with element (e, c) = f(e, i, j, c).
template <class F>
Tensor edge_table(const Graph& g, const Shape& shape, std::int64_t width, F&& f) {
  Tensor y = Tensor::zeros(shape, DType::float64);
  for_edges(g, [&](std::int64_t e, std::int64_t i, std::int64_t j) {
    for (std::int64_t c = 0; c < width; ++c) y.data<double>()[e * width + c] = f(e, i, j, c);
  });
  return y;
}

/// y[N_dst, width] with y(i, c) = sum of f(e, i, j, c) over the edges into i.
template <class F>
Tensor node_sums(const Graph& g, const Shape& shape, std::int64_t width, F&& f) {
  Tensor y = Tensor::zeros(shape, DType::float64);
  for_edges(g, [&](std::int64_t e, std::int64_t i, std::int64_t j) {
    for (std::int64_t c = 0; c < width; ++c) y.data<double>()[i * width + c] += f(e, i, j, c);
  });
  return y;
}

/// Numbers in no order that lie at least `step` apart, around 0: nothing ties, and no maximum changes hands nearby.
inline Tensor spaced(const Shape& shape, double step, std::uint64_t seed) {
  Generator random(seed);
  const std::vector<std::int64_t> order = random.permutation(shape.numel());
  return tabulate(shape, [&](std::int64_t i) {
    return double{
        static_cast<float>(step * static_cast<double>(order[static_cast<std::size_t>(i)] - shape.numel() / 2))};
  });
}

/// Multiples of 1/32, plus `offset`.
inline Tensor on_grid(const Shape& shape, double offset, std::uint64_t seed) {
  Tensor x = uniform(shape, -1, 1, seed);
  for (double& value : x.values<double>()) value = std::round(value * 32) / 32 + offset;
  return x;
}

}  // namespace atto::test
