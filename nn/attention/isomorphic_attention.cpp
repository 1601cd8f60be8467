#include "nn/attention/isomorphic_attention.hpp"

namespace atto {
namespace {

template <class Options>
AttentionOptions attention_options(std::int64_t channels, std::int64_t key_heads, const Options& o) {
  AttentionOptions attention{.channels = channels, .heads = o.heads, .key_heads = key_heads};
  attention.bias = false;
  attention.dropout = o.dropout;
  attention.causal = o.causal;
  return attention;
}

template <class Options>
AttentionOptions filled(AttentionOptions attention, const Options& options) {
  fill_slots(attention, options);
  return attention;
}

// Modes whose weights are above 0 wherever the support lists a pair.
bool above_zero(const PnaAttentionOptions& o) {
  if (o.mode == "none") return o.softmax;
  return o.mode == "softplus" || o.mode == "sharp_softplus" || o.mode == "sigmoid_elementwise" ||
         o.mode == "flowthreshold" || o.mode == "softplus_below_binary_above";
}

}  // namespace

void fill_slots(AttentionOptions& attention, const GinAttentionOptions& o) {
  attention.score = o.score;
  attention.normaliser = o.normaliser;
  attention.gate = o.gate;
  attention.finish = o.gin;
  attention.projection = Projection::query_key;
  attention.output = o.output ? Output::linear : Output::none;
}

void fill_slots(AttentionOptions& attention, const PnaAttentionOptions& o) {
  if (o.softmax) attention.normaliser = Softmax{.temperature = o.temperature};
  else attention.normaliser = ReluNormaliser{};
  attention.gate = adjacency_gate(o.mode, o.adjacency);
  if (o.lm) attention.aggregator = PnaLm{.threshold = o.adjacency.threshold};
  else
    attention.aggregator = Pna{.maximum = o.maximum,
                               .neighbours = above_zero(o) ? Neighbours::listed : Neighbours::positive,
                               .empty = o.empty};
  attention.finish = PerHead{.multiplier = o.multiplier};
}

GinAttention::GinAttention(const Scope& scope, std::int64_t channels, const GinAttentionOptions& options)
    : Module(scope), attention_(scope, filled(attention_options(channels, 0, options), options)) {}

PnaAttention::PnaAttention(const Scope& scope, std::int64_t channels, const PnaAttentionOptions& options)
    : Module(scope), attention_(scope, filled(attention_options(channels, options.key_heads, options), options)) {}

DifferentialAttention::DifferentialAttention(const Scope& scope, std::int64_t channels,
                                             const DifferentialAttentionOptions& o)
    : Module(scope), attention_(scope, [&] {
        AttentionOptions attention = attention_options(channels, o.key_heads, o);
        attention.normaliser = o.differential;
        attention.bias = o.bias;
        return attention;
      }()) {}

}  // namespace atto
