// Graph-aware isomorphic attention where its values are known in closed form: sums, maxima, whole layers,
// feed-forwards.

#include <algorithm>
#include <cmath>

#include "nn/attention/map_feed_forward.hpp"
#include "ops/edge/edge.hpp"
#include "ops/linear/linear.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "tests/nn/isomorphic.hpp"

namespace atto::test {

TEST_CASE("GIN-Attention: hard modes train the perceptron and nothing before the choice") {
  for (const char* mode : {"binary", "top_k", "scaled_topk_causal_4d", "relu_below_binary_above"}) {
    INFO(mode);
    GinAttentionOptions options;
    options.normaliser = Softmax{.learn = true};
    options.gate = adjacency_gate(mode, {.threshold = .3, .learn_threshold = true, .fraction = .5, .insist = true});
    const OracleGin at(std::move(options));
    oracle_loss(at.layer(at.x, causal(3))).backward();
    for (const char* name : {"query.weight", "key.weight", "normaliser.sharpness"})
      if (const Tensor g = at.grad(name); g.defined())
        for (const double value : g.values<double>()) CHECK(value == 0);
    for (const char* name : {"finish.epsilon", "finish.hidden.weight"}) {
      double size = 0;
      for (const double value : at.grad(name).values<double>()) size += std::abs(value);
      CHECK(size > 0);
    }
    double size = 0;
    for (const double value : at.x.grad().values<double>()) size += std::abs(value);
    CHECK(size > 0);
  }
}

TEST_CASE("GIN-Attention: one token, uniform rows, and standard attention before the perceptron") {
  GinAttentionOptions options;
  options.normaliser = Softmax{.learn = true};
  const OracleGin at(options);
  const Var one = Var::leaf(filler({1, 4}, 1));
  const Var y = at.layer(one, causal(1));
  sum(y).backward();
  for (const char* name : {"normaliser.sharpness", "query.weight", "key.weight"})
    for (const double g : at.grad(name).values<double>()) CHECK(g == 0);
  CHECK(at.layer.map(one, causal(1)).value().data<double>()[0] == 1);

  at.model.parameter("query.weight").value().fill(0);
  const Tensor map = at.layer.map(at.x, causal(3)).value();
  for (const auto& [edge, weight] : {std::pair{0, 1.}, {1, .5}, {2, .5}, {3, 1 / 3.}, {5, 1 / 3.}})
    CHECK(map.data<double>()[edge * 2] == Approx(weight).epsilon(1e-14));

  // eps = 0 and no perceptron is attention whose values are the nodes.
  const Model model({.seed = 3, .dtype = DType::float64});
  const GraphAttention sums(
      model / "sums",
      {.channels = 4, .heads = 2, .projection = Projection::query_key, .output = Output::none, .bias = false});
  const GraphAttention standard(model / "standard", {.channels = 4, .heads = 2, .bias = false});
  for (const char* name : {"query.weight", "key.weight"})
    set(model, std::string("standard.") + name, model.parameter(std::string("sums.") + name).value());
  const Tensor identity = tabulate(Shape{4, 4}, [](std::int64_t i) { return i % 5 == 0 ? 1. : 0.; });
  set(model, "standard.value.weight", identity);
  set(model, "standard.output.weight", identity);
  CHECK(mismatch(sums(at.x, causal(3)).value(), standard(at.x, causal(3)).value(),
                 Tensor::full(Shape{3, 4}, 1, DType::float64), 1e-14) == "");
}

TEST_CASE("the perceptron of a head: invariant under a scale of its input, as far as its norm goes") {
  const Model model({.seed = 1, .dtype = DType::float64});
  const HeadPerceptron perceptron(model, 1, 2, 2, {.hidden = 2, .epsilon = 1e-300});
  const Tensor identity = Tensor::from({1., 0., 0., 1.}, Shape{1, 2, 2});
  set(model, "hidden.weight", identity);
  set(model, "output.weight", identity);
  for (const double c : {.01, 1., 300.})
    check_near(perceptron(Tensor::from({3 * c, 4 * c}, Shape{1, 1, 2})).value(), {.594188866, .855420218}, 1e-9);
  CHECK_THROWS_AS(HeadPerceptron(model / "narrow", 1, 2, 2, {.hidden = 0}), ValueError);
}

TEST_CASE("PNA: moments of a uniform row and of a binary one, of one neighbour and of none") {
  const auto features = [](const Numbers& weights, const Numbers& values, Pna options) {
    const Model model({.seed = 1, .dtype = DType::float64});
    const SlotPointer pna =
        Choice<AggregatorKind>(options).build(model, AttentionSizes{.heads = 1, .head_width = 1, .value_width = 1});
    const auto count = static_cast<std::int64_t>(values.size());
    EdgeView view;
    view.support = Support::pairs(Ragged::single(1), Ragged::single(count));
    view.graph = view.support->graph();
    const Var leaf = Var::leaf(Tensor::from(values, Shape{count, 1, 1}));
    view.value = leaf;
    const Var a = Var::leaf(Tensor::from(weights, Shape{count, 1}));
    const Var f = (*pna)(view, a);
    Tensor seed = Tensor::zeros(f.shape(), DType::float64);
    seed.data<double>()[3] = 1;  // of the variance
    backward(f, seed);
    return std::pair(f.value(), leaf.grad());
  };
  check_near(features({1 / 3., 1 / 3., 1 / 3.}, {1, 2, 6}, {}).first, {3, 3, 6, 14 / 3.}, 1e-14);
  check_near(features({1, 1, 1}, {1, 2, 6}, {}).first, {9, 3, 6, 14 / 3.}, 1e-14);
  check_near(features({1, 0, 0}, {1, 2, 6}, {}).first, {1, 1, 1, 0}, 1e-15);
  CHECK(features({0, 1, 0}, {1, 2, 6}, {}).second.data<double>()[1] == 0);
  check_near(features({0, 0, 0}, {1, 2, 6}, {}).first, {0, 0, 0, 0}, 1e-15);
  check_near(features({0, 0, 0}, {1, 2, 6}, {.neighbours = Neighbours::listed}).first, {0, 0, 6, 0}, 1e-15);
}

TEST_CASE("PNA: without queries, moments and maxima of all that came before") {
  const Model model({.seed = 1, .dtype = DType::float64});
  const GraphAttention attention(model, {.channels = 4,
                                         .heads = 2,
                                         .aggregator = Pna{.neighbours = Neighbours::listed},
                                         .output = Output::none,
                                         .bias = false});
  model.parameter("query.weight").value().fill(0);
  const Tensor x = uniform(Shape{5, 4}), f = attention(x, causal(5)).value();
  const Tensor v = linear(x, model.parameter("value.weight"), {}).value();
  for (std::int64_t i = 0; i < 5; ++i)
    for (std::int64_t c = 0; c < 4; ++c) {
      double mean = 0, square = 0, most = -10;
      for (std::int64_t j = 0; j <= i; ++j) {
        const double value = v.data<double>()[j * 4 + c];
        mean += value / static_cast<double>(i + 1);
        square += value * value / static_cast<double>(i + 1);
        most = std::max(most, value);
      }
      const double* head = f.data<double>() + i * 16 + c / 2 * 8 + c % 2;
      check_near(head[0], mean, 1e-14);
      check_near(head[2], mean, 1e-14);
      CHECK(head[4] == most);
      check_near(head[6], std::max(square - mean * mean, 0.), 1e-14);
    }
}

TEST_CASE("PNA: nodes without neighbours get zero or their own value, and nothing is infinite") {
  for (const auto& [empty, expected] : {std::pair{WithoutNeighbours::zero, 0.}, {WithoutNeighbours::own, 1.}}) {
    PnaAttentionOptions options{.mode = "scaled_topk_causal_4d", .empty = empty};
    const OraclePna at(options);
    const Var y = at.layer(at.x, causal(3));  // the first token has no edge
    sum(y).backward();
    for (const double value : y.value().values<double>()) CHECK(std::isfinite(value));
    for (const double g : at.grad("value.weight").values<double>()) CHECK(std::isfinite(g));
    double first = 0;
    for (std::int64_t c = 0; c < 4; ++c) first += std::abs(y.value().data<double>()[c]);
    CHECK((first > 0) == (expected > 0));
  }
}

TEST_CASE(
    "PNA: a node whose weights are all zero sends no gradient through its degree, and in PNA_LM keeps its own value") {
  const Model model({.seed = 1, .dtype = DType::float64});
  const AttentionSizes one{.heads = 1, .head_width = 1, .value_width = 1};
  EdgeView view;
  view.support = causal(3);
  view.graph = view.support->graph();
  view.value = Tensor::from({5., -7., 2.}, Shape{3, 1, 1});
  for (const bool lm : {false, true}) {
    const SlotPointer pna = lm ? PnaLm{.threshold = -1}.build(model, one) : Pna{}.build(model, one);
    const Var a = Var::leaf(Tensor::from({1., 0., 0., .5, .25, .25}, Shape{6, 1}));
    const Var f = (*pna)(view, a);
    if (lm) check_near(f.value().rows(1, 2), {0, -7, 0, -7}, 1e-15);
    else check_near(f.value().rows(1, 2), {0, 0, 0, 0}, 1e-15);
    Tensor seed = Tensor::zeros(f.shape(), DType::float64);
    seed.data<double>()[4 + (lm ? 0 : 1)] = 1;  // of the mean of node 1: d mean / d a_1j = v_j / 1
    backward(f, seed);
    check_near(a.grad(), {0, 5, -7, 0, 0, 0}, 1e-15);
  }
  // Weights that cancel: the degree is 0, the sum is not, and only the numerator has a gradient.
  const Var a = Var::leaf(Tensor::from({1., .5, -.5, 1., 0., 0.}, Shape{6, 1}));
  const Var f = (*Pna{}.build(model, one))(view, a);
  Tensor seed = Tensor::zeros(f.shape(), DType::float64);
  seed.data<double>()[5] = 1;
  backward(f, seed);
  check_near(f.value().data<double>()[5], 6, 1e-15);
  check_near(a.grad(), {0, 5, -7, 0, 0, 0}, 1e-15);
}

TEST_CASE("expressivity: two equal neighbours differ from one where weights are binary, and a mean cannot tell") {
  const auto of = [](const char* mode, std::int64_t copies, double epsilon) {
    const Model model({.seed = 5, .dtype = DType::float64});
    const GinAttention gin(
        model, 2,
        {.heads = 1, .gate = adjacency_gate(mode, {.threshold = .1}), .gin = {.epsilon = epsilon}, .causal = false});
    model.eval();
    set(model, "finish.hidden.weight", filler({1, 4, 2}, 1));
    set(model, "finish.hidden.bias", filler({1, 4}, 2));
    set(model, "finish.output.weight", filler({1, 2, 4}, 3));
    std::vector<std::int32_t> src, dst;
    for (std::int32_t k = 1; k <= copies; ++k) {
      src.push_back(k);
      dst.push_back(0);
    }
    const Tensor x = tabulate(Shape{3, 2}, [](std::int64_t i) { return i < 2 ? .3 : i % 2 == 0 ? .7 : -.4; });
    return gin(x, Support::edges(Graph::from_edges(3, src, dst))).value().rows(0, 1).clone();
  };
  CHECK(mismatch(of("none", 1, .5), of("none", 2, .5), Tensor::full(Shape{1, 2}, 1, DType::float64), 1e-14) == "");
  CHECK(mismatch(of("binary", 1, .5), of("binary", 2, .5), Tensor::full(Shape{1, 2}, 1, DType::float64), 1e-3) != "");
}

TEST_CASE("differential maps: rows add up to 1 - lambda, and equal projections cancel") {
  const Numbers zero{-.009915285, .2, .355509068, .470713018, .556058204, .619283473};
  for (std::int64_t l = 0; l < 6; ++l) {
    check_near(initial_lambda(l, LayerCount::from_zero), zero[static_cast<std::size_t>(l)], 1e-9);
    if (l > 0) CHECK(initial_lambda(l - 1, LayerCount::from_one) == initial_lambda(l, LayerCount::from_zero));
  }
  GinAttentionOptions options;
  options.normaliser = Differential{.lambda = .3};
  const OracleGin at(options, 1);
  const Support support = causal(3);
  const Tensor rows = edge_sum(support.graph(), at.layer.map(at.x, support)).value();
  for (const double row : rows.values<double>()) CHECK(row == Approx(.7).epsilon(1e-13));
  for (const char* name : {"query.weight", "key.weight"}) {
    const Tensor both = at.model.parameter(name).value();
    both.rows(4, 8).copy_from(both.rows(0, 4));
  }
  set(at.model, "normaliser.lambda", Tensor::full(Shape{1}, 1, DType::float64));
  for (const double a : at.layer.map(at.x, support).value().values<double>()) CHECK(std::abs(a) < 1e-15);
}

TEST_CASE("differential maps: the group norm takes what the support leaves out for zeros") {
  GinAttentionOptions options;
  options.normaliser = Differential{.lambda = .3, .group_norm = true, .insist = true};
  const OracleGin normed(options, 1);
  options.normaliser = Differential{.lambda = .3};
  const OracleGin plain(options, 1);
  const Tensor a = plain.layer.map(plain.x, causal(3)).value(), b = normed.layer.map(normed.x, causal(3)).value();
  for (std::int64_t h = 0; h < 2; ++h) {
    double mean = 0, square = 0;
    for (std::int64_t e = 0; e < 6; ++e) {
      mean += a.data<double>()[e * 2 + h] / 9;
      square += a.data<double>()[e * 2 + h] * a.data<double>()[e * 2 + h] / 9;
    }
    for (std::int64_t e = 0; e < 6; ++e)
      CHECK(b.data<double>()[e * 2 + h] ==
            Approx((a.data<double>()[e * 2 + h] - mean) / std::sqrt(square - mean * mean + 1e-5) * .7).epsilon(1e-12));
  }
}

TEST_CASE("feed-forward networks over a map: at their beginning, and over a map of loops") {
  const Model model({.seed = 1, .dtype = DType::float64});
  const HalfwayGin halfway(model / "halfway", 4, {.heads = 2, .inner = 6});
  const MultiHop hops(model / "hops", 4, {.heads = 2, .inner = 3});
  const Tensor x = uniform(Shape{3, 4});
  const Graph loops = Graph::from_edges(3, {{0, 0}, {1, 1}, {2, 2}});
  const Tensor ones = Tensor::full(Shape{3, 2}, 1, DType::float64);
  const Var gated =
      silu(linear(x, model.parameter("halfway.gate.weight"), {})) * linear(x, model.parameter("halfway.up.weight"), {});
  const Tensor swiglu = linear(gated, model.parameter("halfway.down.weight"), {}).value();
  const auto times = [](const Tensor& t, double s) { return scale(t, s).value(); };
  const auto same = [](const Tensor& got, const Tensor& expected) {
    return mismatch(got, expected, Tensor::full(expected.shape(), 1e-3, DType::float64), 1e-12);
  };
  CHECK(same(halfway(x, loops, ones).value(), times(swiglu, 2)) == "");
  model.parameter("halfway.mix").value().fill(0);
  CHECK(same(halfway(x, loops, ones).value(), swiglu) == "");

  const Tensor with_hops = hops(x, loops, ones).value();
  model.parameter("hops.hops").value().fill(0);
  CHECK(same(with_hops, times(hops(x, loops, ones).value(), 2.6)) == "");
}

TEST_CASE("MultiHop: two hops of a map are one hop of its square, and three of its cube") {
  const Model model({.seed = 1, .dtype = DType::float64});
  const MultiHop hops(model, 4, {.heads = 2, .inner = 3});
  const Graph all = Support::pairs(Ragged::single(3)).graph();  // edge j -> i is number 3 i + j
  const Tensor x = uniform(Shape{3, 4}), a = uniform(Shape{9, 2}, -1, 1, 2);
  const auto product = [](const Tensor& f, const Tensor& g) {
    return tabulate(Shape{9, 2}, [&](std::int64_t n) {
      double sum = 0;
      for (std::int64_t k = 0; k < 3; ++k)
        sum += f.data<double>()[(n / 6 * 3 + k) * 2 + n % 2] * g.data<double>()[(k * 3 + n / 2 % 3) * 2 + n % 2];
      return sum;
    });
  };
  const auto with = [&](std::int64_t hop, const Tensor& map) {
    const Tensor weights = model.parameter("hops").value();
    weights.fill(0);
    weights.rows(hop - 1, hop).fill(1);
    return hops(x, all, map).value();
  };
  const auto same = [](const Tensor& got, const Tensor& expected) {
    return mismatch(got, expected, Tensor::full(expected.shape(), 1e-3, DType::float64), 1e-12);
  };
  CHECK(same(with(2, a), with(1, product(a, a))) == "");
  CHECK(same(with(3, a), with(1, product(a, product(a, a)))) == "");
  CHECK(same(with(1, a), with(1, product(a, a))) != "");
}

}  // namespace atto::test
