// Laplacian positional encoding: the slowest oscillations of a graph.
#pragma once

#include <cstdint>
#include <span>

#include "core/random.hpp"
#include "core/tensor.hpp"
#include "graph/graph.hpp"
#include "graph/ragged.hpp"

namespace atto {

struct LaplacianOptions {
  std::int64_t count = 10;  ///< K, eigenvectors per graph
  bool normalised = true;   ///< I - Deg^-1/2 A Deg^-1/2 ("sym") instead of Deg - A ("none")
  bool skip_first = true;   ///< leave out the first, constant one
};

/// The lowest eigenvectors of graph Laplacians, ascending by eigenvalue.
struct LaplacianEigen {
  Tensor vectors;  ///< float32 [N, K], column k is a vector; the graphs' rows below each other
  Tensor values;   ///< float32 [B, K]
  Tensor found;    ///< int64 [B], how many columns of each graph are eigenvectors; the others are padding
};

/// Each graph is taken as undirected and simple: an edge in either direction joins two nodes once, self-loops are
/// dropped (Dwivedi and Bresson, "A generalization of transformer networks to graphs", 2020, equation 3). Dense
/// symmetric solver (LAPACK dsyevd) in float64 per graph, graphs in parallel: O(n^3) time, 5 n^2 doubles of memory
/// while a graph is solved; ShapeError above 16384 nodes or for a bipartite graph, ValueError when count < 1.
///
/// - A graph of n nodes has n eigenvectors, n - 1 after skip_first; columns beyond them are 0, and so are their values:
///   `found` tells. A graph without nodes has none.
/// - Eigenvalues are not negative; tiny negative results are stored as 0. Vectors have length 1.
/// - c components give c eigenvalues 0. skip_first leaves out the first vector only; the other c - 1 stay, and what is
///   spanned by the c together is the indicator functions of the components. An isolated node is a component of its own
///   (its row of the normalised Laplacian is 0).
/// - Of a repeated eigenvalue (symmetric graphs, several components) the vectors are some orthonormal basis: which one
///   depends on the order of the nodes and on the library, so such encodings are not invariant under relabelling. On
///   one machine they are reproducible, for any number of threads.
/// - The sign of a vector is chosen so that its entry of largest magnitude is positive (the first of those equal to
/// within
///   1e-6). That is no more than a convention: flip signs at random in training.
LaplacianEigen laplacian_eigenvectors(std::span<const Graph> graphs, const LaplacianOptions& options = {});
LaplacianEigen laplacian_eigenvectors(const Graph& graph, const LaplacianOptions& options = {});

/// What `found` will be: min(K, n), or min(K, n - 1) after skip_first, at least 0.
Tensor laplacian_found(std::span<const Graph> graphs, const LaplacianOptions& options = {});

/// A copy of vectors [N, K] with each column times +1 or -1, drawn from `stream`; one sign per column, for all graphs
/// of the batch alike (GraphGPS). The same stream gives the same signs.
Tensor flip_signs(const Tensor& vectors, const RandomStream& stream);
/// One sign per graph and column instead.
Tensor flip_signs(const Tensor& vectors, const Ragged& nodes, const RandomStream& stream);

}  // namespace atto
