#pragma once
// Attention over every pair inside each segment of a ragged batch, fused: nothing of size heads x queries x keys is
// stored.

#include <optional>

#include "autograd/var.hpp"
#include "core/device.hpp"
#include "core/random.hpp"
#include "graph/batch.hpp"
#include "graph/ragged.hpp"
#include "ops/ragged_attention/call.hpp"

namespace atto {

extern const Schema ragged_attention_schema;

/// Per-head tables over the bucket of a pair, each undefined or [H,B] with B <= 256 (the same B for all).
struct AttentionTables {
  Var multiply;  ///< times the scaled score: Gradformer's decay mask (hop_decay)
  Var add;       ///< onto it: Graphormer's spatial bias, relative positions; -infinity masks a bucket
  Var gate;      ///< times the probability, after the softmax; rows are not renormalised
};

struct RaggedAttentionOptions {
  std::optional<double> scale = {};  ///< default 1 / sqrt(D)
  bool causal = false;               ///< query i sees the keys j <= i + n_k - n_q
  double dropout = 0;                ///< of probabilities, in [0, 1); the kept ones are divided by 1 - dropout
  RandomStream random = {};          ///< where dropout draws from
};

/// For every segment, its queries i and its keys j, and every head h:
///
///     z_ij = scale q_i . k_j * multiply[h, b_ij] + add[h, b_ij] + dense_hij
///     p_ij = exp(z_ij) / sum_j' exp(z_ij')
///     o_i  = sum_j dropout(p_ij gate[h, b_ij]) v_j
///
/// (Vaswani et al. 2017, eq. 1; decay mask: Gradformer, arXiv 2404.15729; bias: Graphormer, arXiv 2106.05234, eq. 6.)
///
/// q[N,H,D], k[M,G,D], v[M,G,V] -> [N,H,V], where G divides H: a head of keys and values serves H / G query heads in a
/// row. `queries` and `keys` have as many segments; they may differ in size. `buckets` holds n_q x n_k values per
/// segment, row = query; it may be empty when no table is given. `dense` (optional) is flat: for each segment a block
/// [H, n_q, n_k]. A segment without queries gives no rows; a query that sees no key, or only keys at -infinity, gives
/// zeros, and no gradient.
///
/// Gradient to q, k, v, the tables and dense. Kept for backward: the inputs, the result, and two numbers per row and
/// head; probabilities are computed again. A table of ones gives the same bits as no table. Dropout bits are a function
/// of (stream, query, key, head); the probability is rounded to a multiple of 2^-16.
///
/// ShapeError for sizes that do not fit, IndexError for a bucket outside the tables, ValueError for options out of
/// range. Cost: 2 H n_q n_k (D + V) FLOP and about 20 H n_q n_k for the softmax, summed over segments; backward 2.5
/// times that.
Var ragged_attention(const Var& q, const Var& k, const Var& v, const Ragged& queries, const Ragged& keys,
                     const BucketPlane& buckets = {}, const AttentionTables& tables = {}, const Var& dense = {},
                     const RaggedAttentionOptions& options = {});

/// The same from other operations: every pair listed as an edge, then score, look-up, softmax and weighted sum over
/// edges.
Var ragged_attention_reference(const Var& q, const Var& k, const Var& v, const Ragged& queries, const Ragged& keys,
                               const BucketPlane& buckets = {}, const AttentionTables& tables = {},
                               const Var& dense = {}, const RaggedAttentionOptions& options = {});

/// float64, flat as `dense`: what dropout multiplies each probability by, 0 or 1 / (1 - dropout).
Tensor ragged_attention_dropout_mask(const Ragged& queries, const Ragged& keys, std::int64_t heads,
                                     const RaggedAttentionOptions& options);

namespace kernels {

template <class T>
void ragged_attention_forward(Cpu, const RaggedAttentionCall<T>& call);
/// Gradients are overwritten.
template <class T>
void ragged_attention_backward(Cpu, const RaggedAttentionCall<T>& call, const RaggedAttentionGradients<T>& gradients);

/// The same results from loops that follow the formulas: what the kernels above are measured against.
template <class T>
void ragged_attention_forward_naive(const RaggedAttentionCall<T>& call);
template <class T>
void ragged_attention_backward_naive(const RaggedAttentionCall<T>& call, const RaggedAttentionGradients<T>& gradients);

/// One piece of work with the instruction set named by the tag; `scratch` as call.hpp sizes it.
template <class Isa, class T>
void ragged_attention_forward_piece(const RaggedAttentionCall<T>& call, const RaggedAttentionPiece& piece, T* scratch);
template <class Isa, class T>
void ragged_attention_backward_piece(const RaggedAttentionCall<T>& call, const RaggedAttentionGradients<T>& gradients,
                                     const RaggedAttentionPiece& piece, const RaggedAttentionPartial<T>& partial,
                                     T* scratch);

}  // namespace kernels
}  // namespace atto
