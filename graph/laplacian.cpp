#include "graph/laplacian.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/lapack.hpp"
#include "core/parallel.hpp"
#include "core/shape.hpp"

namespace atto {
namespace {

// n x n, row-major.
std::vector<double> laplacian(const Graph& graph, bool normalised) {
  const std::int64_t n = graph.num_nodes();
  std::vector<double> matrix(static_cast<std::size_t>(n * n), 0.0), scale(static_cast<std::size_t>(n));
  for (std::int64_t e = 0; e < graph.num_edges(); ++e) {
    const std::int64_t j = graph.in_src()[e], i = graph.edge_dst()[e];
    if (i != j) matrix[i * n + j] = matrix[j * n + i] = -1;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const double degree = static_cast<double>(std::count(matrix.begin() + i * n, matrix.begin() + (i + 1) * n, -1.0));
    scale[i] = normalised && degree > 0 ? 1 / std::sqrt(degree) : 1;
    matrix[i * n + i] = degree;
  }
  if (normalised)
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        matrix[i * n + j] = i == j ? std::min(matrix[i * n + i], 1.0) : matrix[i * n + j] * scale[i] * scale[j];
  return matrix;
}

double sign_of(std::span<const double> vector) {
  double largest = 0;
  for (const double entry : vector) largest = std::max(largest, std::abs(entry));
  const auto first =
      std::ranges::find_if(vector, [&](double entry) { return std::abs(entry) >= largest * (1 - 1e-6); });
  return first != vector.end() && *first < 0 ? -1 : 1;
}

Tensor with_signs(const Tensor& vectors, const Ragged& nodes, const RandomStream& stream) {
  if (vectors.rank() != 2 || vectors.size(0) != nodes.total() || vectors.dtype() != DType::float32)
    throw ShapeError({.op = "flip_signs",
                      .argument = "vectors",
                      .got = vectors.str(),
                      .expected = "float32[" + std::to_string(nodes.total()) + ",K]"});
  const Tensor flipped = vectors.clone();
  const std::int64_t count = vectors.size(1);
  for (std::int64_t g = 0; g < nodes.count(); ++g)
    for (std::int64_t k = 0; k < count; ++k) {
      if ((stream.bits(static_cast<std::uint64_t>(g * count + k)) & 1) == 0) continue;
      for (std::int64_t i = nodes.begin(g); i < nodes.end(g); ++i) flipped.data<float>()[i * count + k] *= -1;
    }
  return flipped;
}

}  // namespace

Tensor laplacian_found(std::span<const Graph> graphs, const LaplacianOptions& options) {
  std::vector<std::int64_t> found;
  for (const Graph& graph : graphs)
    found.push_back(std::clamp<std::int64_t>(graph.num_nodes() - (options.skip_first ? 1 : 0), 0, options.count));
  return Tensor::from(found);
}

LaplacianEigen laplacian_eigenvectors(std::span<const Graph> graphs, const LaplacianOptions& options) {
  if (options.count < 1)
    throw ValueError({.op = "laplacian_eigenvectors",
                      .argument = "count",
                      .got = std::to_string(options.count),
                      .expected = "at least 1"});
  std::vector<std::int64_t> sizes;
  for (const Graph& graph : graphs) sizes.push_back(graph.num_nodes());
  const Ragged nodes = Ragged::from_sizes(sizes);
  const std::int64_t columns = options.count, skip = options.skip_first ? 1 : 0;
  const LaplacianEigen eigen{.vectors = Tensor::zeros({nodes.total(), columns}),
                             .values = Tensor::zeros({nodes.count(), columns}),
                             .found = laplacian_found(graphs, options)};
  parallel_chunks(nodes.count(), 1, kSerialWork, [&](std::int64_t g, std::int64_t, std::int64_t) {
    const std::int64_t n = nodes.size(g);
    if (n > lapack::kLargestOrder)
      throw ShapeError({.op = "laplacian_eigenvectors",
                        .argument = "graph " + std::to_string(g),
                        .got = std::to_string(n) + " nodes",
                        .expected = "at most " + std::to_string(lapack::kLargestOrder),
                        .hint = "use random walks (rwse) for large graphs"});
    std::vector<double> matrix = laplacian(graphs[g], options.normalised), values(static_cast<std::size_t>(n));
    lapack::symmetric_eigen(n, matrix.data(), values.data());
    const std::int64_t found = eigen.found.data<std::int64_t>()[g];
    for (std::int64_t k = 0; k < found; ++k) {
      const std::span<const double> vector(matrix.data() + (k + skip) * n, static_cast<std::size_t>(n));
      const double sign = sign_of(vector);
      eigen.values.data<float>()[g * columns + k] = static_cast<float>(std::max(0.0, values[k + skip]));
      for (std::int64_t i = 0; i < n; ++i)
        eigen.vectors.data<float>()[(nodes.begin(g) + i) * columns + k] = static_cast<float>(sign * vector[i]);
    }
  });
  return eigen;
}

LaplacianEigen laplacian_eigenvectors(const Graph& graph, const LaplacianOptions& options) {
  return laplacian_eigenvectors(std::span(&graph, 1), options);
}

Tensor flip_signs(const Tensor& vectors, const RandomStream& stream) {
  return with_signs(vectors, Ragged::single(vectors.rank() == 2 ? vectors.size(0) : 0), stream);
}

Tensor flip_signs(const Tensor& vectors, const Ragged& nodes, const RandomStream& stream) {
  return with_signs(vectors, nodes, stream);
}

}  // namespace atto
