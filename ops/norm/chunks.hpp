#pragma once
// The kernels of the norms on some rows and on the calling thread, for an instruction set. No std templates here.

#include <cstdint>

namespace atto::kernels {

/// sum_i = a_i + b_i
template <class Isa, class T>
void add_rows_chunk(std::int64_t n, const T* a, const T* b, T* sum);
/// mean_d of these rows, and sum_d = sum_n (x_nd - mean_d)^2
template <class Isa, class T>
void moments_chunk(std::int64_t rows, std::int64_t columns, const T* x, T* mean, T* sum);
/// y_nd = (x_nd - mean_d) scale_d + shift_d + after_nd; after may be null.
template <class Isa, class T>
void normalise_columns_chunk(std::int64_t rows, std::int64_t columns, const T* x, const T* mean, const T* scale,
                             const T* shift, const T* after, T* y);
/// sum_g_d = sum_n g_nd, sum_gx_d = sum_n g_nd (x_nd - mean_d)
template <class Isa, class T>
void column_gradient_sums_chunk(std::int64_t rows, std::int64_t columns, const T* g, const T* x, const T* mean,
                                T* sum_g, T* sum_gx);
/// dx_nd = scale_d (g_nd - a_d - (x_nd - mean_d) b_d), also added to more_nd, unless that is null.
template <class Isa, class T>
void column_gradient_chunk(std::int64_t rows, std::int64_t columns, const T* g, const T* x, const T* mean,
                           const T* scale, const T* a, const T* b, T* dx, T* more);

/// mean and bias may be null.
template <class Isa, class T>
void normalise_rows_chunk(std::int64_t rows, std::int64_t columns, double epsilon, const T* x, const T* weight,
                          const T* bias, T* mean, T* inverse, T* y);
/// dx, unless null, and the sums over these rows for weight and bias, unless null. mean may be null.
template <class Isa, class T>
void row_gradient_chunk(std::int64_t rows, std::int64_t columns, const T* g, const T* x, const T* mean,
                        const T* inverse, const T* weight, T* dx, T* dweight, T* dbias);

}  // namespace atto::kernels
