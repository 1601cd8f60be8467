// The inner loops of rwse(), compiled for each instruction set.
#pragma once

#include <cstdint>

#include "core/simd.hpp"

namespace atto::kernels {

inline constexpr int kWalkLanes = 8;  ///< walks side by side: a cache line of doubles per node

/// next[i,:] = scale[i] * sum of now[dst[k],:] over offsets[i] <= k < offsets[i+1], for n nodes of kWalkLanes columns.
template <class Isa>
void walk_step(std::int64_t n, const std::int32_t* offsets, const std::int32_t* dst, const double* scale,
               const double* now, double* next);

/// sum[c] = sum over i of weight[i] * x[i,c] * y[i,c].
template <class Isa>
void walks_meet(std::int64_t n, const double* weight, const double* x, const double* y, double* sum);

}  // namespace atto::kernels
