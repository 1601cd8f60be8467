#pragma once
// Gated message passing, fused: from the rows of nodes and edges to the weighted mean, without gates that are stored.

#include "autograd/var.hpp"
#include "core/device.hpp"
#include "graph/graph.hpp"

namespace atto {

extern const Schema gated_conv_schema;

struct GatedConvOptions {
  Tensor kind = {};  ///< int64 [E]: the row of `edge` that an edge has; undefined: every edge has its own
  double epsilon = 1e-6;
};

/// For every edge e = (j -> i), channel by channel (the aggregation of Bresson and Laurent 2017, eq. 11):
///
///     s_e = sigmoid(dst_i + src_j + edge_r(e)),   y_i = sum_e s_e value_j / (sum_e s_e + epsilon)
///
/// dst[M,D], src[N,D], value[N,D], edge?[R,D] -> [M,D], N sources and M destinations; R = E, or any number of kinds of
/// edges with `kind`. Gradient to all four. A node without in-edges gets zeros. Gates are computed again in backward:
/// nothing of size E D is kept, nor made when edges come in a few kinds. ShapeError, TypeError, or IndexError for a
/// kind outside 0..R-1. Cost: about 16 E D FLOP, backward three times that.
Var gated_conv(const Graph& graph, const Var& dst, const Var& src, const Var& value, const Var& edge = {},
               const GatedConvOptions& options = {});

/// The same through the edge algebra.
Var gated_conv_reference(const Graph& graph, const Var& dst, const Var& src, const Var& value, const Var& edge = {},
                         const GatedConvOptions& options = {});

namespace kernels {

/// What both directions share; edge null without edge term, kind null when edge e has row e.
template <class T>
struct GatedConvCall {
  const Graph& graph;
  std::int64_t width;
  const T* dst;              // [M,D]
  const T* src;              // [N,D]
  const T* value;            // [N,D]
  const T* edge;             // [R,D]
  std::int64_t rows;         // R
  const std::int32_t* kind;  // [E]
  T epsilon;
};

/// `inverse` [M,D] = 1 / (sum of gates + epsilon), for backward.
template <class T>
void gated_conv_forward(Cpu, const GatedConvCall<T>& call, T* y, T* inverse);

/// Gradients, null where not wanted. `scaled` is scratch [M,D].
template <class T>
struct GatedConvGradients {
  T *dst, *src, *value, *edge;
  T* scaled;
};
template <class T>
void gated_conv_backward(Cpu, const GatedConvCall<T>& call, const T* y, const T* inverse, const T* g,
                         const GatedConvGradients<T>& gradients);

}  // namespace kernels
}  // namespace atto
