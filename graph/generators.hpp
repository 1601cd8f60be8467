// Graphs of known shapes and random graphs: for tests, examples and synthetic data. Random ones use core/random only,
// so a seed gives the same graph on every machine.
#pragma once

#include <cstdint>

#include "core/random.hpp"
#include "core/tensor.hpp"
#include "graph/graph.hpp"

/// All of them list both directions of every edge, have no self-loops and no duplicates, unless they say otherwise. A
/// size that is negative or makes no sense is a ValueError; 0 nodes are legal.
namespace atto::generate {

/// 0 - 1 - ... - n-1.
Graph path(std::int64_t n);
/// A path whose ends are joined; with n <= 2 that is the path.
Graph ring(std::int64_t n);
/// Node 0 is joined to each of 1..leaves.
Graph star(std::int64_t leaves);
Graph complete(std::int64_t n);
/// Node r * columns + c is joined to its neighbours left, right, above and below; with `wrap` on a torus.
Graph grid(std::int64_t rows, std::int64_t columns, bool wrap = false);

/// Each pair of nodes is joined with probability p (Gilbert's G(n, p)). Cost: O(n^2).
Graph erdos_renyi(Generator& random, std::int64_t n, double p);
/// Every node has `degree` neighbours: random pairs of free ends, begun anew when only loops or duplicates are left
/// (Steger and Wormald, "Generating random regular graphs quickly", 1999). ValueError unless degree < n and n * degree
/// is even.
Graph random_regular(Generator& random, std::int64_t n, std::int64_t degree);
/// `edges` directed edges between ends drawn at random: loops and duplicates happen. For large graphs. Cost: O(N + E).
Graph random_edges(Generator& random, std::int64_t n, std::int64_t edges);

/// Directed: into each point lead edges from its k nearest other points (all, when there are fewer), the nearest first,
/// of equally near ones that with the smaller number. points: float32 [N, D], finite. Use undirected() for a mutual
/// relation. Cost: O(N^2 D).
Graph nearest_neighbours(const Tensor& points, std::int64_t k);

}  // namespace atto::generate
