#include "graph/batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "core/error.hpp"
#include "core/shape.hpp"
#include "graph/rows.hpp"

namespace atto {
namespace {

template <class Size>
Ragged borders(std::span<const Graph> graphs, Size size) {
  std::vector<std::int64_t> offsets{0};
  offsets.reserve(graphs.size() + 1);
  for (const Graph& graph : graphs) offsets.push_back(offsets.back() + std::invoke(size, graph));
  return Ragged(std::move(offsets));
}

void check_limit(std::int64_t total, const char* what) {
  if (total > std::numeric_limits<std::int32_t>::max())
    throw ShapeError({.op = "GraphBatch",
                      .argument = what,
                      .got = std::to_string(total),
                      .expected = "at most 2^31 - 1",
                      .hint = "use smaller batches"});
}

}  // namespace

// The canonical order of a union is that of the graphs one after another, so nothing has to be sorted.
GraphBatch::GraphBatch(std::span<const Graph> graphs)
    : sources_(borders(graphs, &Graph::num_src)),
      destinations_(borders(graphs, &Graph::num_dst)),
      edges_(borders(graphs, &Graph::num_edges)) {
  check_limit(sources_.total(), "sources");
  check_limit(destinations_.total(), "destinations");
  check_limit(edges_.total(), "edges");
  if (graphs.size() == 1) {
    graph_ = graphs.front();
    return;
  }
  const bool square = std::ranges::all_of(graphs, &Graph::is_square);
  if (!square && std::ranges::any_of(graphs, &Graph::is_square))
    throw ShapeError(
        {.op = "GraphBatch", .argument = "graphs", .got = "square and bipartite graphs", .expected = "one kind"});

  std::vector<std::int32_t> offsets{0}, src;
  offsets.reserve(static_cast<std::size_t>(destinations_.total()) + 1);
  src.reserve(static_cast<std::size_t>(edges_.total()));
  for (std::size_t g = 0; g < graphs.size(); ++g) {
    const auto first_source = static_cast<std::int32_t>(sources_.offsets()[g]);
    const auto first_edge = static_cast<std::int32_t>(edges_.offsets()[g]);
    for (const std::int32_t offset : graphs[g].in_offsets().subspan(1)) offsets.push_back(offset + first_edge);
    for (const std::int32_t j : graphs[g].in_src()) src.push_back(j + first_source);
  }
  std::vector<std::int32_t> order(src.size());
  std::iota(order.begin(), order.end(), 0);
  graph_ = Graph::from_canonical(sources_.total(), square, std::move(offsets), std::move(src), std::move(order));
}

const Ragged& GraphBatch::nodes() const {
  if (size() > 0) graph_.num_nodes();  // throws for bipartite graphs
  return destinations_;
}

BucketPlane take_planes(const BucketPlane& planes, std::span<const std::int64_t> chosen) {
  BucketPlane taken;
  const auto count = static_cast<std::int64_t>(planes.offsets.size()) - 1;
  for (const std::int64_t g : chosen) {
    if (g < 0 || g >= count)
      throw IndexError({.op = "take_planes",
                        .argument = "chosen",
                        .got = std::to_string(g),
                        .expected = fmt::format("one of {} graphs", count)});
    taken.offsets.push_back(taken.offsets.back() + planes.offsets[g + 1] - planes.offsets[g]);
  }
  taken.values = Tensor::empty({taken.offsets.back()}, DType::uint8);
  std::uint8_t* out = taken.values.data<std::uint8_t>();
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    const std::int64_t size = taken.offsets[k + 1] - taken.offsets[k];
    if (size > 0)
      std::memcpy(out + taken.offsets[k], planes.values.data<std::uint8_t>() + planes.offsets[chosen[k]],
                  static_cast<std::size_t>(size));
  }
  return taken;
}

BucketPlane concatenate_planes(std::span<const BucketPlane> parts) {
  BucketPlane whole;
  std::vector<Tensor> values;
  for (const BucketPlane& part : parts) {
    const std::int64_t base = whole.offsets.back();
    for (std::size_t g = 1; g < part.offsets.size(); ++g) whole.offsets.push_back(base + part.offsets[g]);
    if (part.values.defined()) values.push_back(part.values);
  }
  whole.values = values.empty() ? Tensor::empty({0}, DType::uint8) : concatenate_rows(values);
  return whole;
}

void check_plane(const BucketPlane& planes, const Ragged& nodes, const char* op) {
  const auto count = static_cast<std::int64_t>(planes.offsets.size()) - 1;
  if (count != nodes.count())
    throw ShapeError({.op = op,
                      .argument = "planes",
                      .got = fmt::format("planes of {} graphs", count),
                      .expected = fmt::format("{}, as many as there are graphs in the batch", nodes.count())});
  if (planes.values.defined() && planes.values.dtype() != DType::uint8)
    throw TypeError({.op = op, .argument = "planes", .got = planes.values.str(), .expected = "uint8"});
  for (std::int64_t g = 0; g < count; ++g) {
    const std::int64_t n = nodes.size(g), size = planes.offsets[g + 1] - planes.offsets[g];
    if (size != checked_multiply(n, n))
      throw ShapeError({.op = op,
                        .argument = fmt::format("plane of graph {}", g),
                        .got = fmt::format("{} values", size),
                        .expected = fmt::format("{} x {}", n, n)});
  }
  if (planes.values.numel() != planes.offsets.back() || planes.offsets.front() != 0)
    throw ShapeError({.op = op,
                      .argument = "planes",
                      .got = planes.values.str(),
                      .expected = fmt::format("{} values", planes.offsets.back())});
}

}  // namespace atto
