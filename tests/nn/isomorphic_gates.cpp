// Normalisers and gates of graph-aware isomorphic attention where their values are known in closed form.

#include <cmath>
#include <limits>

#include "graph/distances.hpp"
#include "tests/nn/isomorphic.hpp"

namespace atto::test {
namespace {

const AttentionSizes kOneHead{.channels = 1, .heads = 1, .head_width = 1, .value_width = 1, .source_channels = 1};

// One stage on given numbers, on the edges of a graph.
struct Stage {
  template <class S>
  Stage(const S& options, const Support& on) : slot(options.build(model, kOneHead)) {
    view.graph = on.graph();
    view.support = on;
  }
  Tensor operator()(const Numbers& numbers) const {
    return (*slot)(view, Tensor::from(numbers, Shape{std::ssize(numbers), 1})).value();
  }
  const Model model{{.seed = 1, .dtype = DType::float64}};
  SlotPointer slot;
  EdgeView view;
};

Support three_senders() {
  return Support::edges(Graph::bipartite(3, 1, std::vector<std::int32_t>{0, 1, 2}, std::vector<std::int32_t>{0, 0, 0}));
}

const Numbers kRows{1, .3, .7, .2, .5, .3, .1, .2, .3, .4};  // a causal map of four rows

}  // namespace

TEST_CASE("a sharpened softmax scales before it masks, and no sharpness lets a mask through") {
  const Numbers z{0, std::log(2.0), std::log(4.0)};
  const auto at = [&](double alpha, double temperature) {
    return Stage(Softmax{.sharpness = alpha, .temperature = temperature}, three_senders())(z);
  };
  check_near(at(1, 1), {1 / 7., 2 / 7., 4 / 7.}, 1e-15);
  check_near(at(2, 1), {1 / 21., 4 / 21., 16 / 21.}, 1e-15);
  check_near(at(0, 1), {1 / 3., 1 / 3., 1 / 3.}, 1e-15);
  check_near(at(2, 2), {1 / 7., 2 / 7., 4 / 7.}, 1e-15);
  CHECK_THROWS_AS(at(1, 0), ValueError);

  const Stage learned(Softmax{.learn = true}, three_senders());
  const Var logits = Tensor::from(z, Shape{3, 1});
  for (std::int64_t e = 0; e < 3; ++e) {
    learned.model.zero_grad();
    Tensor one = Tensor::zeros(Shape{3, 1}, DType::float64);
    one.data<double>()[e] = 1;
    backward((*learned.slot)(learned.view, logits), one);
    check_near(learned.model.parameter("sharpness").grad().item(),
               Numbers{-.141458608, -.084875165, .226333773}[static_cast<std::size_t>(e)], 1e-9);
  }
  const double masked = -std::numeric_limits<double>::infinity();
  for (const double alpha : {2.0, 0.0, -1.5}) {
    set(learned.model, "sharpness", Tensor::full(Shape{1}, alpha, DType::float64));
    learned.model.zero_grad();
    const Var a = (*learned.slot)(learned.view, Tensor::from({0.5, masked, 0.25}, Shape{3, 1}));
    backward(a, uniform(Shape{3, 1}));
    CHECK(a.value().data<double>()[1] == 0);
    CHECK(a.value().data<double>()[0] + a.value().data<double>()[2] == Approx(1).epsilon(1e-14));
    CHECK(std::isfinite(learned.model.parameter("sharpness").grad().item()));
    const Tensor nothing = learned({masked, masked, masked});
    for (const double weight : nothing.values<double>()) CHECK(weight == 0);
  }
  const Stage random(Softmax{.random = true}, three_senders());
  const double start = random.model.parameter("sharpness").value().item();
  CHECK((start >= .5 && start < 1.5 && start != 1));
}

TEST_CASE("any sharpness stays causal in a whole layer, fused and lowered, with and without a table of masks") {
  for (const double alpha : {1.7, 0.0, -2.0})
    for (const bool table : {false, true}) {
      AttentionOptions options{.channels = 4, .heads = 2, .normaliser = Softmax{.learn = true}, .causal = true};
      if (table)
        options.pair = HopDecay{.gamma = .6, .hop = .5, .logarithm = true, .disconnected = Disconnected::left_out};
      const Model model({.seed = 2, .dtype = DType::float64});
      const GraphAttention attention(model, options);
      set(model, "normaliser.sharpness", Tensor::full(Shape{1}, alpha, DType::float64));
      std::vector<std::uint8_t> hops;
      for (std::int64_t p = 0; p < 25; ++p)
        hops.push_back(p % 5 == 1 && p > 9 ? kUnreachable : static_cast<std::uint8_t>(p % 3));
      Support support = causal(5);
      if (table) support = support.with_buckets(BucketPlane{.values = Tensor::from(hops), .offsets = {0, 25}});
      CHECK(attention.plan(support) == "ragged_attention, fused");
      const Tensor x = uniform(Shape{5, 4}), y = attention(x, support).value();
      CHECK(mismatch(y, attention.lowered({.query = x, .source = {}, .value = {}, .edge = {}}, support).value(),
                     Tensor::full(y.shape(), 10, DType::float64), 1e-13) == "");
      const Tensor changed = x.clone();
      changed.rows(3, 5).fill(7);
      CHECK(bit_equal(attention(changed, support).value().rows(0, 3).clone(), y.rows(0, 3).clone()));
    }
}

TEST_CASE("gates by their published names: values") {
  const auto at = [](const char* mode, double a) {
    const Support one = Support::edges(Graph::from_edges(1, {{0, 0}}));
    return Stage(adjacency_gate(mode), one)({a}).item();
  };
  check_near(at("flowthreshold", 0), 2.269893435e-5, 1e-14);
  check_near(at("flowthreshold", .1), 4.166027510e-3, 1e-12);
  check_near(at("flowthreshold", .2), .365529289, 1e-9);
  check_near(at("flowthreshold", .3), .812102572, 1e-9);
  check_near(at("flowthreshold", .5), .924141537, 1e-9);
  check_near(at("flowthreshold", 1), .993307149, 1e-9);
  check_near(at("flowthreshold", -.1), 1.1549e-7, 1e-11);
  check_near(at("silu", 0), -.090033201, 1e-9);
  check_near(at("silu", 1), .551979585, 1e-9);
  check_near(at("softplus", .2), std::log(2.0), 1e-15);
  check_near(at("softplus", 0), .598138869, 1e-9);
  check_near(at("sharp_softplus", 0), .012692801, 1e-9);
  check_near(at("sharp_softplus", .2), .069314718, 1e-9);
  check_near(at("sharp_softplus", .25), .097407698, 1e-9);
  check_near(at("sharp_softplus", 1), .800033541, 1e-9);
  check_near(at("sigmoid_elementwise", 0), .119202922, 1e-9);
  check_near(at("sigmoid_elementwise", .2), .5, 1e-15);
  check_near(at("sigmoid_elementwise", .5), .952574127, 1e-9);
  check_near(at("silu+binary", .5), 1.172332755, 1e-9);
  CHECK(at("binary", .2) == 0);  // the threshold itself lies below
  CHECK(at("binary", .3) == 1);
  for (const double a : {-.5, 0., .1, .2, .3, 1.}) CHECK(at("relu_below_binary_above", a) == at("binary", a));
  const Var a = Var::leaf(Tensor::full(Shape{1, 1}, .2, DType::float64));
  const Stage flow(adjacency_gate("flowthreshold"), Support::edges(Graph::from_edges(1, {{0, 0}})));
  (*flow.slot)(flow.view, a).backward();
  check_near(a.grad().item(), 9.629762066, 1e-9);
  CHECK_THROWS_AS(adjacency_gate("relu6"), ValueError);
}

TEST_CASE("the largest weights of a row: of all, of those that precede, and the first of equals") {
  const auto rows = [](const char* mode, double fraction, double threshold) {
    const Tensor a = Stage(adjacency_gate(mode, {.threshold = threshold, .fraction = fraction}), causal(4))(kRows);
    return Numbers(a.values<double>().begin(), a.values<double>().end());
  };
  CHECK(rows("top_k", .5, 0) == Numbers{1, 1, 1, 0, 1, 1, 0, 0, 1, 1});
  CHECK(rows("top_k", .1, 0) == Numbers{1, 0, 1, 0, 1, 0, 0, 0, 0, 1});
  CHECK(rows("scaled_topk_causal_4d", .5, 0) == Numbers{0, 1, 0, 0, 1, 0, 0, 1, 1, 0});
  CHECK(rows("scaled_topk_causal_4d", .5, .25) == Numbers{0, 1, 0, 0, 1, 0, 1, 0, 1, 0});
  const Stage equal(TopK{.fraction = .5}, causal(4));
  CHECK(equal({1, 1, 1, 1, 1, 1, 1, 1, 1, 1}).data<double>()[6] == 1);
  CHECK(equal({1, 1, 1, 1, 1, 1, 1, 1, 1, 1}).data<double>()[9] == 0);
  CHECK_THROWS_AS(Stage(TopK{.fraction = 0}, causal(4)), ValueError);
}

}  // namespace atto::test
