#pragma once
// Message and reduction in one: sums whose messages would be [E,D] tensors of their own.

#include "autograd/var.hpp"
#include "graph/graph.hpp"

namespace atto {

extern const Schema gated_sum_schema, gine_sum_schema;

/// y_i = sum_j s_ij x_j / (sum_j s_ij + epsilon), channel by channel: the aggregation of GatedGCN (Bresson and Laurent
/// 2017, arXiv 1711.07553, eq. 10 in the form of Dwivedi et al. 2020) without its node term. gates[E,D], x[N_src,D] ->
/// [N_dst,D]. A node without in-edges gets zeros. Cost: 3 E D FLOP; backward keeps two [N_dst,D] tensors.
Var gated_sum(const Graph& g, const Var& gates, const Var& x, double epsilon = 1e-6);
Var gated_sum_reference(const Graph& g, const Var& gates, const Var& x, double epsilon = 1e-6);

/// y_i = sum_j relu(x_j + e_ij): the aggregation of GINE (Hu et al. 2020, arXiv 1905.12265). x[N_src,D], e[R,D] ->
/// [N_dst,D]; R = E, or any number of kinds of edges with `kind`, int64 [E], the row of each edge. The gradient where
/// x_j + e_ij = 0 is 0. TypeError, or IndexError for a kind outside 0..R-1. Cost: 3 E D FLOP; backward computes the
/// messages again; with kinds it makes a table of R D sums for each block of some hundred edges.
Var gine_sum(const Graph& g, const Var& x, const Var& e, const Tensor& kind = {});
Var gine_sum_reference(const Graph& g, const Var& x, const Var& e, const Tensor& kind = {});

}  // namespace atto
