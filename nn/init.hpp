#pragma once
// Initial values of parameters. They come from a counter-based generator: the same seed gives the same numbers
// everywhere (up to the last bit of the C library's logarithm and cosine for normal ones).

#include <cstdint>
#include <functional>

#include "core/random.hpp"
#include "core/tensor.hpp"

namespace atto {

/// Fills a float32 or float64 tensor.
using Initialiser = std::function<void(const Tensor&, Generator&)>;

namespace init {

Initialiser zeros();
Initialiser ones();
Initialiser constant(double value);
/// A copy of a tensor of the same shape (projections that start equal).
Initialiser values(Tensor source);
/// Uniform in [-bound, bound).
Initialiser uniform(double bound);
/// Normal with mean 0.
Initialiser normal(double standard_deviation = 1.0);

// Matrices are [out,in]: fan_in is the product of all sizes but the first, fan_out the first. A ShapeError below
// rank 2.

/// Uniform in +-1/sqrt(fan_in): He et al. (2015), eq. 10 with slope sqrt(5), the rule of most published graph code, for
/// weights and, with the fan_in of their weight, for biases. fan_in = 0 takes it from the shape.
Initialiser kaiming_uniform(std::int64_t fan_in = 0);
/// Uniform in +-gain sqrt(6 / (fan_in + fan_out)): Glorot and Bengio (2010), eq. 16.
Initialiser xavier_uniform(double gain = 1.0);
/// Normal with variance gain^2 2 / (fan_in + fan_out).
Initialiser xavier_normal(double gain = 1.0);

}  // namespace init
}  // namespace atto
