#include "nn/attention/hop_decay.hpp"

#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "nn/init.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/hop_decay/hop_decay.hpp"
#include "ops/pointwise/pointwise.hpp"

namespace atto {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double checked_gamma(double gamma, bool learn) {
  if (!(gamma > 0 && (learn ? gamma < 1 : gamma <= 1)))
    throw ValueError({.op = "HopDecay",
                      .argument = "gamma",
                      .got = std::to_string(gamma),
                      .expected = learn ? "0 < gamma < 1 where it is learned" : "0 < gamma <= 1",
                      .hint = {}});
  return gamma;
}

// w_e / sum over the edges into the same node. The bound lies below every sum that is not zero in earnest; where no
// path leads to a node it gives zeros instead of 0/0.
Var renormalised(const Graph& graph, const Var& weights) {
  return weights / edge_add(graph, {}, clamp(edge_sum(graph, weights), 1e-20, kInfinity));
}

}  // namespace

DecaySlot::DecaySlot(const Scope& scope, std::int64_t heads, const Options& o)
    : gamma_(checked_gamma(o.gamma, o.learn_gamma)),
      slope_(o.slope),
      disconnected_(o.disconnected),
      hop_(scope.parameter("hop", Shape{heads}, init::constant(o.hop))),
      gamma_logit_(o.learn_gamma
                       ? scope.parameter("gamma_logit", Shape{heads}, init::constant(std::log(gamma_ / (1 - gamma_))))
                       : Parameter::none()) {
  if (!(slope_ >= 0))
    throw ValueError(
        {.op = "HopDecay", .argument = "slope", .got = std::to_string(slope_), .expected = "at least 0", .hint = {}});
  if (!o.learn) hop_.var().set_requires_grad(false);
}

Var DecaySlot::gamma() const {
  return gamma_logit_.defined() ? sigmoid(gamma_logit_) : Var(Tensor::full(Shape{1}, gamma_, hop_.var().dtype()));
}

Var DecaySlot::table(bool logarithm) const {
  return hop_decay(hop_, {.gamma = gamma_, .slope = slope_, .logarithm = logarithm},
                   gamma_logit_.defined() ? gamma() : Var());
}

Var DecaySlot::left_out() const {
  return hop_decay(Tensor::zeros(hop_.shape(), hop_.var().dtype()), {.gamma = 1, .logarithm = true});
}

Var DecaySlot::on_edges(const EdgeView& view, const Var& table) const {
  if (!view.buckets.defined())
    throw ValueError({.op = name(),
                      .argument = "support",
                      .got = "a support without hop distances",
                      .expected = "one with a distance per pair",
                      .hint = "add them with support.with_buckets(distances)"});
  return edge_bucket(table, view.buckets);
}

namespace {

class DecayPair final : public DecaySlot {
 public:
  DecayPair(const Scope& scope, std::int64_t heads, const HopDecay& o)
      : DecaySlot(scope, heads,
                  {.gamma = o.gamma,
                   .hop = o.hop,
                   .slope = o.slope,
                   .learn = o.learn,
                   .learn_gamma = o.learn_gamma,
                   .disconnected = o.disconnected}),
        logarithm_(o.logarithm) {}
  std::string name() const override { return logarithm_ ? "hop_decay (log)" : "hop_decay"; }
  Var operator()(const EdgeView& view, const Var& logits) const override {
    const Var mask = on_edges(view, table(logarithm_));
    if (logarithm_) return logits + mask;
    return leaves_out() ? logits * mask + on_edges(view, left_out()) : logits * mask;
  }
  bool fits(FusedOp op) const override { return op == FusedOp::ragged_attention || op == FusedOp::edge_attention; }
  void fill(RaggedForm& form) const override {
    if (logarithm_) return form.add(table(true));
    form.tables.multiply = table(false);
    if (leaves_out()) form.add(left_out());
  }

 private:
  bool logarithm_;
};

class DecayGate final : public DecaySlot {
 public:
  DecayGate(const Scope& scope, std::int64_t heads, const HopDecayGate& o)
      : DecaySlot(scope, heads,
                  {.gamma = o.gamma,
                   .hop = o.hop,
                   .slope = o.slope,
                   .learn = o.learn,
                   .learn_gamma = o.learn_gamma,
                   .disconnected = o.disconnected}),
        renormalise_(o.renormalise) {}
  std::string name() const override { return renormalise_ ? "hop_decay gate (renormalised)" : "hop_decay gate"; }
  Var operator()(const EdgeView& view, const Var& weights) const override {
    const Var mask = on_edges(view, table(false));
    if (renormalise_) return renormalised(view.graph, weights * mask);
    return (leaves_out() ? renormalised(view.graph, weights * exp(on_edges(view, left_out()))) : weights) * mask;
  }
  bool fits(FusedOp op) const override { return op == FusedOp::ragged_attention; }
  void fill(RaggedForm& form) const override {
    // softmax(z) M / sum softmax(z) M = softmax(z + ln M): one pass instead of two.
    if (renormalise_) return form.add(table(true));
    form.tables.gate = table(false);
    if (leaves_out()) form.add(left_out());
  }

 private:
  bool renormalise_;
};

}  // namespace

std::shared_ptr<const DecaySlot> HopDecay::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<DecayPair>(scope, sizes.heads, *this);
}
std::shared_ptr<const DecaySlot> HopDecayGate::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<DecayGate>(scope, sizes.heads, *this);
}

}  // namespace atto
