// A set of graphs with features and targets, as readers and generators give it and training loops take it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.hpp"
#include "graph/batch.hpp"
#include "graph/graph.hpp"
#include "graph/splits.hpp"

namespace atto {

/// One graph. Every tensor but the graph may be undefined.
struct GraphSample {
  Graph graph;
  Tensor x;          ///< of nodes: float32 [N, F], or int64 [N] categories
  Tensor edge_attr;  ///< of edges in canonical order: float32 [E, F], or int64 [E] categories
  Tensor y;          ///< int64 [1] class, float32 [1, T] targets, or int64 [N] classes of nodes
};

enum class Task { graph_classification, graph_regression, node_classification };
const char* name_of(Task task);

/// What the rows of a feature tensor are.
struct Features {
  enum class Kind { none, real, category };
  Kind kind = Kind::none;
  std::int64_t width = 0;  ///< columns of real features, or number of categories (0..width-1)
};

struct Dataset {
  std::string name;
  Task task = Task::graph_classification;
  std::int64_t num_outputs = 0;  ///< classes, or numbers to predict
  Features node_features;
  Features edge_features;
  std::vector<GraphSample> samples;
  std::optional<Split> split;       ///< of graphs, where one is published with the data
  std::optional<Split> node_split;  ///< of the nodes of the only graph

  std::int64_t size() const noexcept { return static_cast<std::int64_t>(samples.size()); }
  /// The class of each graph, for stratified splits; empty unless the task is graph classification.
  std::vector<std::int64_t> labels() const;
  /// ShapeError, TypeError or ValueError naming the sample whose tensors do not fit the description: sizes, types,
  /// categories and classes outside their range. Cost: O(all features).
  void check() const;
  /// A few lines for people: task, counts, means, classes, features.
  std::string describe() const;
};

/// Some samples of a data set as one batch.
struct SampleBatch {
  GraphBatch graphs;
  Tensor x;          ///< of all nodes, or undefined
  Tensor edge_attr;  ///< of all edges, or undefined
  Tensor y;          ///< int64 [B], float32 [B, T], or int64 [N]
};

/// The `chosen` samples in that order (repeats allowed). IndexError when there is no such sample.
SampleBatch collate(const Dataset& dataset, std::span<const std::int64_t> chosen);

/// float32 [N, width]: a 1 in column categories[i] of row i. IndexError for a category outside 0..width-1.
Tensor one_hot(const Tensor& categories, std::int64_t width);

}  // namespace atto
