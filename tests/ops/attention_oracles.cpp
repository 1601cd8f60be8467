// Numbers computed by hand, and properties, of attention with decay by hop distance.

#include <cmath>
#include <numeric>

#include "autograd/gradcheck.hpp"
#include "autograd/tape.hpp"
#include "graph/distances.hpp"
#include "graph/graph.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/hop_decay/hop_decay.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"
#include "ops/reduce/reduce.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

using namespace atto;
using namespace atto::test;

namespace {

Graph undirected(std::int64_t nodes, std::initializer_list<std::pair<std::int32_t, std::int32_t>> edges) {
  return Graph::from_edges(nodes, edges).undirected().graph;
}
BucketPlane hops(const Graph& graph) {
  return hop_distances(std::span(&graph, 1));
}

Tensor column(std::vector<double> values) {
  const auto n = static_cast<std::int64_t>(values.size());
  return Tensor::from(values, Shape{n, 1, 1});
}

// Three nodes, one head of width 1, logits q_i k_j.
struct Three {
  Graph graph = undirected(3, {{0, 1}, {1, 2}});
  Tensor q = column({1, 0, 2}), k = column({1, 2, 3}), v = column({1, 2, 4});

  Var operator()(const AttentionTables& tables) const {
    const Ragged nodes = Ragged::single(3);
    return ragged_attention(q, k, v, nodes, nodes, hops(graph), tables, {}, {.scale = 1.0});
  }
  Var decayed(double gamma, double hop, double slope) const {
    return (*this)({.multiply = hop_decay(column({hop}).reshape(Shape{1}), {.gamma = gamma, .slope = slope})});
  }
};

void check(const Var& y, std::initializer_list<double> expected) {
  REQUIRE(y.value().numel() == static_cast<std::int64_t>(expected.size()));
  std::int64_t i = 0;
  for (const double value : expected) CHECK(y.value().data<double>()[i++] == Approx(value).epsilon(2e-10));
}

Tensor radii(std::vector<double> values) {
  return Tensor::from(values);
}
Var hop_leaf(std::vector<double> values) {
  return Var::leaf(Tensor::from(values));
}

// A batch with heads of different radius, for what must hold in general.
struct Batch {
  std::vector<Graph> graphs = {undirected(5, {{0, 1}, {1, 2}, {2, 3}, {3, 4}}), undirected(1, {}), Graph(),
                               undirected(7, {{0, 1}, {1, 2}, {2, 0}, {3, 4}, {4, 5}}),
                               undirected(4, {{0, 1}, {0, 2}, {0, 3}})};
  Ragged nodes = Ragged::from_sizes(std::vector<std::int64_t>{5, 1, 0, 7, 4});
  BucketPlane plane = hop_distances(graphs);
  Tensor q = uniform(Shape{17, 2, 3}, -2, 2, 1), k = uniform(Shape{17, 2, 3}, -2, 2, 2),
         v = uniform(Shape{17, 2, 4}, -1, 1, 3);
};

Tensor rows_of(const Tensor& x, const std::vector<std::int64_t>& order) {
  Tensor y = x.clone();
  const std::int64_t width = x.numel() / x.size(0);
  for (std::size_t r = 0; r < order.size(); ++r)
    std::copy_n(x.data<double>() + order[r] * width, width, y.data<double>() + static_cast<std::int64_t>(r) * width);
  return y;
}

}  // namespace

