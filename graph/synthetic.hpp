// Data sets that are made, not read: what examples train on out of the box. A seed gives the same data set on every
// machine and for any number of threads, and the first graphs of a part are the same however many are asked for.
#pragma once

#include <cstdint>

#include "graph/dataset.hpp"

namespace atto {

/// Numbers of graphs in the parts of the published split, and the seed.
struct SyntheticOptions {
  std::int64_t train = 1000, valid = 200, test = 200;
  std::uint64_t seed = 0;
};

/// CLUSTER (Dwivedi et al., "Benchmarking graph neural networks", 2020; published size 10000/1000/1000): find the
/// community of each node of a stochastic block model. 6 communities of 5 to 34 nodes; pairs are joined with
/// probability 0.55 inside and 0.25 between communities; nodes are in random order. One random node of community r
/// carries the signal r + 1, all others 0: x is one-hot [N, 7], y the community of each node.
Dataset cluster_dataset(const SyntheticOptions& options = {});

/// PATTERN (the same; published size 10000/2000/2000): find the nodes of a pattern that is hidden in a graph. There are
/// 100 patterns, taken in turn: an Erdos-Renyi graph of 5 to 34 nodes, p = 0.5, with signals drawn once from {0, 1, 2}.
/// Each graph has 5 communities of 5 to 34 nodes, joined with probability 0.5 inside and 0.35 between, with signals
/// from {0, 1, 2} at random; the pattern is added, each of its nodes joined to each node of the graph with probability
/// 0.5; nodes are in random order. x is one-hot [N, 3], y is 1 for nodes of the pattern.
Dataset pattern_dataset(const SyntheticOptions& options = {});

struct MoleculeOptions {
  std::int64_t graphs = 188;
  std::uint64_t seed = 0;
};

/// Small graphs like those of MUTAG, two classes in the proportion 1 : 2 (classes 0 and 1). A skeleton of 2 or 3 fused
/// rings of six carbon atoms carries one or two groups of one nitrogen and two oxygen atoms, and some single atoms. In
/// class 1 both oxygen atoms are bound to the nitrogen atom, in class 0 one is bound to the ring instead: atoms and
/// bonds are counted alike in both classes, so only who is bound to whom tells them apart. x is one-hot [N, 7] (C N O F
/// I Cl Br), edge_attr the kind of bond [E] (aromatic, single, double).
Dataset molecule_dataset(const MoleculeOptions& options = {});

}  // namespace atto
