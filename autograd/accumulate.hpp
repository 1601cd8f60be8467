#pragma once
// The arithmetic that the tape itself needs.

#include "core/tensor.hpp"

namespace atto {

/// target += source; equal shapes and dtypes.
void add_into(const Tensor& target, const Tensor& source);

/// Sums `gradient` over the dimensions along which `shape` was broadcast to it. ShapeError when it was not.
Tensor sum_to(const Tensor& gradient, const Shape& shape);

/// Whether -infinity counts as a mask.
enum class Masks { refused, allowed };

/// Index of the first NaN or infinity, or -1.
std::int64_t first_non_finite(const Tensor& tensor, Masks masks = Masks::refused);
/// Whether an element is -infinity.
bool has_masks(const Tensor& tensor);

}  // namespace atto
