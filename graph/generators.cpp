#include "graph/generators.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "graph/edge_list.hpp"

namespace atto::generate {
namespace {

void check(const char* op, const char* what, bool fits, double got, const std::string& expected) {
  if (!fits) throw ValueError({.op = op, .argument = what, .got = fmt::format("{}", got), .expected = expected});
}

void check_size(const char* op, const char* what, std::int64_t size) {
  check(op, what, size >= 0 && size <= std::numeric_limits<std::int32_t>::max(), static_cast<double>(size),
        "0 to 2^31 - 1");
}

// One try of Steger and Wormald; nothing when it is stuck.
std::optional<EdgeList> try_regular(Generator& random, std::int64_t n, std::int64_t degree) {
  std::vector<std::int64_t> ends;
  for (std::int64_t i = 0; i < n; ++i) ends.insert(ends.end(), static_cast<std::size_t>(degree), i);
  std::vector<std::vector<std::int64_t>> neighbours(static_cast<std::size_t>(n));
  EdgeList edges;
  // In each round the free ends are paired at random, and pairs that may not be stay free. A round without progress is
  // no proof that none is possible, so there are a few.
  for (int idle = 0; !ends.empty() && idle < 20;) {
    random.shuffle(std::span(ends));
    std::vector<std::int64_t> left;
    for (std::size_t k = 0; k + 1 < ends.size(); k += 2) {
      const std::int64_t a = ends[k], b = ends[k + 1];
      if (a == b || std::ranges::find(neighbours[a], b) != neighbours[a].end()) {
        left.insert(left.end(), {a, b});
        continue;
      }
      neighbours[a].push_back(b);
      neighbours[b].push_back(a);
      edges.join(a, b);
    }
    idle = left.size() == ends.size() ? idle + 1 : 0;
    ends = std::move(left);
  }
  return ends.empty() ? std::optional(std::move(edges)) : std::nullopt;
}

}  // namespace

Graph path(std::int64_t n) {
  check_size("generate::path", "n", n);
  EdgeList edges;
  for (std::int64_t i = 1; i < n; ++i) edges.join(i - 1, i);
  return edges.graph(n);
}

Graph ring(std::int64_t n) {
  check_size("generate::ring", "n", n);
  EdgeList edges;
  for (std::int64_t i = 1; i < n; ++i) edges.join(i - 1, i);
  if (n > 2) edges.join(n - 1, 0);
  return edges.graph(n);
}

Graph star(std::int64_t leaves) {
  check_size("generate::star", "leaves", leaves);
  EdgeList edges;
  for (std::int64_t i = 1; i <= leaves; ++i) edges.join(0, i);
  return edges.graph(leaves + 1);
}

Graph complete(std::int64_t n) {
  check_size("generate::complete", "n", n);
  EdgeList edges;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < i; ++j) edges.join(i, j);
  return edges.graph(n);
}

Graph grid(std::int64_t rows, std::int64_t columns, bool wrap) {
  check_size("generate::grid", "rows", rows);
  check_size("generate::grid", "columns", columns);
  check_size("generate::grid", "rows x columns", rows * columns);
  EdgeList edges;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      if (c + 1 < columns) edges.join(r * columns + c, r * columns + c + 1);
      if (r + 1 < rows) edges.join(r * columns + c, (r + 1) * columns + c);
    }
  // Around a side of two nodes leads the edge that is there already.
  for (std::int64_t r = 0; wrap && columns > 2 && r < rows; ++r) edges.join(r * columns, r * columns + columns - 1);
  for (std::int64_t c = 0; wrap && rows > 2 && c < columns; ++c) edges.join(c, (rows - 1) * columns + c);
  return edges.graph(rows * columns);
}

Graph erdos_renyi(Generator& random, std::int64_t n, double p) {
  check_size("generate::erdos_renyi", "n", n);
  check("generate::erdos_renyi", "p", p >= 0 && p <= 1, p, "0 to 1");
  EdgeList edges;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < i; ++j)
      if (random.uniform() < p) edges.join(i, j);
  return edges.graph(n);
}

Graph random_regular(Generator& random, std::int64_t n, std::int64_t degree) {
  check_size("generate::random_regular", "n", n);
  check("generate::random_regular", "degree", degree >= 0 && (degree < n || degree == 0) && n * degree % 2 == 0,
        static_cast<double>(degree), fmt::format("less than the {} nodes, with an even number of edge ends", n));
  for (int tries = 0; tries < 1000; ++tries)
    if (const std::optional<EdgeList> edges = try_regular(random, n, degree)) return edges->graph(n);
  throw NumericError({.op = "generate::random_regular",
                      .argument = "1000 tries",
                      .got = "no graph",
                      .hint = "a degree close to the number of nodes is better made by complementing a small one"});
}

Graph random_edges(Generator& random, std::int64_t n, std::int64_t edges) {
  check_size("generate::random_edges", "n", n);
  check_size("generate::random_edges", "edges", edges);
  check("generate::random_edges", "edges", n > 0 || edges == 0, static_cast<double>(edges), "0 without nodes");
  EdgeList list;
  for (std::int64_t k = 0; k < edges; ++k) {
    const std::int64_t from = random.below(n);
    list.add(from, random.below(n));
  }
  return list.graph(n);
}

Graph nearest_neighbours(const Tensor& points, std::int64_t k) {
  check_size("generate::nearest_neighbours", "k", k);
  if (points.rank() != 2)
    throw ShapeError(
        {.op = "generate::nearest_neighbours", .argument = "points", .got = points.str(), .expected = "float32[N,D]"});
  const std::int64_t n = points.size(0), dimensions = points.size(1),
                     found = std::min(k, std::max<std::int64_t>(0, n - 1));
  const float* at = points.data<float>();
  if (!std::all_of(at, at + points.numel(), [](float value) { return std::isfinite(value); }))
    throw NumericError(
        {.op = "generate::nearest_neighbours", .argument = "points", .got = "a number that is not finite"});
  check_size("generate::nearest_neighbours", "points", n);
  check_size("generate::nearest_neighbours", "points x k", n * found);
  std::vector<std::int32_t> offsets, src(static_cast<std::size_t>(n * found));
  for (std::int64_t i = 0; i <= n; ++i) offsets.push_back(static_cast<std::int32_t>(i * found));
  parallel_for(n, n * (dimensions + 4), [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::pair<double, std::int32_t>> others;
    for (std::int64_t i = begin; i < end; ++i) {
      others.clear();
      for (std::int32_t j = 0; j < n; ++j) {
        if (j == i) continue;
        double square = 0;
        for (std::int64_t d = 0; d < dimensions; ++d) {
          const double apart = double{at[i * dimensions + d]} - double{at[j * dimensions + d]};
          square += apart * apart;
        }
        others.emplace_back(square, j);
      }
      std::partial_sort(others.begin(), others.begin() + found, others.end());
      for (std::int64_t m = 0; m < found; ++m) src[i * found + m] = others[m].second;
    }
  });
  return Graph::from_in_csr(n, std::move(offsets), std::move(src));
}

}  // namespace atto::generate
