// Graphs that several tests need. Written from the definitions, so that tests do not rest on the generators that they
// test.
#pragma once

#include <cstdint>
#include <vector>

#include "core/random.hpp"
#include "graph/edge_list.hpp"
#include "graph/graph.hpp"

namespace atto::test {

inline Graph path(std::int64_t n) {
  EdgeList edges;
  for (std::int64_t i = 1; i < n; ++i) edges.join(i - 1, i);
  return edges.graph(n);
}

inline Graph cycle(std::int64_t n) {
  EdgeList edges;
  for (std::int64_t i = 0; i < n; ++i) edges.join(i, (i + 1) % n);
  return edges.graph(n);
}

inline Graph complete(std::int64_t n) {
  EdgeList edges;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < i; ++j) edges.join(i, j);
  return edges.graph(n);
}

/// Node 0 is the centre.
inline Graph star(std::int64_t leaves) {
  EdgeList edges;
  for (std::int64_t i = 1; i <= leaves; ++i) edges.join(0, i);
  return edges.graph(leaves + 1);
}

inline Graph grid(std::int64_t rows, std::int64_t columns) {
  EdgeList edges;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      if (r > 0) edges.join((r - 1) * columns + c, r * columns + c);
      if (c > 0) edges.join(r * columns + c - 1, r * columns + c);
    }
  return edges.graph(rows * columns);
}

/// Directed, with self-loops and duplicates.
inline Graph random_graph(Generator& random, std::int64_t nodes, std::int64_t edges) {
  EdgeList list;
  for (std::int64_t k = 0; k < edges; ++k) list.add(random.below(nodes), random.below(nodes));
  return list.graph(nodes);
}

/// Node i is called label[i].
inline Graph relabelled(const Graph& graph, const std::vector<std::int64_t>& label) {
  EdgeList list;
  for (std::int64_t e = 0; e < graph.num_edges(); ++e) list.add(label[graph.in_src()[e]], label[graph.edge_dst()[e]]);
  return list.graph(graph.num_nodes());
}

}  // namespace atto::test