TEST_CASE("attention on a path of three: no mask, decay by distance, radius, slope") {
  const Three p3;
  check(p3({}), {3.2404513384, 2.3333333333, 3.7177504244});
  check(p3.decayed(.5, 0, 0), {2.2006626634, 2.3333333333, 3.9521796979});
  check(p3.decayed(.5, 1, 0), {2.4280680482, 2.3333333333, 3.7453014397});
  check(p3.decayed(.5, 1, .2), {2.3866462009, 2.3333333333, 3.8873650806});
  check(p3.decayed(1e-300, 0, 0), {1.8477662305, 2.3333333333, 3.9876673781});

  const Tensor unit = Tensor::from({1., 0., 0., 0., 1., 0., 0., 0., 1.}, Shape{3, 1, 3});
  const Ragged nodes = Ragged::single(3);
  const Var table = hop_decay(radii({0.0}), {.gamma = .5});
  const Tensor weights =
      ragged_attention(p3.q, p3.k, unit, nodes, nodes, hops(p3.graph), {.multiply = table}, {}, {.scale = 1.0}).value();
  CHECK(weights.data<double>()[0] == Approx(.3598674673).epsilon(2e-10));
  CHECK(weights.data<double>()[1] == Approx(.3598674673).epsilon(2e-10));
  CHECK(weights.data<double>()[2] == Approx(.2802650654).epsilon(2e-10));
}

TEST_CASE("attention on a path of three: decay of probabilities, renormalised or not, and as a bias") {
  const Three p3;
  const Tensor hop = radii({0.0});
  const Var mask = hop_decay(hop, {.gamma = .5});
  const Var logarithm = hop_decay(hop, {.gamma = .5, .logarithm = true});
  check(p3({.gate = mask}), {1, 1.5, 3.5885328166});
  check(p3({.add = logarithm}), {2.6405774262, 2.25, 3.8609722622});
  Three sums = p3;
  sums.v = column({1, 1, 1});
  check(p3({.gate = mask}) / sums({.gate = mask}), {2.6405774262, 2.25, 3.8609722622});
  // A bias of ln(gamma) times the distance, as a table of its own.
  Tensor bias = Tensor::zeros(Shape{1, 256}, DType::float64);
  for (std::int64_t d = 0; d < 256; ++d) bias.data<double>()[d] = std::log(.5) * static_cast<double>(d);
  check(p3({.add = bias}), {2.6405774262, 2.25, 3.8609722622});
}

TEST_CASE("attention on a path of three: the gradient of the radius") {
  const Three p3;
  const auto loss = [&](double hop, double slope, double value, double gradient) {
    const Var leaf = hop_leaf({hop});
    const Var l = sum(p3({.multiply = hop_decay(leaf, {.gamma = .5, .slope = slope})}));
    l.backward();
    CHECK(l.item() == Approx(value).epsilon(2e-10));
    CHECK(leaf.grad().item() == Approx(gradient).epsilon(2e-9).margin(1e-15));
  };
  loss(.5, 0, 8.5534588396, .0811919663);
  loss(.5, .2, 8.5587510307, .1420684576);
  loss(1.5, 0, 8.8273344988, .8025408705);
  loss(1.5, .2, 8.8932731548, .7202419109);
  loss(2.5, 0, 9.2915350961, 0);
  loss(2.5, .2, 9.3945629221, .1179936077);
}

TEST_CASE("attention with a node that nobody reaches") {
  Three apart;
  apart.graph = undirected(3, {{0, 1}});
  apart.q = column({1, -1, 2}), apart.k = column({.5, 1, -1}), apart.v = column({1, 2, 3});
  check(apart.decayed(.6, 0, 0), {1.8548994685, 2.1229108298, 1.5950684075});
  apart.v = Tensor::from({1., 0., 0., 0., 1., 0., 0., 0., 1.}, Shape{3, 1, 3});
  const Tensor weights = apart.decayed(.6, 0, 0).value();
  CHECK(weights.data<double>()[6] == Approx(.4683105308).epsilon(2e-10));
  CHECK(weights.data<double>()[7] == Approx(.4683105308).epsilon(2e-10));
  CHECK(weights.data<double>()[8] == Approx(.0633789383).epsilon(2e-9));
  // As a bias: no attention at all across.
  const Tensor bias = apart({.add = hop_decay(radii({0.0}), {.gamma = .6, .logarithm = true})}).value();
  CHECK(bias.data<double>()[2] == 0);
  CHECK(bias.data<double>()[8] == 1);
}

