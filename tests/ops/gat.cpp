#include "ops/gat/gat.hpp"

#include <cmath>

#include "autograd/tape.hpp"
#include "core/parallel.hpp"
#include "tests/ops/graphs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

using namespace atto;
using namespace atto::test;

namespace {

// Row by row from the definition, for both operations: logit(e, j, i, h) and the values [N,H,D].
Tensor attention(const Graph& g, const Tensor& values,
                 const std::function<double(std::int64_t, std::int64_t, std::int64_t, std::int64_t)>& logit) {
  const std::int64_t heads = values.size(1), depth = values.size(2);
  Tensor y = Tensor::zeros(Shape{g.num_dst(), heads, depth}, DType::float64);
  for (std::int64_t i = 0; i < g.num_dst(); ++i)
    for (std::int64_t h = 0; h < heads; ++h) {
      double sum = 0;
      for (int pass = 0; pass < 2; ++pass)
        for (std::int64_t e = g.in_offsets()[i]; e < g.in_offsets()[i + 1]; ++e) {
          const std::int64_t j = g.in_src()[e];
          const double p = std::exp(logit(e, j, i, h));
          if (pass == 0) sum += p;
          for (std::int64_t d = 0; pass == 1 && d < depth; ++d)
            y.data<double>()[(i * heads + h) * depth + d] +=
                p / sum * values.data<double>()[(j * heads + h) * depth + d];
        }
    }
  return y;
}

double leaky(double x) {
  return x > 0 ? x : 0.2 * x;
}

// Multiples of 1/4 plus `offset`: with offsets that add up to 1/8 no sum comes near the kink of the leaky ReLU.
Tensor quarters(const Shape& shape, std::uint64_t seed, double offset = 0) {
  const Tensor raw = uniform(shape, -1, 1, seed);
  return tabulate(shape, [&](std::int64_t i) { return std::round(raw.data<double>()[i] * 4) / 4 + offset; });
}

void add_cases(std::vector<OpCase>& cases, const NamedGraph& named, bool with_edges, std::int64_t heads = 2,
               std::int64_t depth = 3) {
  const Graph g = named.graph;
  const std::int64_t n = g.num_src(), m = g.num_dst(), e = g.num_edges();
  std::vector<Tensor> inputs{uniform(Shape{n, heads, depth}, -1, 1, 1), quarters(Shape{n, heads}, 2),
                             quarters(Shape{m, heads}, 3, 0.125)};
  if (with_edges) inputs.push_back(quarters(Shape{e, heads}, 4));
  // A hub adds ten thousand exponentials one after the other.
  const double k = e > 1000 ? 200 : 8;
  const auto edge = [](std::span<const Var> in, std::size_t place) { return in.size() > place ? in[place] : Var(); };
  cases.push_back(
      {.op = "gat",
       .name = named.name + (with_edges ? ", edges" : ""),
       .inputs = inputs,
       .run = [=](std::span<const Var> in) { return gat(g, in[0], in[1], in[2], edge(in, 3)); },
       .expected =
           [=](std::span<const Tensor> in) {
             return attention(g, in[0], [&](std::int64_t edge_id, std::int64_t j, std::int64_t i, std::int64_t h) {
               return leaky(in[1].data<double>()[j * heads + h] + in[2].data<double>()[i * heads + h] +
                            (with_edges ? in[3].data<double>()[edge_id * heads + h] : 0.0));
             });
           },
       .magnitude =
           [=](std::span<const Tensor>) {
             return Tensor::full(Shape{m, heads, depth}, 1, DType::float64);
           },
       .k = k,
       .reference = [=](std::span<const Var> in) { return gat_reference(g, in[0], in[1], in[2], edge(in, 3)); }});
  inputs = {quarters(Shape{n, heads, depth}, 1), quarters(Shape{m, heads, depth}, 2, 0.125),
            uniform(Shape{heads, depth}, -1, 1, 3)};
  if (with_edges) inputs.push_back(quarters(Shape{e, heads, depth}, 4));
  cases.push_back(
      {.op = "gatv2",
       .name = named.name + (with_edges ? ", edges" : ""),
       .inputs = inputs,
       .run = [=](std::span<const Var> in) { return gatv2(g, in[0], in[1], in[2], edge(in, 3)); },
       .expected =
           [=](std::span<const Tensor> in) {
             return attention(g, in[0], [&](std::int64_t edge_id, std::int64_t j, std::int64_t i, std::int64_t h) {
               double z = 0;
               for (std::int64_t c = h * depth; c < (h + 1) * depth; ++c)
                 z += in[2].data<double>()[c] *
                      leaky(in[0].data<double>()[j * heads * depth + c] + in[1].data<double>()[i * heads * depth + c] +
                            (with_edges ? in[3].data<double>()[edge_id * heads * depth + c] : 0.0));
               return z;
             });
           },
       .magnitude =
           [=](std::span<const Tensor>) {
             return Tensor::full(Shape{m, heads, depth}, 1, DType::float64);
           },
       .k = k,
       .reference = [=](std::span<const Var> in) { return gatv2_reference(g, in[0], in[1], in[2], edge(in, 3)); }});
}

// Scores from the values. The terms of edges keep the sums, multiples of 1/16, away from the kink of the leaky ReLU;
// without them chance does, so these seeds must not be changed lightly.
void add_self_case(std::vector<OpCase>& cases, const NamedGraph& named, bool with_edges, std::int64_t heads,
                   std::int64_t depth) {
  const Graph g = named.graph;
  const std::int64_t n = g.num_dst(), e = g.num_edges();
  const Shape values{n, heads, depth}, vector{heads, depth};
  std::vector<Tensor> inputs{uniform(values, -1, 1, 1), uniform(vector, -1, 1, 2), uniform(vector, -1, 1, 3)};
  if (with_edges)
    inputs = {quarters(values, 1), quarters(vector, 2), quarters(vector, 3), quarters(Shape{e, heads}, 4, 1.0 / 32)};
  if (with_edges) inputs.push_back(uniform(vector, -1, 1, 5));
  const auto edge = [](std::span<const Var> in) { return in.size() > 3 ? in[3] : Var(); };
  const auto bias = [](std::span<const Var> in) { return in.size() > 4 ? in[4] : Var(); };
  cases.push_back(
      {.op = "gat_self",
       .name = named.name + (with_edges ? ", edges" : ""),
       .inputs = inputs,
       .run = [=](std::span<const Var> in) { return gat_self(g, in[0], in[1], in[2], edge(in), bias(in)); },
       .expected =
           [=](std::span<const Tensor> in) {
             const auto term = [&](int place, std::int64_t node, std::int64_t h) {
               double sum = 0;
               for (std::int64_t c = h * depth; c < (h + 1) * depth; ++c)
                 sum += in[static_cast<std::size_t>(place)].data<double>()[c] *
                        in[0].data<double>()[node * heads * depth + c];
               return sum;
             };
             Tensor y = attention(g, in[0], [&](std::int64_t edge_id, std::int64_t j, std::int64_t i, std::int64_t h) {
               return leaky(term(1, j, h) + term(2, i, h) +
                            (with_edges ? in[3].data<double>()[edge_id * heads + h] : 0.0));
             });
             for (std::int64_t k = 0; with_edges && k < y.numel(); ++k)
               y.data<double>()[k] += in[4].data<double>()[k % (heads * depth)];
             return y;
           },
       .magnitude =
           [=](std::span<const Tensor>) {
             return Tensor::full(Shape{n, heads, depth}, with_edges ? 2 : 1, DType::float64);
           },
       .k = e > 1000 ? 200.0 : 8.0 + static_cast<double>(depth),
       .reference =
           [=](std::span<const Var> in) { return gat_self_reference(g, in[0], in[1], in[2], edge(in), bias(in)); }});
}

const RegisterCases cases([] {
  std::vector<OpCase> all;
  for (const NamedGraph& named : small_graphs()) add_cases(all, named, named.graph.num_edges() > 3);
  add_cases(all, {"random", random_square(40, 160, 3)}, true);
  add_cases(all, {"random", random_square(40, 160, 3)}, false);
  // Whole vectors, parts of them and overlapping ones, in heads (gat) and in channels of a head (gatv2, sums).
  for (const auto& [heads, depth] :
       {std::pair{1, 1}, {1, 5}, {8, 8}, {4, 16}, {3, 32}, {5, 12}, {16, 4}, {11, 2}, {20, 1}, {1, 67}})
    for (const bool edges : {false, true})
      add_cases(all, {"H " + std::to_string(heads) + ", D " + std::to_string(depth), random_square(12, 40, 7)}, edges,
                heads, depth);
  add_cases(all, {"no depth", random_square(6, 12, 7)}, true, 2, 0);
  add_cases(all, {"no heads", random_square(6, 12, 7)}, true, 0, 3);
  for (const NamedGraph& named : small_graphs())
    if (named.graph.num_src() == named.graph.num_dst()) add_self_case(all, named, named.graph.num_edges() > 3, 2, 3);
  for (const auto& [heads, depth] :
       {std::pair{1, 1}, {1, 5}, {8, 8}, {4, 16}, {3, 32}, {5, 12}, {16, 4}, {11, 2}, {20, 1}, {1, 67}, {2, 0}, {0, 3}})
    for (const bool edges : {false, true})
      add_self_case(all, {"H " + std::to_string(heads) + ", D " + std::to_string(depth), random_square(12, 40, 7)},
                    edges, heads, depth);
  add_self_case(all, {"several blocks", random_square(300, 1000, 7)}, true, 2, 3);
  add_self_case(all, {"hub", hub(50, 10000)}, false, 2, 3);
  add_cases(all, {"bipartite", random_bipartite(7, 12, 50, 5)}, true);
  add_cases(all, {"hub", hub(50, 10000)}, false);
  return all;
});

const RegisterErrors errors([] {
  const Graph g = Graph::from_edges(3, {{0, 1}});
  const Tensor x = Tensor::zeros(Shape{3, 2, 4}), s = Tensor::zeros(Shape{3, 2}), wrong = Tensor::zeros(Shape{3, 5});
  return std::vector<OpError>{
      {.op = "gat", .name = "heads", .call = [=] { gat(g, x, s, wrong); }, .text = "dst"},
      {.op = "gat",
       .name = "edges",
       .call =
           [=] {
             gat(g, x, s, s, Tensor::zeros(Shape{2, 2}));
           },
       .text = "E = 1"},
      {.op = "gat", .name = "dropout", .call = [=] { gat(g, x, s, s, {}, {.dropout = 1}); }, .text = "dropout"},
      {.op = "gat_self",
       .name = "bipartite",
       .call = [=] { gat_self(random_bipartite(2, 3, 4, 1), x, x, x); },
       .text = "edges among the nodes of one set"},
      {.op = "gat_self",
       .name = "vector",
       .call =
           [=] {
             gat_self(g, x, Tensor::zeros(Shape{2, 4}), Tensor::zeros(Shape{2, 3}));
           },
       .text = "destination"},
      {.op = "gatv2",
       .name = "nodes",
       .call =
           [=] {
             gatv2(g, x, Tensor::zeros(Shape{4, 2, 4}), Tensor::zeros(Shape{2, 4}));
           },
       .text = "M = 3"}};
});

Tensor column(std::initializer_list<double> values) {
  return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size()), 1, 1});
}

}  // namespace

