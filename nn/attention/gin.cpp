#include "nn/attention/gin.hpp"

#include "core/error.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/shape/shape.hpp"

namespace atto {
namespace {

class GinFinish final : public SlotModule {
 public:
  GinFinish(const Scope& scope, const AttentionSizes& sizes, const Gin& o)
      : self_(o.self),
        epsilon_(scope.parameter("epsilon", Shape{sizes.heads, 1}, init::constant(o.epsilon))),
        perceptron_(scope, sizes.heads, sizes.value_width, sizes.value_width,
                    {.hidden = static_cast<std::int64_t>(o.multiplier * static_cast<double>(sizes.value_width)),
                     .dropout = o.dropout,
                     .weight_init = o.weight_init}) {
    if (sizes.channels != sizes.heads * sizes.value_width)
      throw ValueError({.op = "Gin",
                        .argument = "channels",
                        .got = std::to_string(sizes.channels),
                        .expected = "heads x value width = " + std::to_string(sizes.heads * sizes.value_width),
                        .hint = "each head adds its own part of the node"});
  }
  std::string name() const override { return "gin"; }
  bool needs_graph() const override { return false; }
  Var operator()(const EdgeView& view, const Var& sums) const override {
    const Var own = reshape(view.self, sums.shape());
    const Var weight = self_ == SelfWeight::epsilon ? epsilon_.var() : epsilon_ + 1.0;
    return perceptron_(sums + own * weight);
  }

 private:
  SelfWeight self_;
  Parameter epsilon_;
  HeadPerceptron perceptron_;
};

class PerHeadFinish final : public SlotModule {
 public:
  PerHeadFinish(const Scope& scope, const AttentionSizes& sizes, const PerHead& o)
      : width_(sizes.head_width),
        perceptron_(scope, sizes.heads, sizes.value_width, sizes.head_width,
                    {.hidden = static_cast<std::int64_t>(o.multiplier * static_cast<double>(sizes.head_width)),
                     .bias = false,
                     .norm = false,
                     .weight_init = o.weight_init}) {}
  std::string name() const override { return "per_head"; }
  bool needs_graph() const override { return false; }
  Var operator()(const EdgeView&, const Var& sums) const override { return perceptron_(sums); }
  std::int64_t width(std::int64_t) const override { return width_; }

 private:
  std::int64_t width_;
  HeadPerceptron perceptron_;
};

}  // namespace

SlotPointer Gin::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<GinFinish>(scope, sizes, *this);
}
SlotPointer PerHead::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<PerHeadFinish>(scope, sizes, *this);
}

}  // namespace atto
