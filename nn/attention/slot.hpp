#pragma once
// The slots of an attention. Each is one function from values on edges to a value; any struct with such a function
// fits.
//
//     z_e   = PAIR( SCORE(q_i, k_j, e_ij) )          for the edges e = (j -> i) of the support
//     a_e   = GATE( NORMALISE_i( z_e ) )
//     out_i = FINISH( REDUCE_i( a_e, MESSAGE(v_j, e_ij) ), x_i )

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "autograd/var.hpp"
#include "graph/support.hpp"
#include "nn/module.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"

namespace atto {

/// One call of an attention as its slots see it: the support listed as edges in the graph's own order.
struct EdgeView {
  Graph graph;     ///< edges j -> i
  Tensor buckets;  ///< uint8 [E]: the small integer of every edge (hop distance, type); undefined when the support has
                   ///< none
  Var query;       ///< [N_dst,H,D]
  Var key;         ///< [N_src,H,D]
  Var value;       ///< [N_src,H,V]
  Var edge;        ///< [E,F] features; undefined when the call passes none
  Var self;        ///< [N_dst,C]: the receiving nodes as they came in
  Var source;      ///< [N_src,C_src]: the sending nodes likewise
  std::optional<Support> support;  ///< what was called with
};

/// The sizes that a slot is built for.
struct AttentionSizes {
  std::int64_t channels = 0;         ///< C, of the receiving nodes
  std::int64_t heads = 0;            ///< H
  std::int64_t head_width = 0;       ///< D
  std::int64_t value_width = 0;      ///< V
  std::int64_t edge_channels = 0;    ///< F; 0 when there are no edge features
  std::int64_t source_channels = 0;  ///< C_src, of the sending nodes
};

/// [N,G,W] -> [N,heads,W]: each of G heads heads / G times in a row (grouped queries).
Var repeat_heads(const Var& x, std::int64_t heads);

/// The fused operations that stand for whole combinations of slots.
enum class FusedOp { ragged_attention, gat, gatv2 };
std::string_view name_of(FusedOp op);

/// A call of ragged_attention(); every slot fills in its part.
struct RaggedForm {
  AttentionTables tables;
  RaggedAttentionOptions options;
  Var query_scale;  ///< [1], times the queries; undefined for none

  /// Adds a table [H,B] to what is added to the logits already.
  void add(const Var& table);
  /// The tables cut to the smallest number of buckets among them: a larger bucket is an error, as it is in the
  /// lowering.
  AttentionTables fitted() const;
};

/// A call of gat(), gat_self() or gatv2().
struct GatForm {
  Var source;       ///< GAT: [N_src,H], or with `self` the vectors [H,D] that give it
  Var destination;  ///< GAT: [N_dst,H], or [H,D]
  bool self = false;
  Var vector;  ///< GATv2: [H,D]
  Var edge;    ///< GAT: [E,H], GATv2: [E,H,D]; undefined without edge features
  double slope = 0.2;
};

/// A slot that has been built: options, parameters, and one function.
class SlotModule {
 public:
  virtual ~SlotModule() = default;
  virtual std::string name() const = 0;
  /// `in` is what the slot before gave: nothing for a score, [E,H] logits or weights after that, [N_dst,H,V] for a
  /// finish.
  virtual Var operator()(const EdgeView& view, const Var& in) const = 0;
  /// Whether a fused operation can do what this slot does.
  virtual bool fits(FusedOp) const { return false; }
  /// Adds this slot's part to a call of a fused operation that it fits.
  virtual void fill(RaggedForm&) const {}
  virtual void fill(const EdgeView&, GatForm&) const {}
  /// Why this slot lets a position see later ones; empty when it does not. A causal attention refuses such a slot.
  virtual std::string looks_ahead() const { return {}; }
  /// Whether the row of a receiving node needs no other row and no more of its segment than the support lists: such
  /// maps can be computed a block of rows at a time.
  virtual bool by_row() const { return true; }
  /// Whether a new row needs of earlier ones no more than their keys and values, as a cache keeps them.
  virtual bool incremental() const { return by_row(); }

