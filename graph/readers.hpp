// Readers of public data sets in their text forms. Every complaint is a FileError that names file, line and reason;
// nothing is allocated on the word of a header, and nothing half-read is returned.
#pragma once

#include <filesystem>

#include "graph/dataset.hpp"

namespace atto {

struct TuOptions {
  bool node_attributes = false;  ///< put the columns of _node_attributes.txt before the node labels
  bool edge_attributes = false;  ///< the same for edges
  bool one_hot = true;           ///< node labels as float32 [N, F] ones and zeros; else as int64 [N] categories
};

/// The TUDataset text form (Morris et al., "TUDataset: a collection of benchmark datasets for learning with graphs",
/// 2020): a folder with NAME_A.txt (edges "from, to", nodes counted from 1), NAME_graph_indicator.txt (the graph of
/// each node, never decreasing), NAME_graph_labels.txt, and where the set has them _node_labels, _edge_labels,
/// _node_attributes, _edge_attributes. Without graph labels, _graph_attributes are targets of a regression. Read as
/// PyTorch Geometric reads it:
/// - Self-loops are dropped; of edges listed twice the first stays.
/// - Labels of nodes and edges are shifted by their smallest value; several columns become one-hot columns side by
/// side.
///   Edge labels are int64 [E] categories, or one-hot columns after edge attributes where those are asked for.
/// - Graph labels become the ranks of their distinct values (-1, 1 become 0, 1).
/// - A set without node labels (and with attributes not asked for) gets degrees: one-hot over 0..largest when the
/// largest
///   out-degree of the set is below 1000, else one column with the degree standardised over all nodes (deviation with N
///   - 1).
Dataset read_tu(const std::filesystem::path& folder, const TuOptions& options = {});

/// The Cora text form: one graph for node classification. labels.txt: the class of each node; edges.txt: pairs of nodes
/// counted from 0, read as undirected; features_sparse.txt: "N F", then for each node the columns that are 1 (perhaps
/// none); split.txt: lines that begin with train, val or test, then nodes. Features are float32 [N, F], not normalised.
Dataset read_cora(const std::filesystem::path& folder);

/// The AqSol text form: molecules with one measured number. Whichever of train.txt, val.txt and test.txt exist are read
/// in this order and make the published split. Per molecule three lines: "n m y"; n types of atoms; m triples "from to
/// type", nodes counted from 0. Edges stay as listed. Types are categories; their number is one more than the largest
/// in all files.
Dataset read_aqsol(const std::filesystem::path& folder);

/// Whichever of the three forms lies in the folder.
Dataset read_dataset(const std::filesystem::path& folder, const TuOptions& options = {});

}  // namespace atto
