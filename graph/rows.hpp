// Moving rows of features when a graph, a batch or a selection is built. Data preparation: no gradients (ops/ has
// those).
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor.hpp"

namespace atto {

/// Row r of the result is row map[r] of `source` [R, ...], or filled with `fill` where map[r] = -1. An undefined source
/// stays undefined. IndexError for any other index outside. Any dtype.
Tensor take_rows(const Tensor& source, std::span<const std::int32_t> map, double fill = 0);

/// Tensors [R_k, ...] below each other; they must agree in dtype and in all sizes but the first (ShapeError). Undefined
/// when there are none, or when all are undefined; ShapeError when only some are.
Tensor concatenate_rows(std::span<const Tensor> parts);

}  // namespace atto
