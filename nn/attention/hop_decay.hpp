#pragma once
// The decay mask of Gradformer (arXiv 2404.15729): M_k(t) = gamma^phi(t - h_k) at hop distance t, with phi(x) = x for x
// > 0 and slope x otherwise, and 0 for pairs that no path joins. It learns hop [H], the distance at which a head begins
// to decay, and on request gamma.

#include <memory>

#include "nn/attention/slot.hpp"

namespace atto {

/// What a decay mask does with pairs that no path joins. It makes no difference to masks that act as a logarithm, ln 0.
enum class Disconnected {
  mask_zero,  ///< M = 0: a logit of 0, which the softmax does not make a weight of 0 (the published code), or a weight
              ///< of 0
  left_out,   ///< no part in the softmax: a logit of -infinity
};

/// A decay that has been built. Give one to several attentions and they share its parameters: hop [H], and gamma_logit
/// [H] where gamma is learned, gamma = sigmoid(gamma_logit).
class DecaySlot : public SlotModule {
 public:
  const Var& hop() const { return hop_; }  ///< [H]
  /// [H] where it is learned, else [1].
  Var gamma() const;

 protected:
  struct Options {
    double gamma, hop, slope;
    bool learn, learn_gamma;
    Disconnected disconnected;
  };
  DecaySlot(const Scope& scope, std::int64_t heads, const Options& options);

  Var table(bool logarithm) const;  ///< [H,256], M or ln M
  Var on_edges(const EdgeView& view, const Var& table) const;
  bool leaves_out() const { return disconnected_ == Disconnected::left_out; }
  /// [H,256]: 0, and -infinity for pairs without a path.
  Var left_out() const;

 private:
  double gamma_, slope_;
  Disconnected disconnected_;
  Parameter hop_, gamma_logit_;
};

/// The mask as a PAIR term: z M, the published code; or, with `logarithm`, z + ln M.
struct HopDecay {
  using Kind = PairKind;
  double gamma = 0.5;  ///< in (0, 1]; the initial value where it is learned, for every head, then below 1
  double hop = 5;      ///< initial value, for every head
  double slope = 0;
  bool logarithm = false;
  bool learn = true;  ///< false keeps hop where it is
  bool learn_gamma = false;
  Disconnected disconnected = Disconnected::mask_zero;
  std::shared_ptr<const DecaySlot> build(const Scope& scope, const AttentionSizes& sizes) const;
};

/// The mask as a GATE: a M, whose rows sum to less than one; or, with `renormalise`, a M / sum a M (the same function
/// as HopDecay with `logarithm`). Pairs that are left out are so before M: a becomes a / (sum of a over connected
/// pairs).
struct HopDecayGate {
  using Kind = GateKind;
  double gamma = 0.5;
  double hop = 5;
  double slope = 0;
  bool renormalise = false;
  bool learn = true;
  bool learn_gamma = false;
  Disconnected disconnected = Disconnected::mask_zero;
  std::shared_ptr<const DecaySlot> build(const Scope& scope, const AttentionSizes& sizes) const;
};

}  // namespace atto
