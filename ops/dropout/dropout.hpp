#pragma once

#include "autograd/var.hpp"
#include "core/device.hpp"
#include "core/random.hpp"

namespace atto {

extern const Schema dropout_schema;

/// Sets each value to zero with probability `rate` and multiplies the others by 1/(1 - rate) (Srivastava et al. 2014,
/// inverted). Element i is dropped when 32-bit number i of the stream lies below rate 2^32; backward draws the same
/// numbers again, so no mask is stored. rate = 0 is x itself; ValueError unless 0 <= rate < 1. Cost: about 40 integer
/// operations per value, in vectors.
Var dropout(const Var& x, double rate, const RandomStream& stream);
/// The same from a product with the mask, which is stored.
Var dropout_reference(const Var& x, double rate, const RandomStream& stream);

namespace kernels {

/// y_i = x_i / (1 - rate), or 0 where the stream drops i.
template <class T>
void dropout(Cpu, std::int64_t size, const T* x, double rate, const RandomStream& stream, T* y);

/// The same on the calling thread, for an instruction set, of values that begin with block `first` of the stream;
/// dropped below `threshold`, others times `keep`.
template <class Isa, class T>
void dropout_chunk(std::int64_t size, std::uint64_t first, const T* x, std::uint32_t threshold, T keep,
                   std::uint64_t seed, std::uint64_t stream, T* y);

}  // namespace kernels
}  // namespace atto
