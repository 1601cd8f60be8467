#pragma once
// The edge algebra: from nodes to edges, on edges, and from edges back to nodes. Every sparse attention is made of it.
//
// An edge j -> i carries a message from source j to destination i. Edge tensors are [E,...] in the canonical order of
// the graph. Sources and destinations may be different sets (a bipartite graph). A node without in-edges gets zeros and
// sends no gradient; graphs without edges or nodes work everywhere. Forward walks the edges by destination, backward by
// source, so every element of every result has one owner: no atomics, and bits that do not depend on the number of
// threads.

#include "autograd/var.hpp"
#include "graph/graph.hpp"

namespace atto {

extern const Schema edge_add_schema, edge_mul_schema, edge_dot_schema, edge_softmax_schema, edge_bucket_schema;
extern const Schema edge_sum_schema, edge_mean_schema, edge_max_schema, edge_min_schema;
extern const Schema spmm_schema, spmm_mean_schema, spmm_max_schema, spmm_min_schema;

// ---- Nodes to edges
// ------------------------------------------------------------------------------------------------------

/// e_ij = s_j + d_i, or what there is of it: with one side undefined the other is copied to its edges.
/// src[N_src,...], dst[N_dst,...] with the same further sizes -> [E,...]. ShapeError when they differ or both are
/// undefined. Cost: E W FLOP for rows of W values.
Var edge_add(const Graph& g, const Var& src, const Var& dst);

/// e_ij = s_j d_i, channel by channel. src[N_src,...], dst[N_dst,...] -> [E,...]. Cost: E W FLOP.
Var edge_mul(const Graph& g, const Var& src, const Var& dst);

/// e_ij,h = sum_d q_i,h,d k_j,h,d: the sampled dense-dense product (SDDMM). q[N_dst,...,D], k[N_src,...,D] -> [E,...],
/// usually with heads between: [E,H]. Cost: 2 E H D FLOP, no [E,H,D] in between.
Var edge_dot(const Graph& g, const Var& q, const Var& k);
/// The same as edge_mul and a sum.
Var edge_dot_reference(const Graph& g, const Var& q, const Var& k);

/// y_eh = table_h,b(e): a number per head and kind of edge (hop distance, relation). table[H,B], buckets uint8 [E] ->
/// [E,H]. IndexError naming the first edge whose bucket is B or more. The gradient is a histogram. Cost: E H values
/// moved.
Var edge_bucket(const Var& table, const Tensor& buckets);

// ---- On edges
// ------------------------------------------------------------------------------------------------------------

/// a_ij = exp(z_ij - max_k z_ik) / sum_k exp(z_ik - max): softmax over the edges into each destination, for every head.
/// logits[E,...] -> [E,...]. A row of logits that are all -infinity gives zeros and a zero gradient (a masked row sends
/// nothing); a NaN spreads over its row. Cost: 15 E H FLOP.
Var edge_softmax(const Graph& g, const Var& logits);
/// The same from edge_max, exp, edge_sum and edge_add; rows of -infinity are NaN here.
Var edge_softmax_reference(const Graph& g, const Var& logits);

// ---- Edges to nodes
// ------------------------------------------------------------------------------------------------------

/// y_i = sum of e_ij over the edges into i. e[E,...] -> [N_dst,...]. Cost: E W FLOP.
Var edge_sum(const Graph& g, const Var& e);
/// The sum divided by the number of edges into i.
Var edge_mean(const Graph& g, const Var& e);
/// The largest (smallest) e_ij, by channel. The first of equal edges gets the gradient; a NaN wins.
Var edge_max(const Graph& g, const Var& e);
Var edge_min(const Graph& g, const Var& e);

/// y_i = sum_j w_ij x_j over the edges into i: the sparse-dense product (SpMM).
/// x[N_src,...], weights[E,...] -> [N_dst,...]. The further sizes of the weights are the first ones of x: [E,H] weighs
/// the heads of [N,H,D], [E] the rows of [N,D], [E,D] the channels of [N,D] (ShapeError otherwise); undefined weights
/// are ones. Cost: 2 E H D FLOP, no [E,H,D] in between, neither forward nor backward.
Var spmm(const Graph& g, const Var& weights, const Var& x);
/// The sum divided by the number of edges into i.
Var spmm_mean(const Graph& g, const Var& weights, const Var& x);
/// The largest (smallest) w_ij x_j, by channel. The first of equal edges gets the gradient; a NaN wins.
Var spmm_max(const Graph& g, const Var& weights, const Var& x);
Var spmm_min(const Graph& g, const Var& weights, const Var& x);
/// The same from edge_add (a copy), a product and edge_sum, edge_mean, edge_max or edge_min.
Var spmm_reference(const Graph& g, const Var& weights, const Var& x);
Var spmm_mean_reference(const Graph& g, const Var& weights, const Var& x);
Var spmm_max_reference(const Graph& g, const Var& weights, const Var& x);
Var spmm_min_reference(const Graph& g, const Var& weights, const Var& x);

}  // namespace atto
