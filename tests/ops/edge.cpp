// Cases of the edge algebra: every operation on every small graph, on a hub, and with sizes that end in every kind of vector.

#include <algorithm>
#include <limits>
#include <numeric>

#include "ops/edge/edge.hpp"
#include "ops/edge/message.hpp"
#include "tests/ops/graphs.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

using Values = std::span<const Tensor>;
using Vars = std::span<const Var>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::int64_t width_of(const Tensor& x) {
  return std::accumulate(x.shape().begin() + 1, x.shape().end(), std::int64_t{1}, std::multiplies<>());
}

// ---- Definitions ---------------------------------------------------------------------------------------------------------

Tensor joined(const Graph& g, const Tensor& s, const Tensor& d, bool multiply, bool absolute) {
  const std::int64_t w = width_of(s.defined() ? s : d);
  const auto sign = [&](double value) { return absolute ? std::abs(value) : value; };
  return edge_table(g, (s.defined() ? s : d).shape().with(0, g.num_edges()), w, [&](auto, auto i, auto j, auto c) {
    const double a = s.defined() ? sign(at(s, j, c, w)) : 0, b = d.defined() ? sign(at(d, i, c, w)) : 0;
    return multiply ? a * b : a + b;
  });
}

Tensor dots(const Graph& g, const Tensor& q, const Tensor& k, bool absolute) {
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

Tensor softmax(const Graph& g, const Tensor& z) {
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
Tensor reduced(const Graph& g, Kind kind, const Tensor& w, const Tensor& x, Row&& row, bool absolute = false) {
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

// For weighted maxima. |w| = 1.5^rank, with random ranks among the edges into a node, and 1 <= |x| <= 1.2: no two messages that
// meet are closer than 0.2.
Tensor apart_weights(const Graph& g, const Shape& shape, std::uint64_t seed) {
  Tensor w = uniform(shape, -1, 1, seed);
  const std::int64_t heads = width_of(w);
  const Tensor key = uniform(shape, 0, 1, seed + 100);
  for_edges(g, [&](std::int64_t e, std::int64_t i, auto) {
    for (std::int64_t h = 0; h < heads; ++h) {
      int rank = 0;
      for (std::int64_t other = g.in_offsets()[static_cast<std::size_t>(i)]; other < g.in_offsets()[static_cast<std::size_t>(i) + 1]; ++other)
        rank += at(key, other, h, heads) < at(key, e, h, heads);
      w.data<double>()[e * heads + h] = std::copysign(std::pow(1.5, rank), at(w, e, h, heads));
    }
  });
  return w;
}

Tensor apart_features(const Shape& shape, std::uint64_t seed) {
  Tensor x = uniform(shape, -1, 1, seed);
  for (double& value : x.values<double>()) value = std::copysign(1 + double{static_cast<float>(std::abs(value) / 5)}, value);
  return x;
}

// ---- Cases ---------------------------------------------------------------------------------------------------------------

std::string sized(const std::string& name, std::initializer_list<std::int64_t> sizes) {
  std::string text = name;
  for (const std::int64_t size : sizes) text += " x" + std::to_string(size);
  return text;
}

OpCase join_case(const std::string& name, const Graph& g, const Shape& row, bool multiply) {
  const auto rows = [&](std::int64_t count) {
    std::vector<std::int64_t> sizes{count};
    sizes.insert(sizes.end(), row.begin(), row.end());
    return Shape(sizes);
  };
  return {
      .op = multiply ? "edge_mul" : "edge_add",
      .name = name,
      .inputs = {uniform(rows(g.num_src())), uniform(rows(g.num_dst()), -1, 1, 2)},
      .run = [=](Vars in) { return multiply ? edge_mul(g, in[0], in[1]) : edge_add(g, in[0], in[1]); },
      .expected = [=](Values in) { return joined(g, in[0], in[1], multiply, false); },
      .magnitude = [=](Values in) { return joined(g, in[0], in[1], multiply, true); },
      .k = 4,  // of the gradient: sums over 10^4 edges
  };
}

OpCase one_sided_case(const std::string& name, const Graph& g, bool from_source) {
  return {
      .op = "edge_add",
      .name = name + (from_source ? ", sources only" : ", destinations only"),
      .inputs = {uniform({from_source ? g.num_src() : g.num_dst(), 3})},
      .run = [=](Vars in) { return from_source ? edge_add(g, in[0], {}) : edge_add(g, {}, in[0]); },
      .expected = [=](Values in) { return from_source ? joined(g, in[0], {}, false, false) : joined(g, {}, in[0], false, false); },
      .k = 4,  // of the gradient: sums over 10^4 edges
  };
}

OpCase dot_case(const std::string& name, const Graph& g, std::int64_t heads, std::int64_t depth) {
  const auto shape = [&](std::int64_t nodes) { return heads == 0 ? Shape{nodes, depth} : Shape{nodes, heads, depth}; };
  return {
      .op = "edge_dot",
      .name = sized(name, {heads, depth}),
      .inputs = {uniform(shape(g.num_dst())), uniform(shape(g.num_src()), -1, 1, 2)},
      .run = [=](Vars in) { return edge_dot(g, in[0], in[1]); },
      .expected = [=](Values in) { return dots(g, in[0], in[1], false); },
      .magnitude = [=](Values in) { return dots(g, in[0], in[1], true); },
      .k = 2,
      .reference = [=](Vars in) { return edge_dot_reference(g, in[0], in[1]); },
  };
}

OpCase softmax_case(const std::string& name, const Graph& g, const Shape& shape, double range = 3) {
  return {
      .op = "edge_softmax",
      .name = name,
      .inputs = {uniform(shape, -range, range)},
      .run = [=](Vars in) { return edge_softmax(g, in[0]); },
      .expected = [=](Values in) { return softmax(g, in[0]); },
      // Rounding z - max shifts the exponential by as many units as |z - max|; a hub's sum is long.
      .k = 2 * range + (g.num_edges() > 9500 ? 60 : 4),
      .reference = [=](Vars in) { return edge_softmax_reference(g, in[0]); },
  };
}

// Every third row is masked altogether, and every third edge elsewhere.
OpCase masked_softmax_case() {
  const Graph g = random_square(9, 40, 5);
  const auto mask = edge_table(g, {g.num_edges(), 2}, 2, [](auto e, auto i, auto, auto) { return i % 3 == 0 || e % 3 == 0 ? -kInfinity : 0.0; });
  return {
      .op = "edge_softmax",
      .name = "rows and edges of -infinity",
      .inputs = {uniform({g.num_edges(), 2})},
      .run =
          [=](Vars in) {
            Tensor z = in[0].value().clone();
            for (std::int64_t k = 0; k < z.numel(); ++k)
              if (mask.data<double>()[k] < 0) visit_float(z.dtype(), "test", [&]<class T>() { z.data<T>()[k] = static_cast<T>(-kInfinity); });
            return edge_softmax(g, Var(z));
          },
      .expected =
          [=](Values in) {
            return softmax(g, tabulate(in[0].shape(), [&](std::int64_t k) { return in[0].data<double>()[k] + mask.data<double>()[k]; }));
          },
      .k = 8,
      .differentiable = false,
  };
}

using EdgeReduceFn = Var (*)(const Graph&, const Var&);
OpCase edge_reduce_case(const std::string& op, EdgeReduceFn f, Kind kind, const std::string& name, const Graph& g, const Shape& row) {
  std::vector<std::int64_t> sizes{g.num_edges()};
  sizes.insert(sizes.end(), row.begin(), row.end());
  const auto edge = [](std::int64_t e, std::int64_t) { return e; };
  return {
      .op = op,
      .name = name,
      .inputs = {kind == Kind::sum || kind == Kind::mean ? uniform(Shape(sizes)) : spaced(Shape(sizes), 1.0 / 64, 1)},
      .run = [=](Vars in) { return f(g, in[0]); },
      .expected = [=](Values in) { return reduced(g, kind, {}, in[0], edge); },
      .magnitude = [=](Values in) { return reduced(g, kind, {}, in[0], edge, kind == Kind::sum || kind == Kind::mean); },
      .k = kind == Kind::sum || kind == Kind::mean ? 2.0 : 1.0,
  };
}

using SpmmFn = Var (*)(const Graph&, const Var&, const Var&);
// Weights [E, weights...] or none, features [N_src, row...].
OpCase spmm_case(const std::string& op, SpmmFn f, SpmmFn reference, Kind kind, const std::string& name, const Graph& g,
                 std::vector<std::int64_t> weights, std::vector<std::int64_t> row, bool weighted = true) {
  weights.insert(weights.begin(), g.num_edges());
  row.insert(row.begin(), g.num_src());
  const bool adds = kind == Kind::sum || kind == Kind::mean;
  const auto source = [](std::int64_t, std::int64_t j) { return j; };
  const auto definition = [=](Values in, bool absolute) {
    return weighted ? reduced(g, kind, in[0], in[1], source, absolute) : reduced(g, kind, {}, in[0], source, absolute);
  };
  std::vector<Tensor> inputs;
  if (weighted) inputs.push_back(adds ? uniform(Shape(weights), -1, 1, 3) : apart_weights(g, Shape(weights), 3));
  inputs.push_back(adds ? uniform(Shape(row), -1, 1, 4) : weighted ? apart_features(Shape(row), 4) : spaced(Shape(row), 1.0 / 64, 4));
  return {
      .op = op,
      .name = name,
      .inputs = inputs,
      .run = [=](Vars in) { return weighted ? f(g, in[0], in[1]) : f(g, {}, in[0]); },
      .expected = [=](Values in) { return definition(in, false); },
      .magnitude = [=](Values in) { return definition(in, adds); },
      .k = adds ? 2.0 : 1.0,
      .reference = [=](Vars in) { return weighted ? reference(g, in[0], in[1]) : reference(g, {}, in[0]); },
  };
}

OpCase bucket_case(const std::string& name, std::int64_t edges, std::int64_t heads, std::int64_t buckets) {
  Generator random(7);
  std::vector<std::uint8_t> of_edge;
  for (std::int64_t e = 0; e < edges; ++e) of_edge.push_back(static_cast<std::uint8_t>(random.below(buckets)));
  const Tensor bucket = Tensor::from(of_edge, {edges});
  return {
      .op = "edge_bucket",
      .name = name,
      .inputs = {uniform({heads, buckets})},
      .run = [=](Vars in) { return edge_bucket(in[0], bucket); },
      .expected =
          [=](Values in) {
            return tabulate({edges, heads}, [&](std::int64_t k) {
              return in[0].data<double>()[k % heads * buckets + of_edge[static_cast<std::size_t>(k / heads)]];
            });
          },
      .k = 1,
  };
}

OpCase gated_case(const std::string& name, const Graph& g, std::int64_t width, double epsilon) {
  const auto quotient = [=](Values in, bool absolute) {
    const auto term = [&](std::int64_t e, std::int64_t j, std::int64_t c) {
      const double m = at(in[0], e, c, width) * at(in[1], j, c, width);
      return absolute ? std::abs(m) : m;
    };
    Tensor top = node_sums(g, {g.num_dst(), width}, width, [&](auto e, auto, auto j, auto c) { return term(e, j, c); });
    const Tensor gates = node_sums(g, top.shape(), width, [&](auto e, auto, auto, auto c) { return at(in[0], e, c, width); });
    for (std::int64_t k = 0; k < top.numel(); ++k) top.data<double>()[k] /= gates.data<double>()[k] + epsilon;
    return top;
  };
  return {
      .op = "gated_sum",
      .name = sized(name, {width}),
      .inputs = {uniform({g.num_edges(), width}, 0.1, 1), uniform({g.num_src(), width}, -1, 1, 2)},
      .run = [=](Vars in) { return gated_sum(g, in[0], in[1], epsilon); },
      .expected = [=](Values in) { return quotient(in, false); },
      .magnitude = [=](Values in) { return quotient(in, true); },
      .k = 4,
      .reference = [=](Vars in) { return gated_sum_reference(g, in[0], in[1], epsilon); },
  };
}

OpCase gine_case(const std::string& name, const Graph& g, std::int64_t width) {
  const auto sums = [=](Values in) {
    return node_sums(g, {g.num_dst(), width}, width,
                     [&](auto e, auto, auto j, auto c) { return std::max(0.0, at(in[0], j, c, width) + at(in[1], e, c, width)); });
  };
  return {
      .op = "gine_sum",
      .name = sized(name, {width}),
      .inputs = {on_grid({g.num_src(), width}, 0, 1), on_grid({g.num_edges(), width}, 1.0 / 64, 2)},  // x + e is never 0
      .run = [=](Vars in) { return gine_sum(g, in[0], in[1]); },
      .expected = sums,
      .k = 4,
      .reference = [=](Vars in) { return gine_sum_reference(g, in[0], in[1]); },
  };
}

struct Reduction {
  std::string suffix;
  Kind kind;
  EdgeReduceFn edge;
  SpmmFn spmm, reference;
};

const std::vector<Reduction> kReductions{
    {"sum", Kind::sum, edge_sum, spmm, spmm_reference},
    {"mean", Kind::mean, edge_mean, spmm_mean, spmm_mean_reference},
    {"max", Kind::max, edge_max, spmm_max, spmm_max_reference},
    {"min", Kind::min, edge_min, spmm_min, spmm_min_reference},
};

std::vector<OpCase> all_cases() {
  std::vector<OpCase> list;
  std::vector<NamedGraph> graphs = small_graphs();
  graphs.push_back({"hub of 10^4 edges", hub(40, 10000)});
  for (const auto& [name, g] : graphs) {
    list.push_back(join_case(name, g, {3}, false));
    list.push_back(join_case(name, g, {2, 3}, true));
    list.push_back(one_sided_case(name, g, true));
    list.push_back(one_sided_case(name, g, false));
    list.push_back(dot_case(name, g, 2, 3));
    list.push_back(softmax_case(name, g, {g.num_edges(), 2}));
    list.push_back(softmax_case(name + ", one head", g, {g.num_edges()}));
    list.push_back(softmax_case(name + ", eight heads", g, {g.num_edges(), 8}));
    list.push_back(gated_case(name, g, 3, 0.1));
    list.push_back(gine_case(name, g, 3));
    for (const Reduction& r : kReductions) {
      list.push_back(edge_reduce_case("edge_" + r.suffix, r.edge, r.kind, name, g, {2}));
      list.push_back(spmm_case(r.suffix == "sum" ? "spmm" : "spmm_" + r.suffix, r.spmm, r.reference, r.kind, name, g, {2}, {2, 3},
                               r.kind == Kind::sum || r.kind == Kind::mean || g.num_edges() < 1000));
    }
  }

  // Sizes that fill vectors of every width, with and without a rest, and tiles of every number of vectors.
  const Graph g = random_square(12, 40, 6);
  const Graph wide = random_bipartite(600, 500, 1800, 8);  // several ranges of rows
  const Graph far = random_bipartite(40000, 50, 400, 9);   // beyond the cache: rows are fetched in advance
  for (const std::int64_t width : {1, 2, 5, 8, 11, 16, 19, 32, 37, 48, 64, 80, 131, 200}) {
    list.push_back(join_case(sized("width", {width}), g, {width}, false));
    list.push_back(join_case(sized("width", {width}), g, {width}, true));
    list.push_back(dot_case("one head", g, 0, width));
    list.push_back(softmax_case(sized("heads", {width}), g, {g.num_edges(), width}));
    list.push_back(gated_case("width", g, width, 0.25));
    list.push_back(gine_case("width", g, width));
    for (const Reduction& r : kReductions) {
      const std::string spmm_name = r.suffix == "sum" ? "spmm" : "spmm_" + r.suffix;
      list.push_back(edge_reduce_case("edge_" + r.suffix, r.edge, r.kind, sized("width", {width}), g, {width}));
      list.push_back(spmm_case(spmm_name, r.spmm, r.reference, r.kind, sized("no weights", {width}), g, {}, {width}, false));
      list.push_back(spmm_case(spmm_name, r.spmm, r.reference, r.kind, sized("one weight", {width}), g, {}, {width}));
      list.push_back(spmm_case(spmm_name, r.spmm, r.reference, r.kind, sized("a weight per channel", {width}), g, {width}, {width}));
      list.push_back(spmm_case(spmm_name, r.spmm, r.reference, r.kind, sized("three heads", {width}), g, {3}, {3, width}));
    }
  }
  for (const auto& [heads, depth] : {std::pair{8, 8}, {4, 16}, {2, 37}, {5, 3}, {1, 64}}) list.push_back(dot_case("heads", g, heads, depth));
  list.push_back(spmm_case("spmm", spmm, spmm_reference, Kind::sum, "weights [E,2,3]", g, {2, 3}, {2, 3, 4}));
  list.push_back(spmm_case("spmm", spmm, spmm_reference, Kind::sum, "weights of a wider rank", g, {2, 3}, {2, 3}));
  list.push_back(softmax_case("rank 1", g, {g.num_edges()}));
  list.push_back(softmax_case("large logits", g, {g.num_edges(), 3}, 40));
  list.push_back(masked_softmax_case());
  list.push_back(join_case("rank 1", g, Shape{}, false));
  list.push_back(dot_case("no channels", g, 2, 0));
  list.push_back(spmm_case("spmm", spmm, spmm_reference, Kind::sum, "no channels", g, {2}, {2, 0}));
  list.push_back(spmm_case("spmm", spmm, spmm_reference, Kind::sum, "no heads", g, {0}, {0, 2}));

  list.push_back(join_case("several threads", wide, {70}, false));
  list.push_back(dot_case("several threads", wide, 2, 35));
  list.push_back(softmax_case("several threads", wide, {wide.num_edges(), 11}));
  const Graph many = random_bipartite(50, 3000, 9000, 10);
  list.push_back(softmax_case("several threads, one head", many, {many.num_edges()}));
  list.push_back(softmax_case("several threads, four heads", many, {many.num_edges(), 4}));
  list.push_back(gated_case("several threads", wide, 70, 1e-6));
  list.push_back(gine_case("several threads", wide, 70));
  list.push_back(spmm_case("spmm", spmm, spmm_reference, Kind::sum, "several threads", wide, {2}, {2, 35}));
  list.push_back(spmm_case("spmm_max", spmm_max, spmm_max_reference, Kind::max, "several threads", wide, {}, {70}, false));
  list.push_back(spmm_case("spmm", spmm, spmm_reference, Kind::sum, "fetched in advance", far, {2}, {2, 8}));
  list.push_back(dot_case("fetched in advance", far, 2, 8));
  list.push_back(gated_case("fetched in advance", far, 16, 1e-6));
  list.push_back(gine_case("fetched in advance", far, 16));

  list.push_back(bucket_case("3 heads", 50, 3, 9));
  list.push_back(bucket_case("all buckets", 700, 2, 256));
  list.push_back(bucket_case("no edges", 0, 2, 4));
  list.push_back(bucket_case("no heads", 5, 0, 4));
  list.push_back(bucket_case("several chunks", 20000, 4, 7));
  return list;
}

const RegisterCases cases(all_cases);

const Graph kPair = Graph::bipartite(3, 2, std::vector<std::int32_t>{0, 2, 1}, std::vector<std::int32_t>{0, 0, 1});

std::vector<OpError> all_errors() {
  std::vector<OpError> list{
      {.op = "edge_add", .name = "too few sources", .call = [] { edge_add(kPair, uniform({2, 4}), {}); }, .text = "edge_add: src: got [2,4], expected [N_src,...] with N_src = 3"},
      {.op = "edge_add", .name = "too many destinations", .call = [] { edge_add(kPair, {}, uniform({3, 4})); }, .text = "edge_add: dst: got [3,4], expected [N_dst,...] with N_dst = 2"},
      {.op = "edge_add", .name = "widths differ", .call = [] { edge_add(kPair, uniform({3, 4}), uniform({2, 5})); }, .text = "edge_add: dst: got [2,5]"},
      {.op = "edge_add", .name = "ranks differ", .call = [] { edge_add(kPair, uniform({3, 4}), uniform({2})); }, .text = "edge_add: dst: got [2]"},
      {.op = "edge_add", .name = "nothing given", .call = [] { edge_add(kPair, {}, {}); }, .text = "at least one of src and dst"},
      {.op = "edge_mul", .name = "one side missing", .call = [] { edge_mul(kPair, uniform({3, 4}), {}); }, .text = "edge_mul: dst: got an undefined tensor"},
      {.op = "edge_mul", .name = "types differ", .call = [] { edge_mul(kPair, uniform({3, 4}), uniform({2, 4}).to(DType::float32)); }, .text = "edge_mul: dst: got float32, expected float64"},
      {.op = "edge_dot", .name = "sides swapped", .call = [] { edge_dot(kPair, uniform({3, 2, 4}), uniform({2, 2, 4})); }, .text = "edge_dot: q: got [3,2,4], expected [N_dst,...] with N_dst = 2"},
      {.op = "edge_dot", .name = "depths differ", .call = [] { edge_dot(kPair, uniform({2, 2, 4}), uniform({3, 2, 5})); }, .text = "edge_dot: k: got [3,2,5]"},
      {.op = "edge_dot", .name = "no depth", .call = [] { edge_dot(kPair, uniform({2}), uniform({3})); }, .text = "at least one"},
      {.op = "edge_softmax", .name = "logits of other edges", .call = [] { edge_softmax(kPair, uniform({4, 2})); }, .text = "edge_softmax: logits: got [4,2], expected [E,...] with E = 3"},
      {.op = "edge_softmax", .name = "integers", .call = [] { edge_softmax(kPair, Tensor::zeros({3}, DType::int64)); }, .text = "expected float32 or float64"},
      {.op = "gated_sum", .name = "widths differ", .call = [] { gated_sum(kPair, uniform({3, 4}), uniform({3, 5})); }, .text = "gated_sum: x: got [3,5], expected [N_src,D] with N_src = 3, D = 4"},
      {.op = "gine_sum", .name = "edges of another graph", .call = [] { gine_sum(kPair, uniform({3, 4}), uniform({5, 4})); }, .text = "gine_sum: e: got [5,4], expected [E,D] with E = 3, D = 4"},
      {.op = "edge_bucket", .name = "bucket outside", .call = [] { edge_bucket(uniform({2, 3}), Tensor::from<std::uint8_t>({0, 2, 3, 9}, {4})); }, .text = "edge_bucket: bucket of edge 2: got 3, expected 0 <= bucket < 3"},
      {.op = "edge_bucket", .name = "buckets of another type", .call = [] { edge_bucket(uniform({2, 3}), Tensor::from<std::int64_t>({0, 2}, {2})); }, .text = "edge_bucket: buckets: got int64[2], expected uint8[E]"},
  };
  for (const Reduction& r : kReductions) {
    const std::string spmm_name = r.suffix == "sum" ? "spmm" : "spmm_" + r.suffix;
    list.push_back({.op = "edge_" + r.suffix, .name = "a row per node", .call = [=] { r.edge(kPair, uniform({2, 4})); }, .text = "e: got [2,4], expected [E,...] with E = 3"});
    list.push_back({.op = spmm_name, .name = "weights do not lead", .call = [=] { r.spmm(kPair, uniform({3, 4}), uniform({3, 2, 4})); }, .text = spmm_name + ": weights: got [3,4]"});
    list.push_back({.op = spmm_name, .name = "weights of a higher rank", .call = [=] { r.spmm(kPair, uniform({3, 2, 2}), uniform({3, 2})); }, .text = spmm_name + ": weights: got [3,2,2]"});
    list.push_back({.op = spmm_name, .name = "features of the destinations", .call = [=] { r.spmm(kPair, {}, uniform({2, 4})); }, .text = spmm_name + ": x: got [2,4], expected [N_src,...] with N_src = 3"});
  }
  return list;
}

const RegisterErrors errors(all_errors);

}  // namespace
}  // namespace atto::test
