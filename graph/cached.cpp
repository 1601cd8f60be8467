#include "graph/cached.hpp"

#include <fmt/format.h>

#include <vector>

#include "graph/rows.hpp"

namespace atto {
namespace {

// To be raised with every change of the results.
constexpr std::uint32_t kDistancesVersion = 1, kRwseVersion = 1, kLaplacianVersion = 1;

std::int64_t total_nodes(std::span<const Graph> graphs) {
  std::int64_t total = 0;
  for (const Graph& graph : graphs) total += graph.num_nodes();
  return total;
}

}  // namespace

Hash hash_of(std::span<const Graph> graphs) {
  Hasher hasher;
  hasher.add(graphs.size());
  for (const Graph& graph : graphs) {
    hasher.add(graph.num_src());
    hasher.add(graph.is_square());
    hasher.add(graph.in_offsets());
    hasher.add(graph.in_src());
  }
  return hasher.hash();
}

BucketPlane cached_hop_distances(const TensorCache& cache, std::span<const Graph> graphs,
                                 const DistanceOptions& options) {
  BucketPlane planes;
  planes.offsets = distance_offsets(graphs, options);
  const CacheKey key{.name = "distances", .parameters = {}, .version = kDistancesVersion, .content = hash_of(graphs)};
  planes.values =
      cache.get(key, {planes.offsets.back()}, DType::uint8, [&] { return hop_distances(graphs, options).values; });
  return planes;
}

Tensor cached_rwse(const TensorCache& cache, std::span<const Graph> graphs, std::int64_t steps) {
  if (steps < 1) return rwse(graphs, steps);  // which says what is wrong
  const CacheKey key{.name = "rwse",
                     .parameters = fmt::format("steps={}", steps),
                     .version = kRwseVersion,
                     .content = hash_of(graphs)};
  return cache.get(key, {total_nodes(graphs), steps}, DType::float32, [&] { return rwse(graphs, steps); });
}

LaplacianEigen cached_laplacian_eigenvectors(const TensorCache& cache, std::span<const Graph> graphs,
                                             const LaplacianOptions& options) {
  if (options.count < 1) return laplacian_eigenvectors(graphs, options);
  const CacheKey key{.name = "laplacian",
                     .parameters = fmt::format("count={} normalised={} skip_first={}", options.count,
                                               options.normalised, options.skip_first),
                     .version = kLaplacianVersion,
                     .content = hash_of(graphs)};
  const std::int64_t nodes = total_nodes(graphs), graph_count = std::ssize(graphs);
  // One file for both: the rows of the vectors, then those of the values. How many were found follows from the sizes.
  const Tensor both = cache.get(key, {nodes + graph_count, options.count}, DType::float32, [&] {
    const LaplacianEigen eigen = laplacian_eigenvectors(graphs, options);
    return concatenate_rows(std::vector<Tensor>{eigen.vectors, eigen.values});
  });
  return {.vectors = both.rows(0, nodes),
          .values = both.rows(nodes, nodes + graph_count),
          .found = laplacian_found(graphs, options)};
}

}  // namespace atto
