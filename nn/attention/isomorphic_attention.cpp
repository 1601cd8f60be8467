#include "nn/attention/isomorphic_attention.hpp"

namespace atto {
namespace {

AttentionOptions adjusted(AttentionOptions options, const std::function<void(AttentionOptions&)>& more) {
  if (more) more(options);
  return options;
}

AttentionOptions gin_options(std::int64_t channels, const GinAttentionOptions& o) {
  return {.channels = channels,
          .heads = o.heads,
          .score = o.score,
          .normaliser = o.normaliser,
          .gate = o.gate,
          .finish = o.gin,
          .projection = Projection::query_key,
          .output = o.output ? Output::linear : Output::none,
          .bias = false,
          .dropout = o.dropout,
          .causal = o.causal};
}

// Modes whose weights are above 0 wherever the support lists a pair.
bool above_zero(const PnaAttentionOptions& o) {
  if (o.mode == "none") return o.softmax;
  return o.mode == "softplus" || o.mode == "sharp_softplus" || o.mode == "sigmoid_elementwise" ||
         o.mode == "flowthreshold" || o.mode == "softplus_below_binary_above";
}

AttentionOptions pna_options(std::int64_t channels, const PnaAttentionOptions& o) {
  AttentionOptions options{.channels = channels, .heads = o.heads, .key_heads = o.key_heads};
  if (o.softmax) options.normaliser = Softmax{.temperature = o.temperature};
  else options.normaliser = ReluNormaliser{};
  options.gate = adjacency_gate(o.mode, o.adjacency);
  if (o.lm) options.aggregator = PnaLm{.threshold = o.adjacency.threshold};
  else
    options.aggregator = Pna{.maximum = o.maximum,
                             .neighbours = above_zero(o) ? Neighbours::listed : Neighbours::positive,
                             .empty = o.empty};
  options.finish = PerHead{.multiplier = o.multiplier};
  options.bias = false;
  options.dropout = o.dropout;
  options.causal = o.causal;
  return options;
}

}  // namespace

GinAttention::GinAttention(const Scope& scope, std::int64_t channels, const GinAttentionOptions& options)
    : Module(scope), attention_(scope, adjusted(gin_options(channels, options), options.more)) {}

PnaAttention::PnaAttention(const Scope& scope, std::int64_t channels, const PnaAttentionOptions& options)
    : Module(scope), attention_(scope, adjusted(pna_options(channels, options), options.more)) {}

DifferentialAttention::DifferentialAttention(const Scope& scope, std::int64_t channels,
                                             const DifferentialAttentionOptions& o)
    : Module(scope),
      attention_(scope, adjusted({.channels = channels,
                                  .heads = o.heads,
                                  .key_heads = o.key_heads,
                                  .normaliser = o.differential,
                                  .bias = o.bias,
                                  .dropout = o.dropout,
                                  .causal = o.causal},
                                 o.more)) {}

}  // namespace atto