TEST_CASE("gat: the scalar layer of the specification on a path with self-loops") {
  const Graph g = Graph::from_edges(3, {{0, 0}, {1, 1}, {2, 2}, {0, 1}, {1, 0}, {1, 2}, {2, 1}});
  const Tensor x = column({1, -2, 3}), flat = x.reshape(Shape{3, 1});
  const Tensor y = gat(g, x, flat, flat).value();
  CHECK(y.data<double>()[0] == Approx(.7007485326).epsilon(1e-9));
  CHECK(y.data<double>()[1] == Approx(2.0256463772).epsilon(1e-9));
  CHECK(y.data<double>()[2] == Approx(2.9665357454).epsilon(1e-9));
}

TEST_CASE("gatv2 ranks neighbours differently for every node, gat cannot") {
  const Graph g = Graph::from_edges(2, {{0, 0}, {1, 1}, {0, 1}, {1, 0}});
  const Tensor x = Tensor::from({1.0, -1.0, -1.0, 1.0}, Shape{2, 1, 2});  // W x for x = 1, -1 and W = (1, -1)
  const Tensor y = gatv2(g, x, x, Tensor::full(Shape{1, 2}, 1, DType::float64)).value();
  const double own = .832018385134, other = .167981614866;
  CHECK(y.data<double>()[0] == Approx(own - other).epsilon(1e-10));
  CHECK(y.data<double>()[2] == Approx(other - own).epsilon(1e-10));
  // GAT: the weight of a source ranks the same for every destination.
  const Graph all = Graph::from_edges(
      4, {{0, 0}, {1, 0}, {2, 0}, {3, 0}, {0, 1}, {1, 1}, {2, 1}, {3, 1}, {0, 2}, {1, 2}, {2, 2}, {3, 2}});
  const Tensor src = uniform(Shape{4, 1}, -3, 3, 1), dst = uniform(Shape{4, 1}, -3, 3, 2);
  std::int64_t best = 0;
  for (std::int64_t j = 1; j < 4; ++j)
    if (src.data<double>()[j] > src.data<double>()[best]) best = j;
  for (std::int64_t probe = 0; probe < 4; ++probe) {
    Tensor one = Tensor::zeros(Shape{4, 1, 1}, DType::float64);
    one.data<double>()[probe] = 1;
    const Tensor weight = gat(all, one, src, dst).value();
    Tensor top = Tensor::zeros(Shape{4, 1, 1}, DType::float64);
    top.data<double>()[best] = 1;
    const Tensor largest = gat(all, top, src, dst).value();
    for (std::int64_t i = 0; i < 3; ++i) CHECK(weight.data<double>()[i] <= largest.data<double>()[i]);
  }
}

