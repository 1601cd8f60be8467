#pragma once

#include "nn/attention/graph_attention.hpp"

namespace atto {

struct MultiHeadAttentionOptions {
  std::int64_t heads = 4;
  std::int64_t source_channels = 0;  ///< of the sending nodes in cross attention; 0 = channels
  std::int64_t key_heads = 0;        ///< grouped queries: heads of keys and values, a divisor of heads; 0 = heads
  bool bias = true;                  ///< in all projections
  double dropout = 0;                ///< of the weights, in training
  bool causal = false;               ///< refuses supports that are not causal
};

/// Multi-head attention (Vaswani et al. 2017, section 3.2), out = concat_h( softmax_j( q_i . k_j / sqrt(D) ) v ) W_o:
/// GraphAttention with its slots as they are. The support says who sees whom: Support::pairs for all nodes of a graph,
/// Support::causal for a sequence and what came before, Support::pairs(queries, keys) for cross attention,
/// Support::edges for neighbours. x [N,channels], source [M,source_channels] -> [N,channels]. Parameters as
/// GraphAttention names them.
class MultiHeadAttention : public Module {
 public:
  MultiHeadAttention(const Scope& scope, std::int64_t channels, const MultiHeadAttentionOptions& o = {})
      : Module(scope),
        attention_(scope, {.channels = channels,
                           .source_channels = o.source_channels,
                           .heads = o.heads,
                           .key_heads = o.key_heads,
                           .bias = o.bias,
                           .dropout = o.dropout,
                           .causal = o.causal}) {}
  Var operator()(const Var& x, const Support& support) const { return attention_(x, support); }
  Var operator()(const Var& x, const Var& source, const Support& support) const {
    return attention_(AttentionInputs{.query = x, .source = source, .value = {}, .edge = {}}, support);
  }

  const GraphAttention& attention() const { return attention_; }

 private:
  GraphAttention attention_;
};

}  // namespace atto
