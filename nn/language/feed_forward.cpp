#include "nn/language/feed_forward.hpp"

#include "core/error.hpp"
#include "nn/attention/map_feed_forward.hpp"
#include "nn/init.hpp"
#include "nn/layers/linear.hpp"
#include "ops/arithmetic/arithmetic.hpp"

namespace atto {
namespace {

LinearOptions linear_options(const FeedForwardSizes& s, Activation activation = Activation::none) {
  return {.bias = s.bias, .activation = activation, .weight_init = s.weight_init, .bias_init = s.bias_init};
}

class SwiGluBlock final : public FeedForwardModule {
 public:
  SwiGluBlock(const Scope& scope, const FeedForwardSizes& s)
      : gate_(scope / "gate", s.channels, s.hidden, linear_options(s, Activation::silu)),
        up_(scope / "up", s.channels, s.hidden, linear_options(s)),
        down_(scope / "down", s.hidden, s.channels, linear_options(s)) {}
  Var operator()(const Var& x, const AttentionMap&) const override { return down_(gate_(x) * up_(x)); }

 private:
  Linear gate_, up_, down_;
};

class LinearBlock final : public FeedForwardModule {
 public:
  LinearBlock(const Scope& scope, const FeedForwardSizes& s)
      : linear_(scope / "linear", s.channels, s.channels, linear_options(s, Activation::silu)) {}
  Var operator()(const Var& x, const AttentionMap&) const override { return linear_(x); }

 private:
  Linear linear_;
};

class ShallowBlock final : public FeedForwardModule {
 public:
  ShallowBlock(const Scope& scope, const FeedForwardSizes& s)
      : widen_(scope / "widen", s.channels, s.hidden, linear_options(s, Activation::silu)),
        narrow_(scope / "narrow", s.hidden, s.channels, linear_options(s)) {}
  Var operator()(const Var& x, const AttentionMap&) const override { return narrow_(widen_(x)); }

 private:
  Linear widen_, narrow_;
};

// HalfwayGin or MultiHop.
template <class M>
class MapBlock final : public FeedForwardModule {
 public:
  MapBlock(const Scope& scope, const FeedForwardSizes& s)
      : block_(
            scope, s.channels,
            {.heads = s.heads, .inner = s.hidden, .weight_init = s.weight_init ? s.weight_init : init::normal(0.02)}) {}
  Var operator()(const Var& x, const AttentionMap& map) const override { return block_(x, map.graph, map.weights); }
  bool reads_map() const override { return true; }

 private:
  M block_;
};

}  // namespace

FeedForwardPointer SwiGlu::build(const Scope& scope, const FeedForwardSizes& sizes) const {
  return std::make_shared<SwiGluBlock>(scope, sizes);
}
FeedForwardPointer LinearFeedForward::build(const Scope& scope, const FeedForwardSizes& sizes) const {
  return std::make_shared<LinearBlock>(scope, sizes);
}
FeedForwardPointer ShallowFeedForward::build(const Scope& scope, const FeedForwardSizes& sizes) const {
  return std::make_shared<ShallowBlock>(scope, sizes);
}
FeedForwardPointer HalfwayGinFeedForward::build(const Scope& scope, const FeedForwardSizes& sizes) const {
  return std::make_shared<MapBlock<HalfwayGin>>(scope, sizes);
}
FeedForwardPointer MultiHopFeedForward::build(const Scope& scope, const FeedForwardSizes& sizes) const {
  return std::make_shared<MapBlock<MultiHop>>(scope, sizes);
}

FeedForwardChoice feed_forward(std::string_view name) {
  if (name == SwiGlu::name) return SwiGlu{};
  if (name == LinearFeedForward::name) return LinearFeedForward{};
  if (name == ShallowFeedForward::name) return ShallowFeedForward{};
  if (name == HalfwayGinFeedForward::name) return HalfwayGinFeedForward{};
  if (name == MultiHopFeedForward::name) return MultiHopFeedForward{};
  if (name == NoFeedForward::name) return NoFeedForward{};
  throw ValueError({.op = "feed_forward",
                    .argument = "name",
                    .got = '"' + std::string(name) + '"',
                    .expected = "one of swiglu, linear, shallow, halfway_gin, multi_hop, none",
                    .hint = {}});
}

}  // namespace atto