  /// Of a normaliser: how many maps it wants. Queries and keys then have so many times H heads, map after map, and so
  /// have the logits.
  virtual std::int64_t maps() const { return 1; }
  /// Of a normaliser: maps [...,maps H,...] to one [...,H,...]. It must be linear, so that it can be done to the sums
  /// of a fused operation as well as to weights.
  virtual Var merge(const Var& maps) const { return maps; }
  /// Of an aggregator that is made of weighted sums: what is summed, what becomes of the sums, and whether that is
  /// right only for weights that add up to 1.
  virtual Var summands(const EdgeView& view) const { return view.value; }
  virtual Var from_sums(const EdgeView&, const Var& sums) const { return sums; }
  virtual bool needs_unit_rows() const { return false; }
  /// Of a finish: whether it reads EdgeView::graph, which nobody else makes after a fused operation.
  virtual bool needs_graph() const { return true; }
  /// Of an aggregator or a finish: the width of a head of its result, given that of what comes in.
  virtual std::int64_t width(std::int64_t in) const { return in; }
};
using SlotPointer = std::shared_ptr<const SlotModule>;

namespace detail {

template <class S>
concept SlotOptions = requires(const S& options, const Scope& scope, const AttentionSizes& sizes) {
  { options.build(scope, sizes) } -> std::convertible_to<SlotPointer>;
};
template <class S>
concept StageFunction = requires(const S& function, const EdgeView& view, const Var& in) {
  { function(view, in) } -> std::convertible_to<Var>;
};
template <class S>
concept SourceFunction = requires(const S& function, const EdgeView& view) {
  { function(view) } -> std::convertible_to<Var>;
};

// Wraps a user's struct.
template <class S>
class FunctionSlot final : public SlotModule {
 public:
  explicit FunctionSlot(S function) : function_(std::move(function)) {}
  std::string name() const override {
    if constexpr (requires { std::string(function_.name); }) return std::string(function_.name);
    else return "user-defined";
  }
  Var operator()(const EdgeView& view, const Var& in) const override {
    if constexpr (StageFunction<S>) return function_(view, in);
    else return function_(view);
  }
  std::string looks_ahead() const override {
    if constexpr (requires { std::string(function_.looks_ahead); }) return std::string(function_.looks_ahead);
    else return {};
  }

 private:
  S function_;
};

}  // namespace detail

/// A type-erased choice for one slot. `Kind` keeps the kinds apart, so that a gate does not fit where a score belongs.
///
/// Fits: an options struct with `build(scope, sizes)`; a slot that is already built, whose parameters are then shared
/// and stay registered under their owner; a struct (or lambda) with `Var operator()(const EdgeView&, const Var&)
/// const`, and for a score `Var operator()(const EdgeView&) const`. A member `name` shows in plan().
template <class Kind>
class Choice {
 public:
  template <class S>
  requires(!std::same_as<S, Choice> && (detail::SlotOptions<S> || detail::StageFunction<S> ||
                                        detail::SourceFunction<S>)) Choice(S choice) {  // NOLINT: meant to convert
    if constexpr (detail::SlotOptions<S>) {
      static_assert(std::same_as<typename S::Kind, Kind>, "these options belong to another slot");
      build_ = [choice = std::move(choice)](const Scope& scope, const AttentionSizes& sizes) -> SlotPointer {
        return choice.build(scope, sizes);
      };
    } else {
      build_ = [built = std::make_shared<const detail::FunctionSlot<S>>(std::move(choice))](
                   const Scope&, const AttentionSizes&) { return SlotPointer(built); };
    }
  }
  Choice(SlotPointer built)  // NOLINT: meant to convert
      : build_([built = std::move(built)](const Scope&, const AttentionSizes&) { return built; }) {}
  template <std::derived_from<SlotModule> M>
  Choice(std::shared_ptr<M> built) : Choice(SlotPointer(std::move(built))) {}  // NOLINT: meant to convert

  SlotPointer build(const Scope& scope, const AttentionSizes& sizes) const { return build_(scope, sizes); }

 private:
  std::function<SlotPointer(const Scope&, const AttentionSizes&)> build_;
};

struct ScoreKind {};
struct PairKind {};
struct NormaliserKind {};
struct GateKind {};
struct AggregatorKind {};
struct FinishKind {};

}  // namespace atto
