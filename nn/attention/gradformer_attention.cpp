#include "nn/attention/gradformer_attention.hpp"

#include "nn/names.hpp"

namespace atto {
namespace {

constexpr Names<MaskMode, 4> kMaskModes{"mask",
                                        {{{MaskMode::logit_mul, "logit_mul"},
                                          {MaskMode::log_bias, "log_bias"},
                                          {MaskMode::prob_mul, "prob_mul"},
                                          {MaskMode::prob_mul_renorm, "prob_mul_renorm"}}}};

std::shared_ptr<const DecaySlot> build(const Scope& scope, std::int64_t heads, const DecayMaskOptions& o) {
  const AttentionSizes sizes{.heads = heads};
  if (o.mode == MaskMode::logit_mul || o.mode == MaskMode::log_bias)
    return HopDecay{.gamma = o.gamma,
                    .hop = o.hop,
                    .slope = o.slope,
                    .logarithm = o.mode == MaskMode::log_bias,
                    .learn_gamma = o.learn_gamma,
                    .disconnected = o.disconnected}
        .build(scope, sizes);
  return HopDecayGate{.gamma = o.gamma,
                      .hop = o.hop,
                      .slope = o.slope,
                      .renormalise = o.mode == MaskMode::prob_mul_renorm,
                      .learn_gamma = o.learn_gamma,
                      .disconnected = o.disconnected}
      .build(scope, sizes);
}

}  // namespace

std::string_view name_of(MaskMode mode) {
  return kMaskModes.name(mode);
}
MaskMode mask_mode(std::string_view name) {
  return kMaskModes.parse(name);
}

DecayMask::DecayMask(const Scope& scope, std::int64_t heads, const DecayMaskOptions& options)
    : on_logits_(options.mode == MaskMode::logit_mul || options.mode == MaskMode::log_bias),
      slot_(build(scope, heads, options)) {}

Choice<PairKind> DecayMask::pair() const {
  return on_logits_ ? Choice<PairKind>(slot_) : NoPair{};
}
Choice<GateKind> DecayMask::gate() const {
  return on_logits_ ? NoGate{} : Choice<GateKind>(slot_);
}

GradformerAttention::GradformerAttention(const Scope& scope, std::int64_t channels,
                                         const GradformerAttentionOptions& options)
    : GradformerAttention(scope, channels, DecayMask(scope, options.heads, options.mask), options) {}

GradformerAttention::GradformerAttention(const Scope& scope, std::int64_t channels, const DecayMask& shared,
                                         const GradformerAttentionOptions& o)
    : Module(scope),
      mask_(shared),
      attention_(scope, {.channels = channels,
                         .heads = o.heads,
                         .pair = shared.pair(),
                         .gate = shared.gate(),
                         .same_start = o.same_start,
                         .dropout = o.dropout}) {}

}  // namespace atto
