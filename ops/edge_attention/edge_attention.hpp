#pragma once
// Dot-product attention along the edges of a graph, fused: logits, softmax and weighted sum in one walk over the edges.

#include <cstdint>
#include <optional>

#include "autograd/var.hpp"
#include "core/device.hpp"
#include "core/random.hpp"
#include "graph/graph.hpp"

namespace atto {

extern const Schema edge_attention_schema;

/// What joins the scaled score of an edge. Each may be undefined.
struct EdgeAttentionTerms {
  Var multiply;    ///< [H,B], B <= 256: times the score, by bucket
  Var add;         ///< [H,B]: onto it, by bucket; -infinity masks a bucket
  Var bias;        ///< [E,H]: onto it; -infinity masks an edge for a head
  Tensor buckets;  ///< uint8 [E], for the tables
};

struct EdgeAttentionOptions {
  std::optional<double> scale = {};  ///< default 1 / sqrt(D)
  double clip = 0;                   ///< limits scaled scores to [-clip, clip]; 0: no limit
  double dropout = 0;                ///< of the weights, in [0, 1); the kept ones are divided by 1 - dropout
  RandomStream random = {};          ///< where dropout draws from: number e H + h for edge e and head h
};

/// For every edge e = (j -> i) and head h (Vaswani et al. 2017, eq. 1, over the neighbours of a node as in Dwivedi and
/// Bresson 2021, eqs. 1 to 5):
///
///     z_eh = clip(scale q_ih . k_jh) multiply[h, b_e] + add[h, b_e] + bias_eh
///     a_eh = exp(z_eh) / sum over the edges into i,   y_ih = sum_e dropout(a_eh) v_jh
///
/// q[M,H,D], k[N,H,D], v[N,H,D] -> [M,H,D], N sources and M destinations. Gradient to q, k, v, the tables and the bias.
/// A node without in-edges, or whose logits are all -infinity, gets zeros and sends no gradient; a NaN spreads over its
/// row. Kept for backward: the inputs and one number per row and head; backward takes two numbers per edge and head for
/// a while. Nothing of size E D, ever. ShapeError and TypeError for terms that do not fit, IndexError for a bucket
/// outside the tables, ValueError for options out of range. Cost: 4 E H D + 15 E H FLOP; backward 2.5 times that.
Var edge_attention(const Graph& graph, const Var& q, const Var& k, const Var& v, const EdgeAttentionTerms& terms = {},
                   const EdgeAttentionOptions& options = {});

/// The same through the edge algebra.
Var edge_attention_reference(const Graph& graph, const Var& q, const Var& k, const Var& v,
                             const EdgeAttentionTerms& terms = {}, const EdgeAttentionOptions& options = {});

namespace kernels {

/// What both directions share. Null pointers for what is absent.
template <class T>
struct EdgeAttentionCall {
  const Graph& graph;
  std::int64_t heads, depth, buckets;
  double scale, clip, dropout;
  RandomStream random;
  const T *q, *k, *v;
  const T *multiply, *add, *bias;
  const std::uint8_t* bucket;
};

/// `lse` [M,H], null if not wanted, takes the logarithm of the sum of exponentials of every row and head, +infinity
/// where there is nothing to sum: e^(z - lse) is the weight either way.
template <class T>
void edge_attention_forward(Cpu, const EdgeAttentionCall<T>& call, T* y, T* lse);

/// Gradients, null where not wanted.
template <class T>
struct EdgeAttentionGradients {
  T *q, *k, *v;
  T *multiply, *add, *bias;
};
template <class T>
void edge_attention_backward(Cpu, const EdgeAttentionCall<T>& call, const T* lse, const T* g,
                             const EdgeAttentionGradients<T>& out);

/// The same from loops that follow the formulas: what the kernels above are measured against.
template <class T>
void edge_attention_forward_naive(const EdgeAttentionCall<T>& call, T* y, T* lse);
template <class T>
void edge_attention_backward_naive(const EdgeAttentionCall<T>& call, const T* lse, const T* g,
                                   const EdgeAttentionGradients<T>& out);

}  // namespace kernels
}  // namespace atto
