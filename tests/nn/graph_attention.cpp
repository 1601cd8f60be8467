#include "nn/attention/graph_attention.hpp"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>

#include "autograd/gradcheck.hpp"
#include "core/random.hpp"
#include "graph/distances.hpp"
#include "nn/attention/gat_conv.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/reduce/reduce.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

using namespace atto;
using test::uniform;

namespace {

constexpr std::int64_t kChannels = 8, kHeads = 2, kEdgeChannels = 3;

// A user's own slots: each a struct with one function.
struct NegativeDistance {
  static constexpr const char* name = "negative_distance";
  Var operator()(const EdgeView& view) const {
    return neg(sum(square(edge_add(view.graph, view.key, {}) - edge_add(view.graph, {}, view.query)), -1));
  }
};
struct Shift {
  Var operator()(const EdgeView&, const Var& in) const { return in + 0.25; }
};

// Nodes of three graphs: a path, an isolated node, a triangle with a tail in another component.
Graph test_graph() {
  return Graph::from_edges(
      9, {{0, 1}, {1, 0}, {1, 2}, {2, 1}, {4, 5}, {5, 4}, {5, 6}, {6, 5}, {4, 6}, {6, 4}, {7, 8}, {8, 7}, {4, 4}});
}
Ragged test_nodes() {
  return Ragged({0, 3, 4, 4, 9});
}
// With fewer than 256 buckets the last one takes what lies beyond.
BucketPlane test_hops(std::int64_t buckets) {
  BucketPlane planes = hop_distances(
      std::vector<Graph>{Graph::from_edges(3, {{0, 1}, {1, 0}, {1, 2}, {2, 1}}), Graph::from_edges(1, {}), Graph(),
                         Graph::from_edges(5, {{0, 1}, {1, 0}, {1, 2}, {2, 1}, {0, 2}, {2, 0}, {3, 4}, {4, 3}})});
  for (std::int64_t p = 0; p < planes.values.numel(); ++p)
    planes.values.data<std::uint8_t>()[p] =
        static_cast<std::uint8_t>(std::min<std::int64_t>(planes.values.data<std::uint8_t>()[p], buckets - 1));
  return planes;
}

using Factor = std::vector<std::pair<std::string, std::function<void(AttentionOptions&)>>>;

template <class Choice, class Value>
std::function<void(AttentionOptions&)> set(Choice AttentionOptions::*slot, Value value) {
  return [=](AttentionOptions& options) { options.*slot = value; };
}

const Factor kScores{{"dot", set(&AttentionOptions::score, Dot{})},
                     {"scaled dot", set(&AttentionOptions::score, Dot{.scale = 0.7})},
                     {"clipped dot", set(&AttentionOptions::score, Dot{.clip = 0.3})},
                     {"additive", set(&AttentionOptions::score, Additive{})},
                     {"dynamic", set(&AttentionOptions::score, DynamicAdditive{})},
                     {"channel-wise", set(&AttentionOptions::score, ChannelWise{})},
                     {"perceptron", set(&AttentionOptions::score, PairPerceptron{.width = 4})},
                     {"user's", set(&AttentionOptions::score, NegativeDistance{})}};
const Factor kPairs{
    {"none", set(&AttentionOptions::pair, NoPair{})},
    {"hop decay", set(&AttentionOptions::pair, HopDecay{.gamma = 0.6, .hop = 0.5, .slope = 0.2})},
    {"log decay", set(&AttentionOptions::pair, HopDecay{.gamma = 0.6, .hop = 0.5, .logarithm = true})},
    {"decay, gamma learned, unconnected left out",
     set(&AttentionOptions::pair,
         HopDecay{
             .gamma = 0.6, .hop = 0.5, .slope = 0.2, .learn_gamma = true, .disconnected = Disconnected::left_out})},
    {"bucket bias", set(&AttentionOptions::pair, BucketBias{})},
    {"bias of 20 buckets", set(&AttentionOptions::pair, BucketBias{.buckets = 20})},
    {"edge bias", set(&AttentionOptions::pair, EdgeBias{})},
    {"user's", set(&AttentionOptions::pair, Shift{})}};
const Factor kNormalisers{{"softmax", set(&AttentionOptions::normaliser, Softmax{})},
                          {"sharpened", set(&AttentionOptions::normaliser, Softmax{.sharpness = 2})},
                          {"sum", set(&AttentionOptions::normaliser,
                                      SumNormaliser{.epsilon = 40})},  // far from the sums, which have either sign
                          {"none", set(&AttentionOptions::normaliser, NoNormaliser{})}};
const Factor kGates{
    {"none", set(&AttentionOptions::gate, NoGate{})},
    {"decay", set(&AttentionOptions::gate, HopDecayGate{.gamma = 0.6, .hop = 0.5})},
    {"renormalised",
     set(&AttentionOptions::gate, HopDecayGate{.gamma = 0.6, .hop = 0.5, .slope = 0.1, .renormalise = true})},
    {"decay, gamma learned, unconnected left out",
     set(&AttentionOptions::gate,
         HopDecayGate{.gamma = 0.6, .hop = 0.5, .learn_gamma = true, .disconnected = Disconnected::left_out})},
    {"sigmoid", set(&AttentionOptions::gate, SigmoidGate{})},
    {"edge", set(&AttentionOptions::gate, EdgeGate{})}};
const Factor kAggregators{
    {"sum", set(&AttentionOptions::aggregator, Sum{})},
    {"sum of value and edge", set(&AttentionOptions::aggregator, Sum{.message = Message::value_and_edge})},
    {"mean", set(&AttentionOptions::aggregator, Mean{})},
    {"max", set(&AttentionOptions::aggregator, Max{})}};
const Factor kFinishes{{"identity", set(&AttentionOptions::finish, Identity{})},
                       {"self term", set(&AttentionOptions::finish, SelfTerm{.epsilon = 0.1, .learn = true})},
                       {"log degree", set(&AttentionOptions::finish, LogDegree{})}};
const Factor kProjections{{"separate", set(&AttentionOptions::projection, Projection::separate)},
                          {"tied", set(&AttentionOptions::projection, Projection::tied)},
                          {"key = value", set(&AttentionOptions::projection, Projection::key_value)},
                          {"shared", set(&AttentionOptions::projection, Projection::shared)},
                          {"none", set(&AttentionOptions::projection, Projection::none)}};
const std::vector<const Factor*> kFactors{&kScores,      &kPairs,    &kNormalisers, &kGates,
                                          &kAggregators, &kFinishes, &kProjections};
const std::vector<std::string> kSupports{"pairs", "causal", "edges"};

Support support_of(const std::string& name, std::int64_t buckets = 256) {
  const Support pairs = name == "causal" ? Support::causal(test_nodes()) : Support::pairs(test_nodes());
  if (name != "edges") return pairs.with_buckets(test_hops(buckets));
  std::vector<std::uint8_t> kinds;
  for (std::int64_t e = 0; e < test_graph().num_edges(); ++e) kinds.push_back(static_cast<std::uint8_t>(e % 3));
  return Support::edges(test_graph()).with_buckets(Tensor::from(kinds));
}

// How many buckets a choice of PAIR knows.
std::int64_t buckets_of(const std::string& pair) {
  return pair == "bias of 20 buckets" ? 20 : 256;
}

// One drawn combination: an index per factor, the last one the support.
using Combination = std::vector<std::size_t>;

std::string describe(const Combination& c) {
  std::string text;
  for (std::size_t f = 0; f < kFactors.size(); ++f) text += (*kFactors[f])[c[f]].first + " | ";
  return text + kSupports[c.back()];
}

std::vector<std::size_t> numbers_of_choices() {
  std::vector<std::size_t> sizes;
  for (const Factor* factor : kFactors) sizes.push_back(factor->size());
  sizes.push_back(kSupports.size());
  return sizes;
}

// Every combination there is.
std::vector<Combination> all_combinations() {
  std::vector<Combination> all{{}};
  for (const std::size_t size : numbers_of_choices()) {
    std::vector<Combination> longer;
    for (const Combination& start : all)
      for (std::size_t choice = 0; choice < size; ++choice) {
        longer.push_back(start);
        longer.back().push_back(choice);
      }
    all = std::move(longer);
  }
  return all;
}

// Combinations in which every pair of choices of two factors meets at least once: greedy, from random candidates.
std::vector<Combination> pairwise_cover() {
  const std::vector<std::size_t> sizes = numbers_of_choices();
  std::set<std::array<std::size_t, 4>> open;
  for (std::size_t f = 0; f < sizes.size(); ++f)
    for (std::size_t g = f + 1; g < sizes.size(); ++g)
      for (std::size_t a = 0; a < sizes[f]; ++a)
        for (std::size_t b = 0; b < sizes[g]; ++b) open.insert({f, a, g, b});
  const auto covers = [&](const Combination& c) {
    std::vector<std::array<std::size_t, 4>> pairs;
    for (std::size_t f = 0; f < c.size(); ++f)
      for (std::size_t g = f + 1; g < c.size(); ++g)
        if (open.count({f, c[f], g, c[g]})) pairs.push_back({f, c[f], g, c[g]});
    return pairs;
  };
  Generator generator(7);
  std::vector<Combination> chosen;
  while (!open.empty()) {
    Combination best;
    std::size_t most = 0;
    for (int trial = 0; trial < 60; ++trial) {
      Combination candidate;
      for (const std::size_t size : sizes)
        candidate.push_back(static_cast<std::size_t>(generator.below(static_cast<std::int64_t>(size))));
      const auto& pair = *open.begin();  // progress in every round
      candidate[pair[0]] = pair[1];
      candidate[pair[2]] = pair[3];
      if (const std::size_t count = covers(candidate).size(); count > most) {
        most = count;
        best = candidate;
      }
    }
    for (const auto& pair : covers(best)) open.erase(pair);
    chosen.push_back(best);
  }
  return chosen;
}

struct Outcome {
  Tensor value;
  std::map<std::string, Tensor> gradients;
  Tensor input_gradient;
};

Outcome outcome(const Model& model, const Var& x, const std::function<Var()>& call) {
  model.zero_grad();
  x.zero_grad();
  const Var y = call();
  backward(y, uniform(y.shape(), -1, 1, 99));
  Outcome result{.value = y.value(), .gradients = {}, .input_gradient = x.grad().clone()};
  for (const NamedParameter& parameter : model.parameters())
    result.gradients[parameter.name] = parameter.value.grad().defined()
                                           ? parameter.value.grad().clone()
                                           : Tensor::zeros(parameter.value.shape(), DType::float64);
  return result;
}

void compare(const Outcome& fused, const Outcome& lowered) {
  CHECK(test::mismatch(fused.value, lowered.value, Tensor::full(lowered.value.shape(), 10, DType::float64), 1e-12) ==
        "");
  CHECK(test::mismatch(fused.input_gradient, lowered.input_gradient,
                       Tensor::full(lowered.input_gradient.shape(), 100, DType::float64), 1e-12) == "");
  for (const auto& [name, gradient] : lowered.gradients) {
    INFO(name);
    CHECK(test::mismatch(fused.gradients.at(name), gradient, Tensor::full(gradient.shape(), 100, DType::float64),
                         1e-12) == "");
  }
}

AttentionOptions base_options() {
  return {.channels = kChannels, .heads = kHeads, .edge_channels = kEdgeChannels};
}

}  // namespace

