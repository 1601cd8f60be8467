#pragma once

#include <optional>

#include "graph/graph.hpp"
#include "nn/conv/edge_rows.hpp"
#include "nn/layers/linear.hpp"
#include "nn/layers/norm.hpp"
#include "nn/module.hpp"

namespace atto {

struct GatedGcnOptions {
  bool edge_state = true;  ///< compute the new edge state; without it the layer has no edge norm
  double dropout = 0;      ///< after the ReLU, in training
};

/// Residual gated graph convolution (Bresson and Laurent 2017, eq. 11; as in Dwivedi et al. 2020, eq. 17):
///
///     ê_ij = D x_i + E x_j + C e_ij,   s_ij = sigmoid(ê_ij)
///     x_i' = x_i + ReLU(BN(A x_i + sum_j s_ij B x_j / (sum_j s_ij + 1e-6))),   e_ij' = e_ij + ReLU(BN(ê_ij))
///
/// x [N,d], e [E,d] -> the same shapes. Without an edge state nothing of size E d is made beyond C e. Parameters a.* to
/// e.*, node_norm.*, edge_norm.*.
class GatedGcnConv : public Module {
 public:
  GatedGcnConv(const Scope& scope, std::int64_t channels, GatedGcnOptions options = {});
  NodesAndEdges operator()(const Var& x, const Graph& graph, const EdgeRows& e) const;

 private:
  GatedGcnOptions options_;
  Linear a_, b_, c_, d_, e_;
  BatchNorm node_norm_;
  std::optional<BatchNorm> edge_norm_;
};

}  // namespace atto
