// Cases of the edge algebra: every operation on every small graph, on a hub, and with sizes that end in every kind of
// vector. Operations that send features along edges are in message.cpp.

#include "ops/edge/edge.hpp"

#include "tests/ops/edge_definitions.hpp"

namespace atto::test {
namespace {

using namespace edges;

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
      .expected =
          [=](Values in) {
            return from_source ? joined(g, in[0], {}, false, false) : joined(g, {}, in[0], false, false);
          },
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
  const auto mask = edge_table(g, {g.num_edges(), 2}, 2,
                               [](auto e, auto i, auto, auto) { return i % 3 == 0 || e % 3 == 0 ? -kInfinity : 0.0; });
  return {
      .op = "edge_softmax",
      .name = "rows and edges of -infinity",
      .inputs = {uniform({g.num_edges(), 2})},
      .run =
          [=](Vars in) {
            Tensor z = in[0].value().clone();
            for (std::int64_t k = 0; k < z.numel(); ++k)
              if (mask.data<double>()[k] < 0)
                visit_float(z.dtype(), "test", [&]<class T>() { z.data<T>()[k] = static_cast<T>(-kInfinity); });
            return edge_softmax(g, Var(z));
          },
      .expected =
          [=](Values in) {
            return softmax(g, tabulate(in[0].shape(), [&](std::int64_t k) {
                             return in[0].data<double>()[k] + mask.data<double>()[k];
                           }));
          },
      .k = 8,
      .differentiable = false,
  };
}

using EdgeReduceFn = Var (*)(const Graph&, const Var&);
OpCase edge_reduce_case(const std::string& op, EdgeReduceFn f, Kind kind, const std::string& name, const Graph& g,
                        const Shape& row) {
  std::vector<std::int64_t> sizes{g.num_edges()};
  sizes.insert(sizes.end(), row.begin(), row.end());
  const auto edge = [](std::int64_t e, std::int64_t) { return e; };
  return {
      .op = op,
      .name = name,
      .inputs = {kind == Kind::sum || kind == Kind::mean ? uniform(Shape(sizes)) : spaced(Shape(sizes), 1.0 / 64, 1)},
      .run = [=](Vars in) { return f(g, in[0]); },
      .expected = [=](Values in) { return reduced(g, kind, {}, in[0], edge); },
      .magnitude =
          [=](Values in) { return reduced(g, kind, {}, in[0], edge, kind == Kind::sum || kind == Kind::mean); },
      .k = kind == Kind::sum || kind == Kind::mean ? 2.0 : 1.0,
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

struct Reduction {
  std::string op;
  Kind kind;
  EdgeReduceFn run;
};

const std::vector<Reduction> kReductions{{"edge_sum", Kind::sum, edge_sum},
                                         {"edge_mean", Kind::mean, edge_mean},
                                         {"edge_max", Kind::max, edge_max},
                                         {"edge_min", Kind::min, edge_min}};

std::vector<OpCase> all_cases() {
  std::vector<OpCase> list;
  for (const auto& [name, g] : all_graphs()) {
    list.push_back(join_case(name, g, {3}, false));
    list.push_back(join_case(name, g, {2, 3}, true));
    list.push_back(one_sided_case(name, g, true));
    list.push_back(one_sided_case(name, g, false));
    list.push_back(dot_case(name, g, 2, 3));
    list.push_back(softmax_case(name, g, {g.num_edges(), 2}));
    list.push_back(softmax_case(name + ", one head", g, {g.num_edges()}));
    list.push_back(softmax_case(name + ", eight heads", g, {g.num_edges(), 8}));
    list.push_back(bucket_case(name, g.num_edges(), 2, 5));
    for (const Reduction& r : kReductions) list.push_back(edge_reduce_case(r.op, r.run, r.kind, name, g, {2}));
  }
  const Graph g = any_graph();
  for (const std::int64_t width : kWidths) {
    list.push_back(join_case(sized("width", {width}), g, {width}, false));
    list.push_back(join_case(sized("width", {width}), g, {width}, true));
    list.push_back(dot_case("one head", g, 0, width));
    list.push_back(softmax_case(sized("heads", {width}), g, {g.num_edges(), width}));
    for (const Reduction& r : kReductions)
      list.push_back(edge_reduce_case(r.op, r.run, r.kind, sized("width", {width}), g, {width}));
  }
  for (const auto& [heads, depth] : {std::pair{8, 8}, {4, 16}, {2, 37}, {5, 3}, {1, 64}})
    list.push_back(dot_case("heads", g, heads, depth));
  list.push_back(softmax_case("rank 1", g, {g.num_edges()}));
  list.push_back(softmax_case("large logits", g, {g.num_edges(), 3}, 40));
  list.push_back(masked_softmax_case());
  list.push_back(join_case("rank 1", g, Shape{}, false));
  list.push_back(dot_case("no channels", g, 2, 0));

  const Graph wide = wide_graph(), many = random_bipartite(50, 3000, 9000, 10);
  list.push_back(join_case("several threads", wide, {70}, false));
  list.push_back(dot_case("several threads", wide, 2, 35));
  list.push_back(softmax_case("several threads", wide, {wide.num_edges(), 11}));
  list.push_back(softmax_case("several threads, one head", many, {many.num_edges()}));
  list.push_back(softmax_case("several threads, four heads", many, {many.num_edges(), 4}));
  list.push_back(dot_case("fetched in advance", far_graph(), 2, 8));

  list.push_back(bucket_case("3 heads", 50, 3, 9));
  list.push_back(bucket_case("all buckets", 700, 2, 256));
  list.push_back(bucket_case("no edges", 0, 2, 4));
  list.push_back(bucket_case("no heads", 5, 0, 4));
  list.push_back(bucket_case("several chunks", 20000, 4, 7));
  return list;
}

const RegisterCases cases(all_cases);

const Graph kPair = pair_graph();

std::vector<OpError> all_errors() {
  std::vector<OpError> list{
      {.op = "edge_add",
       .name = "too few sources",
       .call =
           [] {
             edge_add(kPair, uniform({2, 4}), {});
           },
       .text = "edge_add: src: got [2,4], expected [N_src,...] with N_src = 3"},
      {.op = "edge_add",
       .name = "too many destinations",
       .call =
           [] {
             edge_add(kPair, {}, uniform({3, 4}));
           },
       .text = "edge_add: dst: got [3,4], expected [N_dst,...] with N_dst = 2"},
      {.op = "edge_add",
       .name = "widths differ",
       .call =
           [] {
             edge_add(kPair, uniform({3, 4}), uniform({2, 5}));
           },
       .text = "edge_add: dst: got [2,5]"},
      {.op = "edge_add",
       .name = "ranks differ",
       .call =
           [] {
             edge_add(kPair, uniform({3, 4}), uniform({2}));
           },
       .text = "edge_add: dst: got [2]"},
      {.op = "edge_add",
       .name = "nothing given",
       .call = [] { edge_add(kPair, {}, {}); },
       .text = "at least one of src and dst"},
      {.op = "edge_mul",
       .name = "one side missing",
       .call =
           [] {
             edge_mul(kPair, uniform({3, 4}), {});
           },
       .text = "edge_mul: dst: got an undefined tensor"},
      {.op = "edge_mul",
       .name = "types differ",
       .call =
           [] {
             edge_mul(kPair, uniform({3, 4}), uniform({2, 4}).to(DType::float32));
           },
       .text = "edge_mul: dst: got float32, expected float64"},
      {.op = "edge_dot",
       .name = "sides swapped",
       .call =
           [] {
             edge_dot(kPair, uniform({3, 2, 4}), uniform({2, 2, 4}));
           },
       .text = "edge_dot: q: got [3,2,4], expected [N_dst,...] with N_dst = 2"},
      {.op = "edge_dot",
       .name = "depths differ",
       .call =
           [] {
             edge_dot(kPair, uniform({2, 2, 4}), uniform({3, 2, 5}));
           },
       .text = "edge_dot: k: got [3,2,5]"},
      {.op = "edge_dot",
       .name = "no depth",
       .call = [] { edge_dot(kPair, uniform({2}), uniform({3})); },
       .text = "at least one"},
      {.op = "edge_softmax",
       .name = "logits of other edges",
       .call =
           [] {
             edge_softmax(kPair, uniform({4, 2}));
           },
       .text = "edge_softmax: logits: got [4,2], expected [E,...] with E = 3"},
      {.op = "edge_softmax",
       .name = "integers",
       .call = [] { edge_softmax(kPair, Tensor::zeros({3}, DType::int64)); },
       .text = "expected float32 or float64"},
      {.op = "edge_bucket",
       .name = "bucket outside",
       .call =
           [] {
             edge_bucket(uniform({2, 3}), Tensor::from<std::uint8_t>({0, 2, 3, 9}, {4}));
           },
       .text = "edge_bucket: bucket of edge 2: got 3, expected 0 <= bucket < 3"},
      {.op = "edge_bucket",
       .name = "buckets of another type",
       .call =
           [] {
             edge_bucket(uniform({2, 3}), Tensor::from<std::int64_t>({0, 2}, {2}));
           },
       .text = "edge_bucket: buckets: got int64[2], expected uint8[E]"},
  };
  for (const Reduction& r : kReductions) {
    list.push_back({.op = r.op,
                    .name = "a row per node",
                    .call =
                        [=] {
                          r.run(kPair, uniform({2, 4}));
                        },
                    .text = "e: got [2,4], expected [E,...] with E = 3"});
  }
  return list;
}

const RegisterErrors errors(all_errors);

}  // namespace
}  // namespace atto::test
