#include "graph/graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/error.hpp"
#include "graph/components.hpp"

namespace atto {
namespace {

// Edges and nodes in a range of in_blocks(): with 64 features an edge is 64 operations, so a range is some microseconds
// of work, enough to pay for handing it out.
constexpr std::int64_t kBlockWeight = 512;

void check_ends(std::span<const std::int32_t> ends, std::int64_t limit, const char* what) {
  for (std::size_t k = 0; k < ends.size(); ++k)
    if (ends[k] < 0 || ends[k] >= limit)
      throw IndexError(
          {.op = "Graph",
           .argument = fmt::format("{} of edge {}", what, k),
           .got = std::to_string(ends[k]),
           .expected = limit == 0 ? "no edge, because there are no nodes" : fmt::format("0 to {}", limit - 1)});
}

// counts[i + 1] = number of k with keys[k] == i, then summed up: where the entries of i begin.
std::vector<std::int32_t> offsets_by(std::span<const std::int32_t> keys, std::int64_t size) {
  std::vector<std::int32_t> offsets(static_cast<std::size_t>(size) + 1, 0);
  for (const std::int32_t key : keys) ++offsets[key + 1];
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  return offsets;
}

std::vector<std::int32_t> blocks_of(std::span<const std::int32_t> offsets) {
  std::vector<std::int32_t> borders{0};
  std::int64_t weight = 0;
  const std::int64_t rows = static_cast<std::int64_t>(offsets.size()) - 1;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t row = 1 + offsets[i + 1] - offsets[i];
    if (weight > 0 && weight + row > kBlockWeight) {
      borders.push_back(static_cast<std::int32_t>(i));
      weight = 0;
    }
    weight += row;
  }
  if (rows > 0) borders.push_back(static_cast<std::int32_t>(rows));
  return borders;
}

std::vector<std::int32_t> iota(std::size_t size) {
  std::vector<std::int32_t> numbers(size);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

}  // namespace

Graph::Graph() {
  static const auto empty = std::make_shared<const Data>();
  data_ = empty;
}

Graph Graph::from_edges(std::int64_t num_nodes, std::span<const std::int32_t> src, std::span<const std::int32_t> dst) {
  checked_index(num_nodes, "num_nodes");
  return from_list(num_nodes, num_nodes, true, src, dst);
}

Graph Graph::from_edges(std::int64_t num_nodes, std::initializer_list<std::pair<std::int32_t, std::int32_t>> edges) {
  std::vector<std::int32_t> src, dst;
  for (const auto& [from, to] : edges) {
    src.push_back(from);
    dst.push_back(to);
  }
  return from_edges(num_nodes, src, dst);
}

Graph Graph::bipartite(std::int64_t num_src, std::int64_t num_dst, std::span<const std::int32_t> src,
                       std::span<const std::int32_t> dst) {
  checked_index(num_src, "num_src");
  checked_index(num_dst, "num_dst");
  return from_list(num_src, num_dst, false, src, dst);
}

Graph Graph::from_in_csr(std::int64_t num_src, std::vector<std::int32_t> in_offsets, std::vector<std::int32_t> in_src) {
  checked_index(num_src, "num_src");
  checked_index(static_cast<std::int64_t>(in_src.size()), "edges");
  check_ends(in_src, num_src, "source");
  const bool whole = !in_offsets.empty() && in_offsets.front() == 0 &&
                     std::is_sorted(in_offsets.begin(), in_offsets.end()) &&
                     in_offsets.back() == static_cast<std::int64_t>(in_src.size());
  if (!whole)
    throw ValueError({.op = "Graph::from_in_csr",
                      .argument = "in_offsets",
                      .got = "other offsets",
                      .expected = fmt::format("offsets that rise from 0 to the {} edges", in_src.size())});
  const bool square = num_src == static_cast<std::int64_t>(in_offsets.size()) - 1;
  std::vector<std::int32_t> order = iota(in_src.size());
  return from_canonical(num_src, square, std::move(in_offsets), std::move(in_src), std::move(order));
}

// A counting sort by destination: it is stable, and so gives the canonical order.
Graph Graph::from_list(std::int64_t num_src, std::int64_t num_dst, bool square, std::span<const std::int32_t> src,
                       std::span<const std::int32_t> dst) {
  if (src.size() != dst.size())
    throw ShapeError({.op = "Graph",
                      .argument = "dst",
                      .got = fmt::format("{} destinations", dst.size()),
                      .expected = fmt::format("as many as sources ({})", src.size())});
  checked_index(static_cast<std::int64_t>(src.size()), "edges");
  check_ends(src, num_src, "source");
  check_ends(dst, num_dst, "destination");

  std::vector<std::int32_t> in_offsets = offsets_by(dst, num_dst), in_src(src.size()), order(src.size());
  std::vector<std::int32_t> next(in_offsets.begin(), in_offsets.end() - 1);
  for (std::size_t k = 0; k < src.size(); ++k) {
    const std::int32_t place = next[dst[k]]++;
    in_src[place] = src[k];
    order[place] = static_cast<std::int32_t>(k);
  }
  return from_canonical(num_src, square, std::move(in_offsets), std::move(in_src), std::move(order));
}

// What follows from the canonical arrays: a counting sort by source, and the ranges for parallel loops.
Graph Graph::from_canonical(std::int64_t num_src, bool square, std::vector<std::int32_t> in_offsets,
                            std::vector<std::int32_t> in_src, std::vector<std::int32_t> edge_order) {
  Data data;
  data.num_src = num_src;
  data.num_dst = static_cast<std::int64_t>(in_offsets.size()) - 1;
  data.square = square;
  data.in_offsets = std::move(in_offsets);
  data.in_src = std::move(in_src);
  data.edge_order = std::move(edge_order);

  const std::size_t edges = data.in_src.size();
  data.edge_dst.resize(edges);
  for (std::int64_t i = 0; i < data.num_dst; ++i)
    std::fill(data.edge_dst.begin() + data.in_offsets[i], data.edge_dst.begin() + data.in_offsets[i + 1],
              static_cast<std::int32_t>(i));

  data.out_offsets = offsets_by(data.in_src, data.num_src);
  data.out_dst.resize(edges);
  data.out_edge.resize(edges);
  std::vector<std::int32_t> next(data.out_offsets.begin(), data.out_offsets.end() - 1);
  for (std::size_t e = 0; e < edges; ++e) {
    const std::int32_t place = next[data.in_src[e]]++;
    data.out_dst[place] = data.edge_dst[e];
    data.out_edge[place] = static_cast<std::int32_t>(e);
  }
  data.in_blocks = blocks_of(data.in_offsets);
  data.out_blocks = blocks_of(data.out_offsets);
  return Graph(std::make_shared<const Data>(std::move(data)));
}

std::int32_t Graph::checked_index(std::int64_t size, const char* what) {
  if (size < 0 || size > std::numeric_limits<std::int32_t>::max())
    throw ValueError({.op = "Graph", .argument = what, .got = std::to_string(size), .expected = "0 to 2^31 - 1"});
  return static_cast<std::int32_t>(size);
}

std::int64_t Graph::num_nodes() const {
  require_square("num_nodes");
  return data_->num_dst;
}

void Graph::require_square(const char* op) const {
  if (!is_square())
    throw ShapeError({.op = op,
                      .argument = "graph",
                      .got = fmt::format("{} sources and {} destinations", num_src(), num_dst()),
                      .expected = "one set of nodes",
                      .hint = "build it with Graph::from_edges"});
}

bool operator==(const Graph& a, const Graph& b) {
  if (a.data_ == b.data_) return true;
  return a.num_src() == b.num_src() && a.num_dst() == b.num_dst() && a.is_square() == b.is_square() &&
         std::ranges::equal(a.in_offsets(), b.in_offsets()) && std::ranges::equal(a.in_src(), b.in_src());
}

std::string Graph::describe() const {
  std::int32_t low = num_dst() > 0 ? std::numeric_limits<std::int32_t>::max() : 0, high = 0;
  for (std::int64_t i = 0; i < num_dst(); ++i) {
    low = std::min(low, in_degree(i));
    high = std::max(high, in_degree(i));
  }
  const double mean = num_dst() > 0 ? static_cast<double>(num_edges()) / static_cast<double>(num_dst()) : 0.0;
  const auto count = [](std::int64_t n, const char* one) { return fmt::format("{} {}{}", n, one, n == 1 ? "" : "s"); };
  const std::string degrees =
      fmt::format("{}, in-degree {}..{} (mean {:.2f})", count(num_edges(), "edge"), low, high, mean);
  if (!is_square())
    return fmt::format("Graph: {} to {}, {}", count(num_src(), "source"), count(num_dst(), "destination"), degrees);
  return fmt::format("Graph: {}, {}, {}, {}, {}", count(num_nodes(), "node"), degrees,
                     count(count_self_loops(*this), "self-loop"), is_symmetric(*this) ? "undirected" : "directed",
                     count(count_components(*this), "component"));
}

}  // namespace atto
