#pragma once
// Every choice of every slot of graph attention, small inputs for all of them, and how a fused operation is held
// against its lowering.

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tape.hpp"
#include "graph/distances.hpp"
#include "nn/attention/adjacency_gates.hpp"
#include "nn/attention/gin.hpp"
#include "nn/attention/graph_attention.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/reduce/reduce.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {

inline constexpr std::int64_t kChannels = 8, kHeads = 2, kEdgeChannels = 3;

/// A user's own slots: each a struct with one function.
struct NegativeDistance {
  static constexpr const char* name = "negative_distance";
  Var operator()(const EdgeView& view) const {
    return neg(sum(square(edge_add(view.graph, view.key, {}) - edge_add(view.graph, {}, view.query)), -1));
  }
};
struct Shift {
  Var operator()(const EdgeView&, const Var& in) const { return in + 0.25; }
};

/// Nodes of three graphs: a path, an isolated node, a triangle with a tail in another component.
inline Graph test_graph() {
  return Graph::from_edges(
      9, {{0, 1}, {1, 0}, {1, 2}, {2, 1}, {4, 5}, {5, 4}, {5, 6}, {6, 5}, {4, 6}, {6, 4}, {7, 8}, {8, 7}, {4, 4}});
}
inline Ragged test_nodes() {
  return Ragged({0, 3, 4, 4, 9});
}
/// With fewer than 256 buckets the last one takes what lies beyond.
inline BucketPlane test_hops(std::int64_t buckets) {
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

inline const Factor kScores{{"dot", set(&AttentionOptions::score, Dot{})},
                            {"scaled dot", set(&AttentionOptions::score, Dot{.scale = 0.7})},
                            {"clipped dot", set(&AttentionOptions::score, Dot{.clip = 0.3})},
                            {"additive", set(&AttentionOptions::score, Additive{})},
                            {"dynamic", set(&AttentionOptions::score, DynamicAdditive{})},
                            {"channel-wise", set(&AttentionOptions::score, ChannelWise{})},
                            {"perceptron", set(&AttentionOptions::score, PairPerceptron{.width = 4})},
                            {"node perceptron", set(&AttentionOptions::score, NodePerceptron{.width = 5})},
                            {"user's", set(&AttentionOptions::score, NegativeDistance{})}};
inline const Factor kPairs{
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
inline const Factor kNormalisers{
    {"softmax", set(&AttentionOptions::normaliser, Softmax{})},
    {"sharpened", set(&AttentionOptions::normaliser, Softmax{.sharpness = 2})},
    {"learned sharpness", set(&AttentionOptions::normaliser, Softmax{.sharpness = 1.4, .learn = true})},
    {"relu", set(&AttentionOptions::normaliser, ReluNormaliser{})},
    {"sum",
     set(&AttentionOptions::normaliser, SumNormaliser{.epsilon = 40})},  // far from the sums, which have either sign
    {"none", set(&AttentionOptions::normaliser, NoNormaliser{})}};
inline const Factor kGates{
    {"none", set(&AttentionOptions::gate, NoGate{})},
    {"decay", set(&AttentionOptions::gate, HopDecayGate{.gamma = 0.6, .hop = 0.5})},
    {"renormalised",
     set(&AttentionOptions::gate, HopDecayGate{.gamma = 0.6, .hop = 0.5, .slope = 0.1, .renormalise = true})},
    {"decay, gamma learned, unconnected left out",
     set(&AttentionOptions::gate,
         HopDecayGate{.gamma = 0.6, .hop = 0.5, .learn_gamma = true, .disconnected = Disconnected::left_out})},
    {"sigmoid", set(&AttentionOptions::gate, SigmoidGate{})},
    {"sharp softplus", set(&AttentionOptions::gate, Adjacency{.learn_threshold = true})},
    {"top k", set(&AttentionOptions::gate, TopK{.fraction = 0.5})},
    {"edge", set(&AttentionOptions::gate, EdgeGate{})}};
inline const Factor kAggregators{
    {"sum", set(&AttentionOptions::aggregator, Sum{})},
    {"sum of value and edge", set(&AttentionOptions::aggregator, Sum{.message = Message::value_and_edge})},
    {"mean", set(&AttentionOptions::aggregator, Mean{})},
    {"max", set(&AttentionOptions::aggregator, Max{})}};
inline const Factor kFinishes{{"identity", set(&AttentionOptions::finish, Identity{})},
                              {"self term", set(&AttentionOptions::finish, SelfTerm{.epsilon = 0.1, .learn = true})},
                              {"per head", set(&AttentionOptions::finish, PerHead{})},
                              {"log degree", set(&AttentionOptions::finish, LogDegree{})}};
inline const Factor kProjections{{"separate", set(&AttentionOptions::projection, Projection::separate)},
                                 {"tied", set(&AttentionOptions::projection, Projection::tied)},
                                 {"key = value", set(&AttentionOptions::projection, Projection::key_value)},
                                 {"shared", set(&AttentionOptions::projection, Projection::shared)},
                                 {"query, key", set(&AttentionOptions::projection, Projection::query_key)},
                                 {"none", set(&AttentionOptions::projection, Projection::none)}};
inline const std::vector<const Factor*> kFactors{&kScores,      &kPairs,    &kNormalisers, &kGates,
                                                 &kAggregators, &kFinishes, &kProjections};
inline const std::vector<std::string> kSupports{"pairs", "causal", "edges"};

inline Support support_of(const std::string& name, std::int64_t buckets = 256) {
  const Support pairs = name == "causal" ? Support::causal(test_nodes()) : Support::pairs(test_nodes());
  if (name != "edges") return pairs.with_buckets(test_hops(buckets));
  std::vector<std::uint8_t> kinds;
  for (std::int64_t e = 0; e < test_graph().num_edges(); ++e) kinds.push_back(static_cast<std::uint8_t>(e % 3));
  return Support::edges(test_graph()).with_buckets(Tensor::from(kinds));
}

/// How many buckets a choice of PAIR knows.
inline std::int64_t buckets_of(const std::string& pair) {
  return pair == "bias of 20 buckets" ? 20 : 256;
}

struct Outcome {
  Tensor value;
  std::map<std::string, Tensor> gradients;
  Tensor input_gradient;
};

inline Outcome outcome(const Model& model, const Var& x, const std::function<Var()>& call) {
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

inline void compare(const Outcome& fused, const Outcome& lowered) {
  CHECK(mismatch(fused.value, lowered.value, Tensor::full(lowered.value.shape(), 10, DType::float64), 1e-12) == "");
  CHECK(mismatch(fused.input_gradient, lowered.input_gradient,
                 Tensor::full(lowered.input_gradient.shape(), 100, DType::float64), 1e-12) == "");
  for (const auto& [name, gradient] : lowered.gradients) {
    INFO(name);
    CHECK(mismatch(fused.gradients.at(name), gradient, Tensor::full(gradient.shape(), 100, DType::float64), 1e-12) ==
          "");
  }
}

inline AttentionOptions base_options() {
  return {.channels = kChannels, .heads = kHeads, .edge_channels = kEdgeChannels};
}

}  // namespace atto::test
