#pragma once

#include "nn/attention/graph_attention.hpp"

namespace atto {

struct GatConvOptions {
  std::int64_t heads = 8;
  bool concat = true;      ///< heads side by side; false averages them
  double slope = 0.2;      ///< of the leaky ReLU
  double dropout = 0;      ///< of the attention weights, in training
  bool dynamic = false;    ///< GATv2
};

/// Graph attention (Velickovic et al. 2018), or GATv2 (Brody et al. 2022) with `dynamic`: GraphAttention with an additive score
/// over the edges. x [N,in] -> [N,out]; with `concat` out is heads x width. The graph should hold one self-loop per node
/// (normalise() makes it). Parameters as GraphAttention names them.
class GatConv : public Module {
 public:
  GatConv(const Scope& scope, std::int64_t in, std::int64_t out, const GatConvOptions& options = {});
  Var operator()(const Var& x, const Graph& graph) const { return attention_(x, Support::edges(graph)); }

 private:
  GraphAttention attention_;
};

}  // namespace atto
