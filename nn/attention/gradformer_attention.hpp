#pragma once
// The attention of Gradformer, and its decay mask as something that several attentions share.

#include <memory>
#include <string_view>

#include "nn/attention/graph_attention.hpp"

namespace atto {

/// Where the decay mask acts; the names are those of the command line.
enum class MaskMode {
  logit_mul,        ///< z M before the softmax: the published code
  log_bias,         ///< z + ln M
  prob_mul,         ///< a M after the softmax
  prob_mul_renorm,  ///< a M / sum a M
};
std::string_view name_of(MaskMode mode);
MaskMode mask_mode(std::string_view name);

struct DecayMaskOptions {
  MaskMode mode = MaskMode::logit_mul;
  double gamma = 0.5;
  double hop = 5;
  double slope = 0;
  bool learn_gamma = false;
  Disconnected disconnected = Disconnected::mask_zero;
};

/// A decay mask with its parameters, as the slots that it fills: HopDecay or HopDecayGate, by its mode. Attentions that
/// are given one mask share it. Parameters hop [H] and, where gamma is learned, gamma_logit [H]. Copying copies a
/// handle.
class DecayMask {
 public:
  DecayMask(const Scope& scope, std::int64_t heads, const DecayMaskOptions& options = {});
  Choice<PairKind> pair() const;
  Choice<GateKind> gate() const;
  const DecaySlot& slot() const { return *slot_; }

 private:
  bool on_logits_;
  std::shared_ptr<const DecaySlot> slot_;
};

struct GradformerAttentionOptions {
  std::int64_t heads = 4;
  DecayMaskOptions mask = {};  ///< of a mask of its own
  bool same_start = true;      ///< all projections begin as copies of one, as in the published code
  double dropout = 0.5;        ///< of the weights, in training
};

/// Gradformer's attention (arXiv 2404.15729), M_ij = gamma^phi(hops_ij - h) for each head:
///
///     out = concat_h( softmax_j( q_i . k_j / sqrt(D) * M_ij ) v ) W_o        and the other places of MaskMode
///
/// GraphAttention with a decay mask, of its own or shared over layers as in the paper. x [N,channels] and all pairs of
/// each graph with hop distances (Support::pairs, with_buckets) -> [N,channels]. Parameters as GraphAttention names
/// them, and a mask of its own as DecayMask does.
class GradformerAttention : public Module {
 public:
  GradformerAttention(const Scope& scope, std::int64_t channels, const GradformerAttentionOptions& options = {});
  GradformerAttention(const Scope& scope, std::int64_t channels, const DecayMask& shared,
                      const GradformerAttentionOptions& options = {});
  Var operator()(const Var& x, const Support& pairs) const { return attention_(x, pairs); }

  const DecayMask& mask() const { return mask_; }
  const GraphAttention& attention() const { return attention_; }

 private:
  DecayMask mask_;
  GraphAttention attention_;
};

}  // namespace atto
