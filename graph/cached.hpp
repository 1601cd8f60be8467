// Distances and encodings of whole data sets, computed once and kept on disk: found again by the bytes of the graphs,
// the parameters and the version of the computation, so a changed data set or definition can never meet an old file.
#pragma once

#include <span>

#include "core/hash.hpp"
#include "graph/distances.hpp"
#include "graph/laplacian.hpp"
#include "graph/rwse.hpp"
#include "graph/tensor_cache.hpp"

namespace atto {

/// Of sizes and edges in canonical order (not of edge_order()).
Hash hash_of(std::span<const Graph> graphs);

// As the functions without cached_, with the same errors.
BucketPlane cached_hop_distances(const TensorCache& cache, std::span<const Graph> graphs,
                                 const DistanceOptions& options = {});
Tensor cached_rwse(const TensorCache& cache, std::span<const Graph> graphs, std::int64_t steps);
LaplacianEigen cached_laplacian_eigenvectors(const TensorCache& cache, std::span<const Graph> graphs,
                                             const LaplacianOptions& options = {});

}  // namespace atto