TEST_CASE("gat and gatv2 drop the same weights as their references") {
  const Graph g = random_square(30, 200, 8);
  const GatOptions options{.dropout = 0.4, .random = {.seed = 3, .stream = 9}};
  const Tensor x = uniform(Shape{30, 2, 3}, -1, 1, 1), s = uniform(Shape{30, 2}, -1, 1, 2),
               v = uniform(Shape{2, 3}, -1, 1, 3);
  CHECK(mismatch(gat(g, x, s, s, {}, options).value(), gat_reference(g, x, s, s, {}, options).value(),
                 Tensor::full(Shape{30, 2, 3}, 1, DType::float64), 1e-13) == "");
  CHECK(mismatch(gat_self(g, x, v, v, {}, {}, options).value(), gat_self_reference(g, x, v, v, {}, {}, options).value(),
                 Tensor::full(Shape{30, 2, 3}, 1, DType::float64), 1e-13) == "");
  CHECK(mismatch(gatv2(g, x, x, v, {}, options).value(), gatv2_reference(g, x, x, v, {}, options).value(),
                 Tensor::full(Shape{30, 2, 3}, 1, DType::float64), 1e-13) == "");
}

TEST_CASE(
    "gat_self sends the gradients of its reference through dropout, and does not depend on the sign of the slope") {
  const Graph g = random_square(30, 200, 8);
  for (const double slope : {0.2, 0.0, -0.5}) {
    const GatOptions options{.slope = slope, .dropout = 0.4, .random = {.seed = 3, .stream = 9}};
    std::vector<Tensor> gradients[2];
    for (const bool reference : {false, true}) {
      const Var x = Var::leaf(uniform(Shape{30, 2, 3}, -1, 1, 1)), source = Var::leaf(uniform(Shape{2, 3}, -1, 1, 2)),
                destination = Var::leaf(uniform(Shape{2, 3}, -1, 1, 3)),
                edge = Var::leaf(uniform(Shape{200, 2}, -1, 1, 4));
      backward(reference ? gat_self_reference(g, x, source, destination, edge, {}, options)
                         : gat_self(g, x, source, destination, edge, {}, options),
               uniform(Shape{30, 2, 3}, -1, 1, 5));
      for (const Var& leaf : {x, source, destination, edge}) gradients[reference].push_back(leaf.grad());
    }
    for (std::size_t i = 0; i < 4; ++i)
      CHECK(mismatch(gradients[0][i], gradients[1][i], Tensor::full(gradients[0][i].shape(), 1, DType::float64),
                     1e-12) == "");
  }
}

