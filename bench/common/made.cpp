#include "bench/common/made.hpp"

#include <algorithm>
#include <cmath>

#include "graph/distances.hpp"

namespace atto::bench {

Tensor random_tensor(const Shape& shape, std::uint64_t seed, double low) {
  Generator generator(seed);
  Tensor tensor = Tensor::empty(shape);
  for (float& value : tensor.values<float>()) value = static_cast<float>(generator.uniform(low, 1));
  return tensor;
}

Graph random_graph(std::int64_t nodes, std::int64_t edges, bool loops) {
  Generator generator(7);
  std::vector<std::int32_t> src, dst;
  const std::int64_t drawn = loops ? edges - nodes : edges;
  for (std::int64_t e = 0; e < drawn; ++e) {
    src.push_back(static_cast<std::int32_t>(generator.below(nodes)));
    dst.push_back(static_cast<std::int32_t>(generator.below(nodes)));
  }
  for (std::int64_t i = 0; loops && i < nodes; ++i) {
    src.push_back(static_cast<std::int32_t>(i));
    dst.push_back(static_cast<std::int32_t>(i));
  }
  return Graph::from_edges(nodes, src, dst);
}

Graph molecule(std::int64_t nodes, Generator& generator) {
  std::vector<std::int32_t> src, dst;
  const auto join = [&](std::int64_t a, std::int64_t b) {
    src.insert(src.end(), {static_cast<std::int32_t>(a), static_cast<std::int32_t>(b)});
    dst.insert(dst.end(), {static_cast<std::int32_t>(b), static_cast<std::int32_t>(a)});
  };
  for (std::int64_t i = 1; i < nodes; ++i) {
    join(i, i - 1 - generator.below(std::min<std::int64_t>(i, 3)));
    if (i >= 6 && generator.below(8) == 0) join(i, i - 5);
  }
  return Graph::from_edges(nodes, src, dst);
}

Graph batch_of_molecules(std::int64_t graphs, std::int64_t nodes) {
  Generator generator(7);
  std::vector<std::int32_t> src, dst;
  for (std::int64_t g = 0; g < graphs; ++g) {
    const Graph one = molecule(nodes, generator);
    const auto first = static_cast<std::int32_t>(g * nodes);
    for (const std::int32_t j : one.in_src()) src.push_back(first + j);
    for (const std::int32_t i : one.edge_dst()) dst.push_back(first + i);
  }
  return Graph::from_edges(graphs * nodes, src, dst).with_self_loops().graph;
}

EqualMolecules equal_molecules(std::int64_t graphs, std::int64_t nodes) {
  Generator generator(7);
  std::vector<Graph> made;
  for (std::int64_t g = 0; g < graphs; ++g) made.push_back(molecule(nodes, generator));
  return {.ragged = Ragged::from_sizes(std::vector<std::int64_t>(static_cast<std::size_t>(graphs), nodes)),
          .plane = hop_distances(made)};
}

Dataset molecules_like_zinc(std::int64_t count) {
  Dataset dataset{.name = "molecules",
                  .task = Task::graph_regression,
                  .num_outputs = 1,
                  .node_features = {Features::Kind::category, 28},
                  .edge_features = {Features::Kind::category, 4}};
  Generator generator(11);
  for (std::int64_t g = 0; g < count; ++g) {
    const auto drawn = static_cast<std::int64_t>(std::lround(23.2 + 4.5 * generator.normal()));
    const std::int64_t nodes = std::clamp<std::int64_t>(drawn, 9, 37);
    const Graph graph = molecule(nodes, generator);
    std::vector<std::int64_t> atoms, bonds;
    for (std::int64_t i = 0; i < nodes; ++i) atoms.push_back(generator.below(28));
    for (std::int64_t e = 0; e < graph.num_edges(); ++e) bonds.push_back(generator.below(4));
    dataset.samples.push_back({.graph = graph,
                               .x = Tensor::from(atoms),
                               .edge_attr = Tensor::from(bonds),
                               .y = Tensor::from<float>({static_cast<float>(generator.normal())}, {1, 1})});
  }
  return dataset;
}

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) sum += static_cast<double>(a.data<float>()[i]) * b.data<float>()[i];
  return sum;
}

double norm(const Tensor& tensor) {
  return std::sqrt(dot(tensor, tensor));
}

Tensor sources(const Graph& graph) {
  return Tensor::from(graph.in_src(), Shape{graph.num_edges()});
}
Tensor destinations(const Graph& graph) {
  return Tensor::from(graph.edge_dst(), Shape{graph.num_edges()});
}

}  // namespace atto::bench
