#pragma once
// Feed-forward networks that look at other nodes through an attention map (Buehler, arXiv 2501.02393). The map comes
// from GraphAttention::map(), on the edges of its support: [E,H], of which nothing is made dense.

#include "graph/graph.hpp"
#include "nn/init.hpp"
#include "nn/layers/linear.hpp"
#include "nn/module.hpp"

namespace atto {

struct MapFeedForwardOptions {
  std::int64_t heads = 8;
  std::int64_t inner = 0;  ///< I, above 0: of HalfwayGin in all and a multiple of heads, of MultiHop for each head
  Initialiser weight_init = init::normal(0.02);
};

/// A SwiGLU whose gated values pass one round of GIN before the way down:
///
///     u = SiLU(W_g x) (W_u x),   z_h = (1 + eps_h) u_h + mix_h A_h u_h,   y = W_d concat_h z_h
///
/// x [N,channels] -> the same. Parameters gate.weight, up.weight [I,C], down.weight [C,I], epsilon [H,1] = 0, mix [H,1]
/// = 1. Cost: 6 N C I + 2 E I FLOP.
class HalfwayGin : public Module {
 public:
  HalfwayGin(const Scope& scope, std::int64_t channels, const MapFeedForwardOptions& options);
  Var operator()(const Var& x, const Graph& graph, const Var& map) const;

 private:
  std::int64_t heads_;
  Linear gate_, up_, down_;
  Parameter epsilon_, mix_;
};

/// A SwiGLU for each head over up to three hops of the map:
///
///     z_h = (1 + eps_h) U_h + a1_h A_h U_h + a2_h A_h^2 U_h + a3_h A_h^3 U_h,   y_h = W_d,h ( SiLU(W_g,h x_h) z_h ),
///     U_h = W_u,h x_h
///
/// x [N,channels], channels a multiple of heads -> the same. Parameters gate, up [H,I,d], down [H,d,I], epsilon [H,1] =
/// 0, hops [3,H,1] = 1, 0.5, 0.1. Cost: 6 N C I + 6 E H I FLOP.
class MultiHop : public Module {
 public:
  MultiHop(const Scope& scope, std::int64_t channels, const MapFeedForwardOptions& options);
  Var operator()(const Var& x, const Graph& graph, const Var& map) const;

 private:
  std::int64_t heads_;
  Parameter gate_, up_, down_, epsilon_, hops_;
};

}  // namespace atto
