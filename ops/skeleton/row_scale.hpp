#pragma once
// The template to copy for a new operation: public function, schema, kernel declarations. It is a real one, too.

#include "autograd/var.hpp"
#include "core/device.hpp"

namespace atto {

extern const Schema row_scale_schema;

/// Multiplies every row by a number of its own: y_nd = s_n x_nd (a degree scale, a gate per node).
/// x[N,D], s[N]; gradient to both; an empty input gives an empty result. Cost: N D FLOP.
Var row_scale(const Var& x, const Var& s);

/// The same from other operations: its definition, and its oracle in the tests.
Var row_scale_reference(const Var& x, const Var& s);

namespace kernels {

/// y_nd = s_n x_nd; all row-major.
template <class T>
void row_scale(Cpu, std::int64_t rows, std::int64_t columns, const T* x, const T* s, T* y);
/// ds_n = sum_d g_nd x_nd
template <class T>
void row_dot(Cpu, std::int64_t rows, std::int64_t columns, const T* g, const T* x, T* ds);

}  // namespace kernels
}  // namespace atto