TEST_CASE("attention at a tie of radius and distance takes the derivative of the inner branch") {
  const Three p3;
  for (const double slope : {0.0, 0.2}) {
    const auto gradient = [&](double hop) {
      const Var leaf = hop_leaf({hop});
      sum(p3({.multiply = hop_decay(leaf, {.gamma = .5, .slope = slope})})).backward();
      return leaf.grad().item();
    };
    // The one-sided derivative for a growing radius.
    const double step = 1e-6;
    const double right = (sum(p3.decayed(.5, 1 + step, slope)).item() - sum(p3.decayed(.5, 1, slope)).item()) / step;
    CHECK(gradient(1) == Approx(right).epsilon(1e-5));
    CHECK(gradient(1) == Approx(gradient(1 + 1e-9)).epsilon(1e-7));
    CHECK(gradient(1) != Approx(gradient(1 - 1e-9)).epsilon(1e-3));
  }
}

TEST_CASE("attention: gradients of queries, keys, values, radii and base agree with finite differences") {
  const Batch b;
  for (const double slope : {0.0, 0.2}) {
    const auto f = [&](std::span<const Var> in) {
      const Var table = hop_decay(in[3], {.slope = slope}, in[4]);
      const Var once = ragged_attention(in[0], in[1], in[2], b.nodes, b.nodes, b.plane, {.multiply = table});
      // A second layer with the same radii: their gradient is the sum over the layers.
      return ragged_attention(in[0], once, once, b.nodes, b.nodes, b.plane, {.multiply = table, .gate = table});
    };
    const GradcheckResult result =
        gradcheck(f, {b.q, b.k, uniform(Shape{17, 2, 3}, -1, 1, 5), radii({0.375, 1.625}), radii({0.5, 0.75})});
    INFO(result.report);
    CHECK(result.passed);
  }
}

TEST_CASE("attention: layers that share the radii send the sum of their gradients") {
  const Batch b;
  const auto gradient = [&](int layers) {
    const Var hop = hop_leaf({0.375, 1.625});
    const Var table = hop_decay(hop, {.gamma = 0.6});
    Var loss;
    for (int layer = 0; layer < 2; ++layer) {
      if (!(layers & (1 << layer))) continue;
      const Var y =
          sum(square(ragged_attention(layer ? b.k : b.q, b.k, b.v, b.nodes, b.nodes, b.plane, {.multiply = table})));
      loss = loss.defined() ? loss + y : y;
    }
    loss.backward();
    return hop.grad();
  };
  const Tensor both = gradient(3), first = gradient(1), second = gradient(2);
  for (int h = 0; h < 2; ++h)
    CHECK(both.data<double>()[h] == Approx(first.data<double>()[h] + second.data<double>()[h]).epsilon(1e-12));
}

TEST_CASE("attention without decay has the bits of attention without a table, and no gradient for the radius") {
  const Batch b;
  for (const DType dtype : {DType::float32, DType::float64}) {
    const auto run = [&](const Var& hop, double gamma) {
      std::vector<Var> leaves{Var::leaf(b.q.to(dtype).clone()), Var::leaf(b.k.to(dtype).clone()),
                              Var::leaf(b.v.to(dtype).clone())};
      const AttentionTables tables{.multiply =
                                       hop.defined() ? hop_decay(hop, {.gamma = gamma, .unreachable = 1}) : Var()};
      const Var y = ragged_attention(leaves[0], leaves[1], leaves[2], b.nodes, b.nodes, b.plane, tables);
      backward(y, uniform(y.shape(), -1, 1, 8).to(dtype));
      return std::vector<Tensor>{y.value(), leaves[0].grad(), leaves[1].grad(), leaves[2].grad()};
    };
    const std::vector<Tensor> plain = run({}, 1);
    for (const double gamma : {1.0, 0.5}) {
      const Var hop = Var::leaf(Tensor::full(Shape{2}, gamma == 1 ? 0 : 6, dtype));
      const std::vector<Tensor> masked = run(hop, gamma);
      for (std::size_t i = 0; i < plain.size(); ++i) CHECK(bit_equal(plain[i], masked[i]));
      CHECK(hop.grad().to(DType::float64).data<double>()[0] == 0);
      CHECK(hop.grad().to(DType::float64).data<double>()[1] == 0);
    }
  }
}

