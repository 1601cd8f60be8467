#pragma once
// Pooling: from the rows of a ragged batch (the nodes of each graph) to one row per segment, and back. A segment
// without rows gives zeros; a batch without segments is legal.

#include "autograd/var.hpp"
#include "core/device.hpp"
#include "graph/ragged.hpp"
#include "ops/csr.hpp"

namespace atto {

extern const Schema segment_sum_schema, segment_mean_schema, segment_max_schema, segment_softmax_schema,
    segment_broadcast_schema;

/// y_s = sum of x_n over the rows n of segment s. x[N,...] -> [S,...]. Cost: one FLOP per value.
Var segment_sum(const Var& x, const Ragged& segments);
/// The sum divided by the number of rows.
Var segment_mean(const Var& x, const Ragged& segments);
/// The largest x_n of the segment, by channel; the first of equal rows gets the gradient, a NaN wins.
Var segment_max(const Var& x, const Ragged& segments);

/// a_n = exp(z_n - max) / sum exp(z_m - max) over the rows m of the segment of n, by channel: weights for attention
/// pooling. logits[N,...] -> [N,...]. A segment of -infinity gives zeros and a zero gradient. Cost: 15 FLOP per value.
Var segment_softmax(const Var& logits, const Ragged& segments);
/// The same from segment_max, exp, segment_sum and segment_broadcast; segments of -infinity are NaN here.
Var segment_softmax_reference(const Var& logits, const Ragged& segments);

/// y_n = x_s for every row n of segment s. x[S,...] -> [N,...].
Var segment_broadcast(const Var& x, const Ragged& segments);

namespace kernels {

/// y_n = x_s
template <class T>
void segment_broadcast(Cpu, const Csr& segments, std::int64_t width, const T* x, T* y);
/// dx_nd = g_sd where n = winner_sd, else 0.
template <class T>
void segment_max_gradient(Cpu, const Csr& segments, std::int64_t width, const T* g, const std::int32_t* winner, T* dx);

}  // namespace kernels
}  // namespace atto
