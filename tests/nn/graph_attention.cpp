// The layer itself: its plan, its weights, parameters that are shared, what it refuses, and inputs at the edge.

#include "nn/attention/graph_attention.hpp"

#include <cmath>

#include "tests/nn/attention_slots.hpp"

namespace atto::test {

TEST_CASE("plan names what runs and why") {
  const Model model;
  auto plan = [&, count = 0](const AttentionOptions& options, const char* support) mutable {
    return GraphAttention(model / "plan" / std::int64_t{count++}, options).plan(support_of(support));
  };
  CHECK(plan(base_options(), "pairs") == "ragged_attention, fused");
  AttentionOptions gradformer = base_options();
  gradformer.pair = HopDecay{.gamma = 0.6, .hop = 5};
  CHECK(plan(gradformer, "pairs") == "ragged_attention, fused");
  CHECK(plan(gradformer, "edges") == "edge_attention, fused");
  gradformer.gate = SigmoidGate{};
  CHECK(plan(gradformer, "pairs") ==
        "edge_dot > hop_decay > edge_softmax > sigmoid_gate > spmm, composed: ragged_attention will not do, it has no "
        "sigmoid_gate");
  CHECK(plan(gradformer, "edges") ==
        "edge_dot > hop_decay > edge_softmax > sigmoid_gate > spmm, composed: edge_attention will not do, it has no "
        "sigmoid_gate");
  AttentionOptions gat = base_options();
  gat.score = Additive{};
  gat.projection = Projection::shared;
  CHECK(plan(gat, "edges") == "gat, fused");
  gat.score = DynamicAdditive{};
  gat.projection = Projection::key_value;
  CHECK(plan(gat, "edges") == "gatv2, fused");
  gat.projection = Projection::separate;
  CHECK(plan(gat, "edges").find("composed") != std::string::npos);
}

TEST_CASE("weights can be inspected") {
  const Model model({.seed = 1, .dtype = DType::float64});
  AttentionOptions options = base_options();
  options.dropout = 0.5;
  GraphAttention attention(model / "attention", options);
  const Support support = support_of("pairs");
  const Var x = uniform(Shape{9, kChannels});
  CHECK_THROWS_AS(attention.weights(), StateError);
  attention.keep_last_call(true);
  attention(x, support);
  const Tensor weights = attention.weights();
  REQUIRE(weights.shape() == Shape{9 + 1 + 25, kHeads});
  const Tensor rows = edge_sum(support.graph(), weights).value();
  for (const double row : rows.values<double>()) CHECK(row == Approx(1).epsilon(1e-12));
}

TEST_CASE("parameters of a slot can be shared between layers and belong to one owner") {
  const Model model({.seed = 1, .dtype = DType::float64});
  const SlotPointer decay = HopDecay{.gamma = 0.6, .hop = 0.5}.build(
      model / "decay", {.channels = kChannels, .heads = kHeads, .head_width = 4, .value_width = 4});
  AttentionOptions options = base_options();
  options.pair = decay;
  const GraphAttention first(model / "first", options), second(model / "second", options);
  int hops = 0;
  for (const NamedParameter& parameter : model.parameters()) hops += parameter.name.find("hop") != std::string::npos;
  CHECK(hops == 1);
  const Support support = support_of("pairs");
  const Var hop = model.parameter("decay.hop");
  const Tensor seed = uniform(Shape{9, kChannels});
  const auto gradient_of = [&](const std::function<Var()>& call) {
    model.zero_grad();
    backward(call(), seed);
    return hop.grad().clone();
  };
  const Var x = uniform(Shape{9, kChannels}, -1, 1, 3);
  const Tensor both = gradient_of([&] { return first(x, support) + second(x, support); });
  const Tensor one = gradient_of([&] { return first(x, support); }),
               other = gradient_of([&] { return second(x, support); });
  for (std::int64_t h = 0; h < kHeads; ++h)
    CHECK(both.data<double>()[h] == Approx(one.data<double>()[h] + other.data<double>()[h]).epsilon(1e-12));
}

TEST_CASE("combinations that make no sense are refused when the layer is built") {
  const Model model;
  auto refused = [&, count = 0](const AttentionOptions& options) mutable {
    CHECK_THROWS_AS(GraphAttention(model / "refused" / std::int64_t{count++}, options), ValueError);
  };
  AttentionOptions options = base_options();
  options.heads = 3;
  refused(options);
  options = base_options();
  options.edge_channels = 0;
  options.score = ChannelWise{};
  refused(options);
  struct Future {
    const char* name = "future";
    const char* looks_ahead = "it reads the next position";
    Var operator()(const EdgeView&, const Var& in) const { return in; }
  };
  options = base_options();
  options.pair = Future{};
  options.causal = true;
  refused(options);
  options.causal = false;
  CHECK_NOTHROW(GraphAttention(model / "allowed", options));
  options = base_options();
  options.causal = true;
  const GraphAttention causal(model / "causal", options);
  CHECK_THROWS_AS(causal(Var(Tensor::zeros(Shape{9, kChannels})), support_of("pairs")), ValueError);
}

TEST_CASE("grouped queries share keys and values between neighbouring heads") {
  const Model model({.seed = 1, .dtype = DType::float64});
  AttentionOptions options{.channels = 8, .heads = 4, .key_heads = 2};
  const GraphAttention attention(model / "attention", options);
  CHECK(model.parameter("attention.key.weight").shape() == Shape{4, 8});
  const Var x = Var::leaf(uniform(Shape{9, 8}));
  const Support support = support_of("causal");
  compare(outcome(model, x, [&] { return attention(x, support); }), outcome(model, x, [&] {
            return attention.lowered({.query = x, .source = {}, .value = {}, .edge = {}}, support);
          }));
}

TEST_CASE("a node that no path leads to gets zeros from a decay mask, whatever its form") {
  const Support support = Support::edges(Graph::from_edges(3, {{0, 1}, {2, 1}, {1, 2}}))
                              .with_buckets(Tensor::from(std::vector<std::uint8_t>{1, 2, kUnreachable}));
  for (const bool renormalise : {false, true}) {
    const Model model({.seed = 3, .dtype = DType::float64});
    const GraphAttention attention(model / "attention",
                                   {.channels = kChannels,
                                    .heads = kHeads,
                                    .gate = HopDecayGate{.gamma = 0.6, .hop = 0.5, .renormalise = renormalise},
                                    .output = Output::none});
    const Var x = Var::leaf(uniform(Shape{3, kChannels}, -1, 1, 5));
    const Outcome result = outcome(model, x, [&] { return attention(x, support); });
    for (std::int64_t c = 0; c < kChannels; ++c) {
      CHECK(result.value.data<double>()[c] == 0);  // no edges
      CHECK(result.value.data<double>()[kChannels + c] != 0);
      CHECK(result.value.data<double>()[2 * kChannels + c] == 0);  // an edge, but no path
    }
    for (const auto& [name, gradient] : result.gradients)
      for (const double g : gradient.values<double>()) CHECK(std::isfinite(g));
  }
}

TEST_CASE("nodes without edges and empty batches give zeros, not NaN") {
  const Model model({.seed = 1, .dtype = DType::float64});
  AttentionOptions options = base_options();
  options.output = Output::none;
  for (const auto& [name, set_score] : kScores) {
    INFO(name);
    set_score(options);
    const GraphAttention attention(model / "attention" / std::string_view(std::to_string(&name - &kScores[0].first)),
                                   options);
    const Support lonely = Support::edges(Graph::from_edges(2, {{0, 1}}));
    const Var y = attention(
        {.query = uniform(Shape{2, kChannels}), .source = {}, .value = {}, .edge = uniform(Shape{1, kEdgeChannels})},
        lonely);
    for (std::int64_t c = 0; c < kChannels; ++c) CHECK(y.value().data<double>()[c] == 0);
    for (const Support& empty : {Support::pairs(Ragged()), Support::edges(Graph())})
      CHECK(attention({.query = Tensor::zeros(Shape{0, kChannels}, DType::float64),
                       .source = {},
                       .value = {},
                       .edge = Tensor::zeros(Shape{0, kEdgeChannels}, DType::float64)},
                      empty)
                .shape() == Shape{0, kChannels});
  }
}

}  // namespace atto::test
