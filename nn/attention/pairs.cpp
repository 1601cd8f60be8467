#include "nn/attention/pairs.hpp"

#include "nn/attention/edge_features.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"

namespace atto {
namespace {

class NoPairTerm final : public SlotModule {
 public:
  std::string name() const override { return {}; }
  Var operator()(const EdgeView&, const Var& logits) const override { return logits; }
  bool fits(FusedOp) const override { return true; }
};

class BucketBiasTerm final : public SlotModule {
 public:
  BucketBiasTerm(const Scope& scope, std::int64_t heads, std::int64_t buckets)
      : table_(scope.parameter("table", Shape{heads, buckets}, init::normal(0.02))) {}
  std::string name() const override { return "bucket_bias"; }
  Var operator()(const EdgeView& view, const Var& logits) const override {
    if (!view.buckets.defined())
      throw ValueError({.op = name(),
                        .argument = "support",
                        .got = "a support without buckets",
                        .expected = "one with a bucket per pair",
                        .hint = "add them with support.with_buckets(...)"});
    return logits + edge_bucket(table_, view.buckets);
  }
  bool fits(FusedOp op) const override { return op == FusedOp::ragged_attention || op == FusedOp::edge_attention; }
  void fill(RaggedForm& form) const override { form.add(table_); }

 private:
  Parameter table_;
};

class EdgeBiasTerm final : public SlotModule {
 public:
  EdgeBiasTerm(const Scope& scope, std::int64_t heads, std::int64_t edge_channels)
      : projection_(scope, heads, 1, edge_channels) {}
  std::string name() const override { return "edge_bias"; }
  Var operator()(const EdgeView& view, const Var& logits) const override {
    return logits + reshape(projection_(view), logits.shape());
  }
  bool fits(FusedOp op) const override { return op == FusedOp::edge_attention; }
  void fill(const EdgeView& view, EdgeForm& form) const override {
    form.bias = reshape(projection_(view), Shape{view.edge.size(0), view.query.size(1)});
  }

 private:
  EdgeProjection projection_;
};

}  // namespace

SlotPointer NoPair::build(const Scope&, const AttentionSizes&) const {
  return std::make_shared<NoPairTerm>();
}
SlotPointer BucketBias::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<BucketBiasTerm>(scope, sizes.heads, buckets);
}
SlotPointer EdgeBias::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<EdgeBiasTerm>(scope, sizes.heads, sizes.edge_channels);
}

}  // namespace atto
