#pragma once
// Small models on small graphs, for the tests of nn/gradformer.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "graph/generators.hpp"
#include "nn/gradformer/data.hpp"
#include "nn/gradformer/model.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {

inline constexpr Architecture kArchitectures[] = {
    Architecture::gradformer, Architecture::gps, Architecture::transformer, Architecture::gat,
    Architecture::gatv2,      Architecture::gcn, Architecture::gin,         Architecture::gatedgcn};
inline constexpr Local kLocals[] = {Local::none,     Local::gcn, Local::gin,  Local::gine,
                                    Local::gatedgcn, Local::gat, Local::gatv2};

/// Small graphs with random features, as one data set.
inline PreparedData random_graphs(const std::vector<Graph>& graphs, std::int64_t width = 3,
                                  Encoding encoding = Encoding::rwse) {
  Dataset dataset;
  dataset.name = "random";
  dataset.num_outputs = 2;
  dataset.node_features = {.kind = Features::Kind::real, .width = width};
  std::uint64_t seed = 1;
  for (const Graph& graph : graphs)
    dataset.samples.push_back({.graph = graph,
                               .x = uniform(Shape{graph.num_nodes(), width}, -1, 1, seed++).to(DType::float32),
                               .edge_attr = {},
                               .y = Tensor::from(std::vector<std::int64_t>{static_cast<std::int64_t>(seed % 2)})});
  return PreparedData(std::move(dataset), {.encoding = encoding, .encoding_width = 4, .hops = true});
}

inline std::vector<std::int64_t> all(std::int64_t n) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(n));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

/// Two layers of 16 channels and 2 heads on `width` node features and an encoding of 4.
inline GraphModelOptions small_options(std::int64_t width = 3) {
  GraphModelOptions o;
  o.node_features = {.kind = Features::Kind::real, .width = width};
  o.layers = 2;
  o.channels = 16;
  o.heads = 2;
  o.hop = 1;
  o.gamma = 0.6;
  o.encoding_width = 4;
  return o;
}

/// A ring, a star, two components or more, a node alone, a path.
inline std::vector<Graph> assorted() {
  Generator generator(3);
  return {generate::ring(5), generate::star(6), generate::erdos_renyi(generator, 9, 0.3), Graph::from_edges(1, {}),
          generate::path(12)};
}

/// NaN when there is one.
inline double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const Tensor left = a.to(DType::float64), right = b.to(DType::float64);
  double worst = 0;
  for (std::int64_t i = 0; i < left.numel(); ++i) {
    const double difference = std::abs(left.data<double>()[i] - right.data<double>()[i]);
    if (std::isnan(difference)) return difference;
    worst = std::max(worst, difference);
  }
  return worst;
}

}  // namespace atto::test
