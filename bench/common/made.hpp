#pragma once
// Inputs that are made, not read.

#include <cstdint>
#include <vector>

#include "autograd/var.hpp"
#include "core/random.hpp"
#include "core/tensor.hpp"
#include "graph/batch.hpp"
#include "graph/dataset.hpp"
#include "graph/graph.hpp"
#include "graph/ragged.hpp"

namespace atto::bench {

/// Uniform in [low, 1).
Tensor random_tensor(const Shape& shape, std::uint64_t seed, double low = -1);

/// `edges` directed edges; with `loops` the last `nodes` of them are self-loops.
Graph random_graph(std::int64_t nodes, std::int64_t edges, bool loops);

/// A connected graph like a molecule: a random tree in which nodes attach to recent ones, and some rings of six.
Graph molecule(std::int64_t nodes, Generator& generator);

/// A batch of `graphs` molecules of `nodes` nodes as one graph, bonds both ways and a self-loop at every node.
Graph batch_of_molecules(std::int64_t graphs, std::int64_t nodes);

/// Molecules of one size for attention between all nodes of each: where they lie, and how many hops nodes are apart.
struct EqualMolecules {
  Ragged ragged;
  BucketPlane plane;
};
EqualMolecules equal_molecules(std::int64_t graphs, std::int64_t nodes);

/// `count` molecules of the sizes of ZINC (23 atoms on average): 28 kinds of atom, 4 kinds of bond, one number to
/// predict.
Dataset molecules_like_zinc(std::int64_t count);

double norm(const Tensor& tensor);
double dot(const Tensor& a, const Tensor& b);

/// int32 [E] sources and destinations of the edges in canonical order.
Tensor sources(const Graph& graph);
Tensor destinations(const Graph& graph);

}  // namespace atto::bench
