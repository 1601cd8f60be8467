#pragma once
// What follows the attention in a layer of a decoder: a slot, whose choices may read the attention map.

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "autograd/var.hpp"
#include "graph/graph.hpp"
#include "nn/module.hpp"

namespace atto {

/// The sizes that a feed-forward block is built for.
struct FeedForwardSizes {
  std::int64_t channels = 0;  ///< D
  std::int64_t hidden = 0;    ///< I
  std::int64_t heads = 0;     ///< H of the attention before it
  bool bias = false;
  Initialiser weight_init = {};
  Initialiser bias_init = {};
};

/// The weights of the attention before a block, as edges from sending to receiving tokens.
struct AttentionMap {
  Graph graph;
  Var weights;  ///< [E,H] in the order of the graph
};

/// A block that has been built.
class FeedForwardModule {
 public:
  virtual ~FeedForwardModule() = default;
  /// x [N,D], normalised -> [N,D]. `map` is filled in for blocks that read it.
  virtual Var operator()(const Var& x, const AttentionMap& map) const = 0;
  /// A block that does makes the attention before it run through its lowering, and needs whole sequences: generation
  /// then reads all tokens again in every step.
  virtual bool reads_map() const { return false; }
};
using FeedForwardPointer = std::shared_ptr<const FeedForwardModule>;

/// A choice for the slot: a struct with `FeedForwardPointer build(const Scope&, const FeedForwardSizes&) const`.
class FeedForwardChoice {
 public:
  template <class S>
  requires(!std::same_as<S, FeedForwardChoice> &&
           requires(const S& s, const Scope& scope, const FeedForwardSizes& sizes) {
             { s.build(scope, sizes) } -> std::convertible_to<FeedForwardPointer>;
           }) FeedForwardChoice(S choice)  // NOLINT: meant to convert
      : build_([choice = std::move(choice)](const Scope& scope, const FeedForwardSizes& sizes) {
          return FeedForwardPointer(choice.build(scope, sizes));
        }) {
    if constexpr (requires { std::string(S::name); }) name_ = S::name;
  }

  /// Null for NoFeedForward.
  FeedForwardPointer build(const Scope& scope, const FeedForwardSizes& sizes) const { return build_(scope, sizes); }
  /// "swiglu", "linear", "shallow", "halfway_gin", "multi_hop", "none"; empty for a choice of the caller's without a
  /// member `name`.
  const std::string& name() const noexcept { return name_; }

 private:
  std::function<FeedForwardPointer(const Scope&, const FeedForwardSizes&)> build_;
  std::string name_;
};

/// W_down( SiLU(W_gate x) * (W_up x) ) (Shazeer 2020, section 2). Parameters gate, up [I,D], down [D,I].
struct SwiGlu {
  static constexpr const char* name = "swiglu";
  FeedForwardPointer build(const Scope& scope, const FeedForwardSizes& sizes) const;
};

/// SiLU(W x). Parameter linear [D,D].
struct LinearFeedForward {
  static constexpr const char* name = "linear";
  FeedForwardPointer build(const Scope& scope, const FeedForwardSizes& sizes) const;
};

/// W_2 SiLU(W_1 x). Parameters widen [I,D], narrow [D,I].
struct ShallowFeedForward {
  static constexpr const char* name = "shallow";
  FeedForwardPointer build(const Scope& scope, const FeedForwardSizes& sizes) const;
};

/// HalfwayGin (nn/attention/map_feed_forward.hpp) of inner width I on the map of the layer's attention.
struct HalfwayGinFeedForward {
  static constexpr const char* name = "halfway_gin";
  FeedForwardPointer build(const Scope& scope, const FeedForwardSizes& sizes) const;
};

/// MultiHop likewise, of inner width I for each head.
struct MultiHopFeedForward {
  static constexpr const char* name = "multi_hop";
  FeedForwardPointer build(const Scope& scope, const FeedForwardSizes& sizes) const;
};

/// No block and no residual around it: the layer ends with its norm.
struct NoFeedForward {
  static constexpr const char* name = "none";
  FeedForwardPointer build(const Scope&, const FeedForwardSizes&) const { return nullptr; }
};

/// One of the above by its name; ValueError for another.
FeedForwardChoice feed_forward(std::string_view name);

}  // namespace atto
