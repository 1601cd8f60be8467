#pragma once
// Sums, which tape, reductions, biases and norms share. The order of the additions depends on the sizes alone, and many
// short chains (at most some 140 additions for every 16384 terms) take the place of a long one, which would lose
// digits.

#include <cstdint>

namespace atto {

/// y[o, i] = sum_m x[o, m, i]; middle = 0 gives zeros. Row sums are inner = 1, column sums outer = 1.
template <class T>
void sum_middle(std::int64_t outer, std::int64_t middle, std::int64_t inner, const T* x, T* y);

/// y += x
template <class T>
void add_into(std::int64_t n, const T* x, T* y);

/// The same for rows of `columns` elements that lie `stride_x` and `stride_y` elements apart.
template <class T>
void add_rows_into(std::int64_t rows, std::int64_t columns, const T* x, std::int64_t stride_x, T* y,
                   std::int64_t stride_y);

namespace kernels {
/// The same on the calling thread, for an instruction set.
template <class Isa, class T>
void sum_middle_chunk(std::int64_t outer, std::int64_t middle, std::int64_t inner, const T* x, T* y);
template <class Isa, class T>
void add_into_chunk(std::int64_t n, const T* x, T* y);
}  // namespace kernels

}  // namespace atto