TEST_CASE("any choice of slots combines with any other, and a fused operation does what the lowering means") {
  int composed = 0;
  for (const Combination& combination : std::getenv("ATTO_FULL") ? all_combinations() : pairwise_cover()) {
    INFO(describe(combination));
    AttentionOptions options = base_options();
    for (std::size_t f = 0; f < kFactors.size(); ++f) (*kFactors[f])[combination[f]].second(options);
    const Support support = support_of(kSupports[combination.back()], buckets_of(kPairs[combination[1]].first));
    const Model model({.seed = 3, .dtype = DType::float64});
    const GraphAttention attention(model / "attention", options);
    const Var x = Var::leaf(uniform(Shape{9, kChannels}, -1, 1, 5));
    const AttentionInputs inputs{.query = x,
                                 .source = {},
                                 .value = {},
                                 .edge = uniform(Shape{support.graph().num_edges(), kEdgeChannels}, -1, 1, 6)};
    composed += !attention.plan(support).ends_with("fused");
    compare(outcome(model, x, [&] { return attention(inputs, support); }),
            outcome(model, x, [&] { return attention.lowered(inputs, support); }));
  }
  CHECK(composed >= 20);  // all fused ones follow below
}

TEST_CASE("every fused combination equals its lowering") {
  int fused = 0;
  for (const std::string& support_name : kSupports)
    for (const auto& [score, set_score] : kScores)
      for (const auto& [pair, set_pair] : kPairs)
        for (const auto& [gate, set_gate] : kGates)
          for (const Projection projection : {Projection::separate, Projection::key_value, Projection::shared}) {
            AttentionOptions options = base_options();
            set_score(options);
            set_pair(options);
            set_gate(options);
            options.projection = projection;
            const Model model({.seed = 4, .dtype = DType::float64});
            const GraphAttention attention(model / "attention", options);
            const Support support = support_of(support_name, buckets_of(pair));
            if (!attention.plan(support).ends_with("fused")) continue;
            ++fused;
            INFO(score << " | " << pair << " | " << gate << " | " << support_name);
            const Var x = Var::leaf(uniform(Shape{9, kChannels}, -1, 1, 8));
            const AttentionInputs inputs{.query = x,
                                         .source = {},
                                         .value = {},
                                         .edge = uniform(Shape{support.graph().num_edges(), kEdgeChannels}, -1, 1, 6)};
            compare(outcome(model, x, [&] { return attention(inputs, support); }),
                    outcome(model, x, [&] { return attention.lowered(inputs, support); }));
          }
  CHECK(fused >= 60);
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

TEST_CASE("gradients of composed attentions") {
  for (const auto& [score, set_score] : kScores) {
    INFO(score);
    AttentionOptions options = base_options();
    set_score(options);
    options.pair = HopDecay{.gamma = 0.6, .hop = 0.5, .slope = 0.2};
    options.gate = SigmoidGate{};
    options.finish = SelfTerm{.epsilon = 0.1};
    const Model model({.seed = 3, .dtype = DType::float64});
    const GraphAttention attention(model / "attention", options);
    const Support support = support_of("pairs");
    const auto result = gradcheck(
        [&](std::span<const Var> in) {
          return attention(AttentionInputs{.query = in[0], .source = {}, .value = {}, .edge = in[1]}, support);
        },
        {uniform(Shape{9, kChannels}, -1, 1, 5), uniform(Shape{support.graph().num_edges(), kEdgeChannels}, -1, 1, 6)});
    CHECK(result.report == "");
  }
}

TEST_CASE("plan names what runs and why") {
  const Model model;
  auto plan = [&, count = 0](const AttentionOptions& options, const char* support) mutable {
    return GraphAttention(model / "plan" / std::int64_t{count++}, options).plan(support_of(support));
  };
  CHECK(plan(base_options(), "pairs") == "ragged_attention, fused");
  AttentionOptions gradformer = base_options();
  gradformer.pair = HopDecay{.gamma = 0.6, .hop = 5};
  CHECK(plan(gradformer, "pairs") == "ragged_attention, fused");
  CHECK(plan(gradformer, "edges") ==
        "edge_dot > hop_decay > edge_softmax > spmm, composed: gat will not do, it has no edge_dot");
  gradformer.gate = SigmoidGate{};
  CHECK(plan(gradformer, "pairs") ==
        "edge_dot > hop_decay > edge_softmax > sigmoid_gate > spmm, composed: ragged_attention will not do, it has no "
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
