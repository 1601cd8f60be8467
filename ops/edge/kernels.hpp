#pragma once
// Kernels of the edge algebra. They walk rows of a Csr (ops/csr.hpp): the same kernel serves forward by destination and
// backward by source. Node features are [nodes, heads, depth], edge features [E, heads] or [E, heads, depth], all
// row-major; `width` is heads * depth. Every result element has one owner and a fixed order of summation.

#include <cstdint>
#include <span>

#include "core/device.hpp"
#include "ops/csr.hpp"

namespace atto::kernels {

/// y_r,h = sum over entries t of w[edge(t),h] x[column(t),h]; w null = ones; divided by the number of entries for a
/// mean.
template <class T>
void spmm(Cpu, const Csr& csr, std::int64_t heads, std::int64_t depth, const T* w, const T* x, bool mean, T* y);

/// By source, both gradients of spmm with one weight per edge: dx_r = sum of w[edge] g[column], dw[edge] = <x_r,
/// g[column]>.
template <class T>
void spmm_gradient(Cpu, const Csr& csr, std::int64_t width, const T* w, const T* x, const T* g, T* dx, T* dw);

/// The largest (or smallest) w x, and in `winner` [rows, width] the edge that it came from, -1 for an empty row.
template <class T>
void spmm_extreme(Cpu, const Csr& csr, std::int64_t heads, std::int64_t depth, const T* w, const T* x, bool largest,
                  T* y, std::int32_t* winner);
/// By source: dx_r,c = sum of w g[column,c] over the entries whose edge won at [column,c].
template <class T>
void spmm_extreme_dx(Cpu, const Csr& csr, std::int64_t heads, std::int64_t depth, const T* w, const T* g,
                     const std::int32_t* winner, T* dx);
/// By destination: dw[edge,h] = sum of g[row,c] x[column,c] over the channels c of head h that the edge won; x null =
/// ones.
template <class T>
void spmm_extreme_dw(Cpu, const Csr& csr, std::int64_t heads, std::int64_t depth, const T* x, const T* g,
                     const std::int32_t* winner, T* dw);

/// y_r = x_r / number of entries of row r (0 for an empty row).
template <class T>
void divide_by_count(Cpu, const Csr& csr, std::int64_t width, const T* x, T* y);

enum class Join { add, multiply };
/// e[edge] = src[column] (+ or *) dst[row]; for a sum either may be null.
template <class T>
void edge_join(Cpu, const Csr& csr, std::int64_t width, Join join, const T* src, const T* dst, T* e);

/// e[edge,h] = <q[row,h], k[column,h]>
template <class T>
void edge_dot(Cpu, const Csr& csr, std::int64_t heads, std::int64_t depth, const T* q, const T* k, T* e);

/// By destination: a = softmax of z over the entries of each row; a row of -infinity gives zeros.
template <class T>
void edge_softmax(Cpu, const Csr& csr, std::int64_t heads, const T* z, T* a);
/// dz = a (da - sum over the row of a da)
template <class T>
void edge_softmax_gradient(Cpu, const Csr& csr, std::int64_t heads, const T* a, const T* da, T* dz);

/// y[e,h] = table[h, bucket_e]
template <class T>
void edge_bucket(Cpu, std::int64_t edges, std::int64_t heads, std::int64_t buckets, const T* table,
                 const std::uint8_t* bucket, T* y);
/// dtable[h,b] = sum of g[e,h] over the edges of bucket b: a histogram per fixed chunk of edges, added in order.
template <class T>
void edge_bucket_gradient(Cpu, std::int64_t edges, std::int64_t heads, std::int64_t buckets, const std::uint8_t* bucket,
                          const T* g, T* dtable);

/// y = a b, element by element.
template <class T>
void multiply(Cpu, std::int64_t size, const T* a, const T* b, T* y);

/// y_r = (sum s x) * inverse_r, inverse_r = 1 / (sum s + epsilon), channel by channel.
template <class T>
void gated_sum(Cpu, const Csr& csr, std::int64_t width, const T* s, const T* x, T epsilon, T* y, T* inverse);
/// ds[edge] = scaled[row] (x[column] - y[row])
template <class T>
void gated_sum_ds(Cpu, const Csr& csr, std::int64_t width, const T* x, const T* y, const T* scaled, T* ds);

/// y_r = sum relu(x[column] + e[edge])
template <class T>
void gine_sum(Cpu, const Csr& csr, std::int64_t width, const T* x, const T* e, T* y);
/// By source: dx_r = sum of g[column] where x[row] + e[edge] > 0.
template <class T>
void gine_sum_dx(Cpu, const Csr& csr, std::int64_t width, const T* x, const T* e, const T* g, T* dx);
/// By destination: de[edge] = g[row] where x[column] + e[edge] > 0.
template <class T>
void gine_sum_de(Cpu, const Csr& csr, std::int64_t width, const T* x, const T* e, const T* g, T* de);
/// The same added up by kind, de[kinds, width]; `csr.edge` tells the kind of an entry, `blocks` are Graph::in_blocks().
template <class T>
void gine_sum_dkinds(Cpu, const Csr& csr, std::span<const std::int32_t> blocks, std::int64_t width, std::int64_t kinds,
                     const T* x, const T* e, const T* g, T* de);

}  // namespace atto::kernels
