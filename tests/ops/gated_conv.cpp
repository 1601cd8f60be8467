#include "ops/gated_conv/gated_conv.hpp"

#include <cmath>

#include "tests/ops/graphs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

enum class Edges { none, own, kinds };

Tensor kinds_of(const Graph& g, std::int64_t kinds) {
  Generator random(11);
  Tensor kind = Tensor::empty(Shape{g.num_edges()}, DType::int64);
  for (std::int64_t& value : kind.values<std::int64_t>()) value = random.below(kinds);
  return kind;
}

OpCase gated_case(const NamedGraph& named, std::int64_t width, Edges edges, std::int64_t kinds = 3) {
  const Graph g = named.graph;
  const std::int64_t n = g.num_src(), m = g.num_dst(), e = g.num_edges();
  const Tensor kind = edges == Edges::kinds ? kinds_of(g, kinds) : Tensor();
  std::vector<Tensor> inputs{uniform({m, width}, -1, 1, 1), uniform({n, width}, -1, 1, 2),
                             uniform({n, width}, -1, 1, 3)};
  if (edges != Edges::none) inputs.push_back(uniform({edges == Edges::own ? e : kinds, width}, -2, 2, 4));
  const auto edge = [](std::span<const Var> in) { return in.size() > 3 ? in[3] : Var(); };
  const char* suffix[] = {"", ", edges", ", kinds"};
  return {
      .op = "gated_conv",
      .name = named.name + ", D " + std::to_string(width) + suffix[static_cast<int>(edges)],
      .inputs = inputs,
      .run = [=](std::span<const Var> in) { return gated_conv(g, in[0], in[1], in[2], edge(in), {.kind = kind}); },
      .expected =
          [=](std::span<const Tensor> in) {
            const auto gate = [&](std::int64_t id, std::int64_t i, std::int64_t j, std::int64_t c) {
              const std::int64_t row = kind.defined() ? kind.data<std::int64_t>()[id] : id;
              return 1 / (1 + std::exp(-(at(in[0], i, c, width) + at(in[1], j, c, width) +
                                         (in.size() > 3 ? at(in[3], row, c, width) : 0.0))));
            };
            const Tensor sum = node_sums(g, {m, width}, width, [&](auto id, auto i, auto j, auto c) {
              return gate(id, i, j, c) * at(in[2], j, c, width);
            });
            const Tensor gates =
                node_sums(g, {m, width}, width, [&](auto id, auto i, auto j, auto c) { return gate(id, i, j, c); });
            return tabulate({m, width},
                            [&](std::int64_t i) { return sum.data<double>()[i] / (gates.data<double>()[i] + 1e-6); });
          },
      .magnitude =
          [=](std::span<const Tensor>) {
            return Tensor::full({m, width}, 2.0, DType::float64);
          },
      .k = e > 1000 ? 200.0 : 8.0,
      .reference =
          [=](std::span<const Var> in) {
            return gated_conv_reference(g, in[0], in[1], in[2], edge(in), {.kind = kind});
          },
  };
}

const RegisterCases cases([] {
  std::vector<OpCase> all;
  for (const NamedGraph& named : small_graphs())
    for (const Edges edges : {Edges::none, Edges::own, Edges::kinds}) all.push_back(gated_case(named, 3, edges));
  const NamedGraph random{"random", random_square(60, 1500, 3)};  // several blocks of rows
  for (const std::int64_t width : {0, 1, 2, 5, 8, 12, 16, 24, 48, 64, 67})
    for (const Edges edges : {Edges::own, Edges::kinds}) all.push_back(gated_case(random, width, edges));
  all.push_back(gated_case(random, 4, Edges::kinds, 300));  // too many for tables
  all.push_back(gated_case({"bipartite", random_bipartite(7, 12, 50, 5)}, 5, Edges::own));
  all.push_back(gated_case({"hub", hub(50, 10000)}, 4, Edges::kinds));
  return all;
});

const RegisterErrors errors([] {
  const Graph g = Graph::from_edges(3, {{0, 1}, {1, 2}});
  const Tensor x = uniform({3, 4}), edge = uniform({2, 4});
  const auto kinds = [](std::vector<std::int64_t> values) { return Tensor::from(values); };
  return std::vector<OpError>{
      {.op = "gated_conv",
       .name = "nodes",
       .call =
           [=] {
             gated_conv(g, uniform({2, 4}), x, x);
           },
       .text = "dst: got [2,4], expected [M,D] with M = 3"},
      {.op = "gated_conv",
       .name = "edges",
       .call =
           [=] {
             gated_conv(g, x, x, x, uniform({3, 4}));
           },
       .text = "R = 2"},
      {.op = "gated_conv",
       .name = "kind",
       .call =
           [=] {
             gated_conv(g, x, x, x, edge, {.kind = kinds({0, 2})});
           },
       .text = "kind of edge 1: got 2"},
      {.op = "gated_conv",
       .name = "kinds",
       .call = [=] { gated_conv(g, x, x, x, edge, {.kind = kinds({0})}); },
       .text = "expected int64 [2]"},
      {.op = "gated_conv",
       .name = "no rows",
       .call =
           [=] {
             gated_conv(g, x, x, x, {}, {.kind = kinds({0, 0})});
           },
       .text = "a row for each kind"},
  };
});

}  // namespace
}  // namespace atto::test
