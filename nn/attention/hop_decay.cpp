#include "nn/attention/hop_decay.hpp"

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

class DecaySlot : public SlotModule {
 public:
  template <class Options>
  DecaySlot(const Scope& scope, std::int64_t heads, const Options& o)
      : gamma_(o.gamma), slope_(o.slope),
        own_hop_(o.shared.defined() ? Parameter::none() : scope.parameter("hop", Shape{heads}, init::constant(o.hop))),
        hop_(o.shared.defined() ? o.shared : own_hop_.var()) {
    if (!(gamma_ > 0 && gamma_ <= 1))
      throw ValueError({.op = "HopDecay", .argument = "gamma", .got = std::to_string(gamma_), .expected = "0 < gamma <= 1", .hint = {}});
    if (!(slope_ >= 0))
      throw ValueError({.op = "HopDecay", .argument = "slope", .got = std::to_string(slope_), .expected = "at least 0", .hint = {}});
    if (hop_.shape() != Shape{heads})
      throw ShapeError({.op = "HopDecay", .argument = "shared", .got = hop_.shape().str(), .expected = Shape{heads}.str(), .hint = {}});
    if (!o.learn && own_hop_.defined()) hop_.set_requires_grad(false);
  }

 protected:
  Var table(bool logarithm) const {
    return hop_decay(hop_, {.gamma = gamma_, .slope = slope_, .logarithm = logarithm});
  }
  Var on_edges(const EdgeView& view, bool logarithm) const {
    if (!view.buckets.defined())
      throw ValueError({.op = name(), .argument = "support", .got = "a support without hop distances",
                        .expected = "one with a distance per pair", .hint = "add them with support.with_buckets(distances)"});
    return edge_bucket(table(logarithm), view.buckets);
  }

 private:
  double gamma_, slope_;
  Parameter own_hop_;
  Var hop_;
};

class DecayPair final : public DecaySlot {
 public:
  DecayPair(const Scope& scope, std::int64_t heads, const HopDecay& o)
      : DecaySlot(scope, heads, o), logarithm_(o.logarithm) {}
  std::string name() const override { return logarithm_ ? "hop_decay (log)" : "hop_decay"; }
  Var operator()(const EdgeView& view, const Var& logits) const override {
    const Var mask = on_edges(view, logarithm_);
    return logarithm_ ? logits + mask : logits * mask;
  }
  bool fits(FusedOp op) const override { return op == FusedOp::ragged_attention; }
  void fill(RaggedForm& form) const override { (logarithm_ ? form.tables.add : form.tables.multiply) = table(logarithm_); }

 private:
  bool logarithm_;
};

class DecayGate final : public DecaySlot {
 public:
  DecayGate(const Scope& scope, std::int64_t heads, const HopDecayGate& o)
      : DecaySlot(scope, heads, o), renormalise_(o.renormalise) {}
  std::string name() const override { return renormalise_ ? "hop_decay gate (renormalised)" : "hop_decay gate"; }
  Var operator()(const EdgeView& view, const Var& weights) const override {
    const Var gated = weights * on_edges(view, false);
    if (!renormalise_) return gated;
    // The bound lies below every sum that is not zero in earnest; where no path leads to a node it gives zeros instead of 0/0.
    return gated / edge_add(view.graph, {}, clamp(edge_sum(view.graph, gated), 1e-20, std::numeric_limits<double>::infinity()));
  }
  bool fits(FusedOp op) const override { return op == FusedOp::ragged_attention; }
  void fill(RaggedForm& form) const override {
    if (!renormalise_) form.tables.gate = table(false);
    // softmax(z) M / sum softmax(z) M = softmax(z + ln M): one pass instead of two.
    else form.tables.add = form.tables.add.defined() ? form.tables.add + table(true) : table(true);
  }

 private:
  bool renormalise_;
};

}  // namespace

SlotPointer HopDecay::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<DecayPair>(scope, sizes.heads, *this);
}
SlotPointer HopDecayGate::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<DecayGate>(scope, sizes.heads, *this);
}

}  // namespace atto