TEST_CASE("gat_self of more than the caches hold agrees with its reference") {
  const std::int64_t n = 14000, heads = 8;
  const Graph g = random_square(n, 20000, 5);
  for (const std::int64_t depth : {8, 10, 32}) {  // with 10, vectors are not aligned
    const Shape vector{heads, depth}, values{n, heads, depth};
    std::vector<Tensor> results[2];
    for (const bool reference : {false, true}) {
      const auto leaf = [&](const Shape& shape, std::uint64_t seed) {
        const Tensor value = uniform(shape, -1, 1, seed);
        return Var::leaf(reference ? value : value.to(DType::float32));
      };
      const Var x = leaf(values, 1), source = leaf(vector, 2), destination = leaf(vector, 3);
      const Var y = reference ? gat_self_reference(g, x, source, destination) : gat_self(g, x, source, destination);
      backward(y, reference ? uniform(values, -1, 1, 5) : uniform(values, -1, 1, 5).to(DType::float32));
      results[reference] = {y.value(), x.grad(), source.grad(), destination.grad()};
    }
    // A sum near zero may fall on either side of the kink, so the gradients of single rows are not held to it.
    CHECK(mismatch(results[0][0], results[1][0], Tensor::full(values, 1, DType::float64), 1e-5) == "");
    for (const std::size_t i : {2, 3})
      CHECK(mismatch(results[0][i], results[1][i], Tensor::full(vector, 100, DType::float64), 1e-4) == "");
    double apart = 0, size = 0;
    for (std::int64_t k = 0; k < values.numel(); ++k) {
      const double a = results[0][1].data<float>()[k], b = results[1][1].data<double>()[k];
      apart += (a - b) * (a - b), size += b * b;
    }
    CHECK(std::sqrt(apart / size) < 1e-4);
  }
}