TEST_CASE("attention: a graph alone has the bits of the same graph in a batch") {
  const Batch b;
  const Var table = hop_decay(radii({0.375, 1.625}), {.gamma = 0.6});
  const Tensor together = ragged_attention(b.q, b.k, b.v, b.nodes, b.nodes, b.plane, {.multiply = table}).value();
  for (std::int64_t g = 0; g < b.nodes.count(); ++g) {
    const auto own = [&](const Tensor& x) { return x.rows(b.nodes.begin(g), b.nodes.end(g)); };
    const Ragged nodes = Ragged::single(b.nodes.size(g));
    const Tensor alone = ragged_attention(own(b.q), own(b.k), own(b.v), nodes, nodes,
                                          hops(b.graphs[static_cast<std::size_t>(g)]), {.multiply = table})
                             .value();
    CHECK(bit_equal(alone.clone(), own(together).clone()));
  }
}

TEST_CASE("attention: renaming the nodes renames the results; rows add up to one") {
  const Graph graph = undirected(7, {{0, 1}, {1, 2}, {2, 0}, {3, 4}, {4, 5}});
  const std::vector<std::int64_t> order = {3, 0, 6, 2, 5, 1, 4};  // new node r is old node order[r]
  std::vector<std::int32_t> place(7), src, dst;
  for (std::size_t r = 0; r < order.size(); ++r)
    place[static_cast<std::size_t>(order[r])] = static_cast<std::int32_t>(r);
  for (std::int64_t e = 0; e < graph.num_edges(); ++e) {
    src.push_back(place[static_cast<std::size_t>(graph.in_src()[static_cast<std::size_t>(e)])]);
    dst.push_back(place[static_cast<std::size_t>(graph.edge_dst()[static_cast<std::size_t>(e)])]);
  }
  const Tensor q = uniform(Shape{7, 2, 3}, -2, 2, 1), k = uniform(Shape{7, 2, 3}, -2, 2, 2),
               v = uniform(Shape{7, 2, 3}, -1, 1, 3);
  const Ragged nodes = Ragged::single(7);
  const AttentionTables tables{.multiply = hop_decay(radii({0.375, 1.625}), {.gamma = 0.6})};
  const Tensor before = ragged_attention(q, k, v, nodes, nodes, hops(graph), tables).value();
  const Tensor after = ragged_attention(rows_of(q, order), rows_of(k, order), rows_of(v, order), nodes, nodes,
                                        hops(Graph::from_edges(7, src, dst)), tables)
                           .value();
  CHECK(mismatch(after, rows_of(before, order), Tensor::full(before.shape(), 1, DType::float64), 1e-14) == "");
  const Tensor sums =
      ragged_attention(q, k, Tensor::full(v.shape(), 1, DType::float64), nodes, nodes, hops(graph), tables).value();
  for (const double sum : sums.values<double>()) CHECK(sum == Approx(1).epsilon(1e-14));
}

TEST_CASE("attention with queries of zeros is uniform, whatever the decay") {
  const Batch b;
  const Tensor zeros = Tensor::zeros(b.q.shape(), DType::float64);
  for (const double gamma : {0.1, 0.9}) {
    const Var table = hop_decay(radii({0.0, 2.5}), {.gamma = gamma, .slope = 0.3});
    for (const bool queries : {true, false}) {
      const Tensor y = ragged_attention(queries ? zeros : b.q, queries ? b.k : zeros, b.v, b.nodes, b.nodes, b.plane,
                                        {.multiply = table})
                           .value();
      for (std::int64_t g = 0; g < b.nodes.count(); ++g)
        for (std::int64_t c = 0; c < 8; ++c) {
          double mean = 0;
          for (std::int64_t j = b.nodes.begin(g); j < b.nodes.end(g); ++j)
            mean += b.v.data<double>()[j * 8 + c] / static_cast<double>(b.nodes.size(g));
          for (std::int64_t i = b.nodes.begin(g); i < b.nodes.end(g); ++i)
            CHECK(y.data<double>()[i * 8 + c] == Approx(mean).margin(1e-14));
        }
    }
  }
}
