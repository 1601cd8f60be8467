#pragma once
// Sums, means and maxima over everything or over one dimension (negative: from the end). `keep` leaves the reduced
// dimension with size 1. Cost: 1 FLOP and 1 value moved per element.

#include "autograd/var.hpp"
#include "core/device.hpp"

namespace atto {

extern const Schema sum_schema, mean_schema, max_schema;

/// Over an empty set: 0.
Var sum(const Var& x);
Var sum(const Var& x, int dimension, bool keep = false);
/// Over an empty set: 0, so that a batch without samples has no loss.
Var mean(const Var& x);
Var mean(const Var& x, int dimension, bool keep = false);
/// The gradient goes to the first of the largest elements; NaN is larger than everything. ValueError over an empty set.
Var max(const Var& x);
Var max(const Var& x, int dimension, bool keep = false);

namespace kernels {

/// y[o, m, i] = factor x[o, i]
template <class T>
void stretch_middle(Cpu, std::int64_t outer, std::int64_t middle, std::int64_t inner, T factor, const T* x, T* y);
/// y[o, i] = max_m x[o, m, i], and the first m where it stands; middle > 0.
template <class T>
void max_middle(Cpu, std::int64_t outer, std::int64_t middle, std::int64_t inner, const T* x, T* y,
                std::int64_t* where);

}  // namespace kernels
}  // namespace atto
