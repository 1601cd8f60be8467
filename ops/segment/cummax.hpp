#pragma once
// Running maxima inside the segments of a ragged batch: what a position knows of everything up to itself.

#include "autograd/var.hpp"
#include "core/device.hpp"
#include "graph/ragged.hpp"
#include "ops/csr.hpp"

namespace atto {

extern const Schema segment_cummax_schema;

/// y_nc = max of x_mc over the rows m <= n of the segment of n: the maximum over a causal neighbourhood (PNA-Attention,
/// Buehler, arXiv 2501.02393). x[N,...] -> [N,...]. The gradient goes to the first row that attains it; a NaN wins. No
/// rows give no rows. Cost: one FLOP and two values moved per value.
Var segment_cummax(const Var& x, const Ragged& segments);

/// The same from edge_max over the pairs of a causal support. Cost: quadratic in the longest segment.
Var segment_cummax_reference(const Var& x, const Ragged& segments);

namespace kernels {

/// y, and winner_nc = the row that y_nc comes from.
template <class T>
void segment_cummax(Cpu, const Csr& segments, std::int64_t width, const T* x, T* y, std::int32_t* winner);
/// dx_mc = sum of g_nc over the rows n with winner_nc = m.
template <class T>
void segment_cummax_gradient(Cpu, const Csr& segments, std::int64_t width, const T* g, const std::int32_t* winner,
                             T* dx);

}  // namespace kernels
}  // namespace atto
