// What the edge algebra computes, as loops that are plain enough to be the definition, for the cases of edge.cpp and
// message.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "autograd/var.hpp"
#include "tests/ops/graphs.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test::edges {

using Values = std::span<const Tensor>;
using Vars = std::span<const Var>;

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

inline std::int64_t width_of(const Tensor& x) {
  return std::accumulate(x.shape().begin() + 1, x.shape().end(), std::int64_t{1}, std::multiplies<>());
}

inline Tensor joined(const Graph& g, const Tensor& s, const Tensor& d, bool multiply, bool absolute) {
  const std::int64_t w = width_of(s.defined() ? s : d);
  const auto sign = [&](double value) { return absolute ? std::abs(value) : value; };
  return edge_table(g, (s.defined() ? s : d).shape().with(0, g.num_edges()), w, [&](auto, auto i, auto j, auto c) {
    const double a = s.defined() ? sign(at(s, j, c, w)) : 0, b = d.defined() ? sign(at(d, i, c, w)) : 0;
    return multiply ? a * b : a + b;
  });
}

inline Tensor dots(const Graph& g, const Tensor& q, const Tensor& k, bool absolute) {
  const std::int64_t depth = q.size(-1), heads = depth > 0 ? width_of(q) / depth : q.rank() == 3 ? q.size(1) : 1;
  const Shape shape = q.rank() == 3 ? Shape{g.num_edges(), heads} : Shape{g.num_edges()};
  return edge_table(g, shape, heads, [&](auto, auto i, auto j, auto h) {
    double sum = 0;
    for (std::int64_t d = 0; d < depth; ++d) {
      const double term = at(q, i, h * depth + d, heads * depth) * at(k, j, h * depth + d, heads * depth);
      sum += absolute ? std::abs(term) : term;
    }
    return sum;
  });
}

inline Tensor softmax(const Graph& g, const Tensor& z) {
  const std::int64_t heads = width_of(z);
  std::vector<double> top(static_cast<std::size_t>(g.num_dst() * heads), -kInfinity), total(top.size(), 0);
  const auto place = [&](std::int64_t i, std::int64_t h) { return static_cast<std::size_t>(i * heads + h); };
  for_edges(g, [&](auto e, auto i, auto) {
    for (std::int64_t h = 0; h < heads; ++h) top[place(i, h)] = std::max(top[place(i, h)], at(z, e, h, heads));
  });
  const auto raised = [&](std::int64_t e, std::int64_t i, std::int64_t h) {
    return top[place(i, h)] == -kInfinity ? 0.0 : std::exp(at(z, e, h, heads) - top[place(i, h)]);
  };
  for_edges(g, [&](auto e, auto i, auto) {
    for (std::int64_t h = 0; h < heads; ++h) total[place(i, h)] += raised(e, i, h);
  });
  return edge_table(g, z.shape(), heads, [&](auto e, auto i, auto, auto h) {
    return total[place(i, h)] == 0 ? 0.0 : raised(e, i, h) / total[place(i, h)];
  });
}

enum class Kind { sum, mean, max, min };

// x are node features, or edge features when `w` and `x` have a row per edge: `row` says which row of x an edge sends.
template <class Row>
inline Tensor reduced(const Graph& g, Kind kind, const Tensor& w, const Tensor& x, Row&& row, bool absolute = false) {
  const std::int64_t width = width_of(x), heads = w.defined() ? width_of(w) : 1;
  const std::int64_t depth = heads > 0 ? std::max<std::int64_t>(1, width / heads) : 1;
  const auto term = [&](std::int64_t e, std::int64_t j, std::int64_t c) {
    const double m = (w.defined() ? at(w, e, c / depth, heads) : 1.0) * at(x, row(e, j), c, width);
    return absolute ? std::abs(m) : m;
  };
  Tensor y = Tensor::zeros(x.shape().with(0, g.num_dst()), DType::float64);
  std::vector<bool> seen(static_cast<std::size_t>(y.numel()), false);
  for_edges(g, [&](auto e, auto i, auto j) {
    for (std::int64_t c = 0; c < width; ++c) {
      double& to = y.data<double>()[i * width + c];
      const double m = term(e, j, c);
      if (kind == Kind::sum) to += m;
      if (kind == Kind::mean) to += m / g.in_degree(i);
      if (kind == Kind::max || kind == Kind::min) {
        std::vector<bool>::reference known = seen[static_cast<std::size_t>(i * width + c)];
        if (!known || (kind == Kind::max ? m > to : m < to)) to = m;
        known = true;
      }
    }
  });
  return y;
}

// For weighted maxima. |w| = 1.5^rank, with random ranks among the edges into a node, and 1 <= |x| <= 1.2: no two
// messages that meet are closer than 0.2.
inline Tensor apart_weights(const Graph& g, const Shape& shape, std::uint64_t seed) {
  Tensor w = uniform(shape, -1, 1, seed);
  const std::int64_t heads = width_of(w);
  const Tensor key = uniform(shape, 0, 1, seed + 100);
  for_edges(g, [&](std::int64_t e, std::int64_t i, auto) {
    for (std::int64_t h = 0; h < heads; ++h) {
      int rank = 0;
      for (std::int64_t other = g.in_offsets()[static_cast<std::size_t>(i)];
           other < g.in_offsets()[static_cast<std::size_t>(i) + 1]; ++other)
        rank += at(key, other, h, heads) < at(key, e, h, heads);
      w.data<double>()[e * heads + h] = std::copysign(std::pow(1.5, rank), at(w, e, h, heads));
    }
  });
  return w;
}

inline Tensor apart_features(const Shape& shape, std::uint64_t seed) {
  Tensor x = uniform(shape, -1, 1, seed);
  for (double& value : x.values<double>())
    value = std::copysign(1 + double{static_cast<float>(std::abs(value) / 5)}, value);
  return x;
}

/// "name x2 x3"
inline std::string sized(const std::string& name, std::initializer_list<std::int64_t> sizes) {
  std::string text = name;
  for (const std::int64_t size : sizes) text += " x" + std::to_string(size);
  return text;
}

/// Every graph that an edge operation must cope with: small ones at the edge of what there is, and a hub of many edges.
inline std::vector<NamedGraph> all_graphs() {
  std::vector<NamedGraph> graphs = small_graphs();
  graphs.push_back({"hub of 10^4 edges", hub(40, 10000)});
  return graphs;
}

/// Sizes that fill vectors of every width, with and without a rest, and tiles of every number of vectors.
inline constexpr std::int64_t kWidths[] = {1, 2, 5, 8, 11, 16, 19, 32, 37, 48, 64, 80, 131, 200};

// Graphs for sizes: any, several ranges of rows, and one beyond the cache, whose rows are fetched in advance.
inline Graph any_graph() {
  return random_square(12, 40, 6);
}
inline Graph wide_graph() {
  return random_bipartite(600, 500, 1800, 8);
}
inline Graph far_graph() {
  return random_bipartite(40000, 50, 400, 9);
}

inline Graph pair_graph() {
  return Graph::bipartite(3, 2, std::vector<std::int32_t>{0, 2, 1}, std::vector<std::int32_t>{0, 0, 1});
}

}  // namespace atto::test::edges
