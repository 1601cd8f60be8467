#pragma once

#include "nn/attention/graph_attention.hpp"
#include "nn/conv/looped_graph.hpp"

namespace atto {

struct GatConvOptions {
  std::int64_t heads = 8;
  bool concat = true;              ///< heads side by side; false averages them
  double slope = 0.2;              ///< of the leaky ReLU
  double dropout = 0;              ///< of the attention weights, in training
  std::int64_t edge_channels = 0;  ///< F, of the edge features; 0 = none
  bool dynamic = false;            ///< GATv2
};

/// Graph attention (Velickovic et al. 2018), or GATv2 (Brody et al. 2022) with `dynamic`: GraphAttention with an
/// additive score over the edges.
///
///     a_ij = softmax over j of LeakyReLU(a_src . W x_j + a_dst . W x_i + a_edge . W_e e_ij),   x_i' = b + sum_j a_ij W
///     x_j GATv2: a_ij = softmax over j of a . LeakyReLU(W_l x_j + W_r x_i + W_e e_ij),             x_i' = b + sum_j
///     a_ij W_l x_j
///
/// x [N,in] -> [N,out]; with `concat` out is heads x width. e [E,F] belongs to the edges of the graph that the call
/// passes, or, for a graph with loops of normalise(), to those of the graph that it was made from (follow_loops()). In
/// a plain graph the loops are those it lists; a node without edges gets b. Parameters as GraphAttention names them.
class GatConv : public Module {
 public:
  GatConv(const Scope& scope, std::int64_t in, std::int64_t out, const GatConvOptions& options = {});
  Var operator()(const Var& x, const Graph& graph, const Var& e = {}) const;
  Var operator()(const Var& x, const NormalisedGraph& looped, const Var& e = {}) const;

  const GraphAttention& attention() const { return attention_; }

 private:
  GraphAttention attention_;
};

}  // namespace atto
