// Cases of the operations that send features along edges: weighted sums and their relatives, on the graphs and sizes of
// edge.cpp.

#include "ops/edge/message.hpp"

#include "ops/edge/edge.hpp"
#include "tests/ops/edge_definitions.hpp"

namespace atto::test {
namespace {

using namespace edges;

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
  inputs.push_back(adds       ? uniform(Shape(row), -1, 1, 4)
                   : weighted ? apart_features(Shape(row), 4)
                              : spaced(Shape(row), 1.0 / 64, 4));
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

OpCase gated_case(const std::string& name, const Graph& g, std::int64_t width, double epsilon) {
  const auto quotient = [=](Values in, bool absolute) {
    const auto term = [&](std::int64_t e, std::int64_t j, std::int64_t c) {
      const double m = at(in[0], e, c, width) * at(in[1], j, c, width);
      return absolute ? std::abs(m) : m;
    };
    Tensor top = node_sums(g, {g.num_dst(), width}, width, [&](auto e, auto, auto j, auto c) { return term(e, j, c); });
    const Tensor gates =
        node_sums(g, top.shape(), width, [&](auto e, auto, auto, auto c) { return at(in[0], e, c, width); });
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

// With kinds, edge e has the row e % kinds.
OpCase gine_case(const std::string& name, const Graph& g, std::int64_t width, std::int64_t kinds = 0) {
  Tensor kind;
  if (kinds > 0) {
    kind = Tensor::empty(Shape{g.num_edges()}, DType::int64);
    for (std::int64_t e = 0; e < g.num_edges(); ++e) kind.data<std::int64_t>()[e] = e % kinds;
  }
  const auto sums = [=](Values in) {
    return node_sums(g, {g.num_dst(), width}, width, [&](auto e, auto, auto j, auto c) {
      return std::max(0.0, at(in[0], j, c, width) + at(in[1], kinds > 0 ? e % kinds : e, c, width));
    });
  };
  return {
      .op = "gine_sum",
      .name = sized(name, {width}) + (kinds > 0 ? ", " + std::to_string(kinds) + " kinds" : ""),
      .inputs = {on_grid({g.num_src(), width}, 0, 1),
                 on_grid({kinds > 0 ? kinds : g.num_edges(), width}, 1.0 / 64, 2)},  // x + e is never 0
      .run = [=](Vars in) { return gine_sum(g, in[0], in[1], kind); },
      .expected = sums,
      .k = kinds > 0 && g.num_edges() > 1000 ? 200.0 : 4.0,  // all edges of a kind in one sum
      .reference = [=](Vars in) { return gine_sum_reference(g, in[0], in[1], kind); },
  };
}

struct Product {
  std::string op;
  Kind kind;
  SpmmFn run, reference;
};

const std::vector<Product> kProducts{
    {"spmm", Kind::sum, spmm, spmm_reference},
    {"spmm_mean", Kind::mean, spmm_mean, spmm_mean_reference},
    {"spmm_max", Kind::max, spmm_max, spmm_max_reference},
    {"spmm_min", Kind::min, spmm_min, spmm_min_reference},
};

std::vector<OpCase> all_cases() {
  std::vector<OpCase> list;
  const auto add = [&](const Product& p, const std::string& name, const Graph& g,
                       const std::vector<std::int64_t>& weights, const std::vector<std::int64_t>& row,
                       bool weighted = true) {
    list.push_back(spmm_case(p.op, p.run, p.reference, p.kind, name, g, weights, row, weighted));
  };
  for (const auto& [name, g] : all_graphs()) {
    list.push_back(gated_case(name, g, 3, 0.1));
    list.push_back(gine_case(name, g, 3));
    list.push_back(gine_case(name, g, 3, 2));
    for (const Product& p : kProducts) {
      // On a hub weights that keep all messages apart would leave the range of float32.
      const bool weighted = p.kind == Kind::sum || p.kind == Kind::mean || g.num_edges() < 1000;
      add(p, name, g, {2}, {2, 3}, weighted);
    }
  }
  const Graph g = any_graph();
  for (const std::int64_t width : kWidths) {
    list.push_back(gated_case("width", g, width, 0.25));
    list.push_back(gine_case("width", g, width));
    list.push_back(gine_case("width", g, width, 3));
    for (const Product& p : kProducts) {
      add(p, sized("no weights", {width}), g, {}, {width}, false);
      add(p, sized("one weight", {width}), g, {}, {width});
      add(p, sized("a weight per channel", {width}), g, {width}, {width});
      add(p, sized("three heads", {width}), g, {3}, {3, width});
    }
  }
  const Product &sum = kProducts[0], &max = kProducts[2];
  add(sum, "weights [E,2,3]", g, {2, 3}, {2, 3, 4});
  add(sum, "weights of a wider rank", g, {2, 3}, {2, 3});
  add(sum, "no channels", g, {2}, {2, 0});
  add(sum, "no heads", g, {0}, {0, 2});

  const Graph wide = wide_graph(), far = far_graph();
  list.push_back(gated_case("several threads", wide, 70, 1e-6));
  list.push_back(gine_case("several threads", wide, 70));
  list.push_back(gine_case("several threads", wide, 70, 5));
  list.push_back(gine_case("too many for tables", wide, 7, 300));
  add(sum, "several threads", wide, {2}, {2, 35});
  add(max, "several threads", wide, {}, {70}, false);
  add(sum, "fetched in advance", far, {2}, {2, 8});
  list.push_back(gated_case("fetched in advance", far, 16, 1e-6));
  list.push_back(gine_case("fetched in advance", far, 16));
  return list;
}

const RegisterCases cases(all_cases);

const Graph kPair = pair_graph();

std::vector<OpError> all_errors() {
  std::vector<OpError> list{
      {.op = "gated_sum",
       .name = "widths differ",
       .call =
           [] {
             gated_sum(kPair, uniform({3, 4}), uniform({3, 5}));
           },
       .text = "gated_sum: x: got [3,5], expected [N_src,D] with N_src = 3, D = 4"},
      {.op = "gine_sum",
       .name = "edges of another graph",
       .call =
           [] {
             gine_sum(kPair, uniform({3, 4}), uniform({5, 4}));
           },
       .text = "gine_sum: e: got [5,4], expected [R,D] with R = 3, D = 4"},
      {.op = "gine_sum",
       .name = "a kind without a row",
       .call =
           [] {
             gine_sum(kPair, uniform({3, 4}), uniform({2, 4}), Tensor::from<std::int64_t>({0, 2, 1}, {3}));
           },
       .text = "gine_sum: kind of edge 1: got 2, expected 0 <= kind < 2"},
  };
  for (const Product& p : kProducts) {
    list.push_back({.op = p.op,
                    .name = "weights do not lead",
                    .call =
                        [=] {
                          p.run(kPair, uniform({3, 4}), uniform({3, 2, 4}));
                        },
                    .text = p.op + ": weights: got [3,4]"});
    list.push_back({.op = p.op,
                    .name = "weights of a higher rank",
                    .call =
                        [=] {
                          p.run(kPair, uniform({3, 2, 2}), uniform({3, 2}));
                        },
                    .text = p.op + ": weights: got [3,2,2]"});
    list.push_back({.op = p.op,
                    .name = "features of the destinations",
                    .call =
                        [=] {
                          p.run(kPair, {}, uniform({2, 4}));
                        },
                    .text = p.op + ": x: got [2,4], expected [N_src,...] with N_src = 3"});
  }
  return list;
}

const RegisterErrors errors(all_errors);

}  // namespace
}  // namespace atto::test
