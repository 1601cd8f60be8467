#pragma once
// The graph attentions whose score is a sum, fused: softmax over the edges into a node and the weighted sum of what
// they carry.

#include "autograd/var.hpp"
#include "core/device.hpp"
#include "core/random.hpp"
#include "graph/graph.hpp"

namespace atto {

extern const Schema gat_schema, gatv2_schema, gat_self_schema;

struct GatOptions {
  double slope = 0.2;        ///< of the leaky ReLU
  double dropout = 0;        ///< of the weights, in [0, 1); the kept ones are divided by 1 - dropout
  RandomStream random = {};  ///< where dropout draws from: number e H + h for edge e and head h
};

/// For every edge e = (j -> i) and head h (Velickovic et al. 2018, eqs. 3 and 4, with the products a . W x computed per
/// node):
///
///     z_eh = LeakyReLU(src_jh + dst_ih + edge_eh),   a_eh = exp(z_eh) / sum over the edges into i,   y_ih = sum_e a_eh
///     x_jh
///
/// x[N,H,D], src[N,H], dst[M,H], edge?[E,H] -> [M,H,D], N sources and M destinations. Gradient to all four. A node
/// without in-edges, or whose scores are all -infinity, gets zeros; loops are the caller's business. Keeps nothing but
/// its inputs, in backward two numbers per edge and head; never anything of size E D. Cost: 2 E H D + 15 E H FLOP.
Var gat(const Graph& graph, const Var& x, const Var& src, const Var& dst, const Var& edge = {},
        const GatOptions& options = {});

/// z_eh = sum_d vector_hd LeakyReLU(src_jhd + dst_ihd + edge_ehd), y_ih = sum_e a_eh src_jh (Brody et al. 2022, eq. 7).
/// src[N,H,D], dst[M,H,D], vector[H,D], edge?[E,H,D] -> [M,H,D]. Otherwise as gat(). Cost: 6 E H D + 15 E H FLOP.
Var gatv2(const Graph& graph, const Var& src, const Var& dst, const Var& vector, const Var& edge = {},
          const GatOptions& options = {});

/// gat() of nodes among themselves, whose scores come from their values: src_jh = <source_h, x_jh> and dst_ih =
/// <destination_h, x_ih>, which is what a GAT layer is after its projection. x[N,H,D], source[H,D], destination[H,D],
/// edge?[E,H], bias?[H,D] -> [N,H,D]. Gradient to all five. The bias is added to y. While recording it keeps one number
/// per edge and head beside its inputs; that many twice are scratch in backward. Cost: 2 E H D + 15 E H + 4 N H D FLOP.
Var gat_self(const Graph& graph, const Var& x, const Var& source, const Var& destination, const Var& edge = {},
             const Var& bias = {}, const GatOptions& options = {});

/// The same through the edge algebra.
Var gat_reference(const Graph& graph, const Var& x, const Var& src, const Var& dst, const Var& edge = {},
                  const GatOptions& options = {});
Var gatv2_reference(const Graph& graph, const Var& src, const Var& dst, const Var& vector, const Var& edge = {},
                    const GatOptions& options = {});
Var gat_self_reference(const Graph& graph, const Var& x, const Var& source, const Var& destination,
                       const Var& edge = {}, const Var& bias = {}, const GatOptions& options = {});

namespace detail {
/// ValueError unless 0 <= dropout < 1.
void check_gat_options(const GatOptions& options, const char* op);
}  // namespace detail

namespace kernels {

/// What both directions of both operations share. Null pointers for what is absent.
template <class T>
struct GatCall {
  const Graph& graph;
  std::int64_t heads, depth;
  GatOptions options;
  const T* value;        // [N,H,D]: x, or src of GATv2
  const T* source;       // [N,H], GAT
  const T* destination;  // [M,H], or [M,H,D] for GATv2
  const T* vector;       // [H,D], GATv2; null makes it GAT
  const T* edge;         // [E,H] or [E,H,D]
};

template <class T>
void gat_forward(Cpu, const GatCall<T>& call, T* y);

/// Gradients, null where not wanted. `weight` and `dlogit` are scratch [E,H].
template <class T>
struct GatGradients {
  T *value, *source, *destination, *vector, *edge;
  T *weight, *dlogit;
};
template <class T>
void gat_backward(Cpu, const GatCall<T>& call, const T* g, const GatGradients<T>& gradients);

/// gat_self(): null pointers for what is absent.
template <class T>
struct GatSelfCall {
  const Graph& graph;
  std::int64_t heads, depth;
  GatOptions options;
  const T *x, *source, *destination, *edge, *bias;
};
/// `kept` [E,H], null if not wanted, takes the weights before dropout, negative where the leaky ReLU was: all that
/// backward needs to know of the scores.
template <class T>
void gat_self_forward(Cpu, const GatSelfCall<T>& call, T* y, T* kept);
/// Gradients, null where not wanted.
template <class T>
struct GatSelfGradients {
  T *x, *source, *destination, *edge, *bias;
};
template <class T>
void gat_self_backward(Cpu, const GatSelfCall<T>& call, const T* kept, const T* g, const GatSelfGradients<T>& out);

/// The same from loops that follow the formulas: what the kernels above are measured against. `lse` [M,H] takes the
/// logarithm of the sum of exponentials of every row and head.
template <class T>
void gat_forward_naive(const GatCall<T>& call, T* y, T* lse);
template <class T>
void gat_backward_naive(const GatCall<T>& call, const T* g, const T* lse, const GatGradients<T>& gradients);

}  // namespace kernels
}  // namespace atto
