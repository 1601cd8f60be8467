// Collects edges one by one, for whoever builds a graph.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.hpp"

namespace atto {

class EdgeList {
 public:
  void add(std::int64_t from, std::int64_t to) {
    src_.push_back(static_cast<std::int32_t>(from));
    dst_.push_back(static_cast<std::int32_t>(to));
  }
  /// Both directions.
  void join(std::int64_t a, std::int64_t b) {
    add(a, b);
    add(b, a);
  }
  /// The graph of what was collected, on num_nodes nodes.
  Graph graph(std::int64_t num_nodes) const { return Graph::from_edges(num_nodes, src_, dst_); }

 private:
  std::vector<std::int32_t> src_, dst_;
};

}  // namespace atto
