#pragma once
// The kernels of kernels.hpp on rows begin <= r < end, for one instruction set. `ahead` is how many entries in advance
// rows are fetched into the cache; 0 when they are there anyway.

#include <cstdint>

#include "ops/csr.hpp"

namespace atto::simd {

/// `bias` [heads,depth] is added to every row; null: nothing.
template <class Isa, class T>
void spmm(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, std::int64_t depth, const T* w,
          const T* x, bool mean, const T* bias, T* y, std::int64_t ahead);
/// By source: dx[r] = sum of w[edge] g[column], dw[edge] = <x[r], g[column]>.
template <class Isa, class T>
void spmm_gradient(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* w, const T* x,
                   const T* g, T* dx, T* dw, std::int64_t ahead);
template <class Isa, class T>
void spmm_extreme(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, std::int64_t depth,
                  const T* w, const T* x, bool largest, T* y, std::int32_t* winner);

template <class Isa, class T>
void edge_join(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, bool multiply, const T* src,
               const T* dst, T* e);
template <class Isa, class T>
void edge_dot(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, std::int64_t depth, const T* q,
              const T* k, T* e, std::int64_t ahead);
/// `a` may not be `z`: vectors that overlap read the same logits twice. For the gradient likewise.
template <class Isa, class T>
void edge_softmax(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, const T* z, T* a);
template <class Isa, class T>
void edge_softmax_gradient(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, const T* a,
                           const T* da, T* dz);

template <class Isa, class T>
void gated_sum(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* s, const T* x,
               T epsilon, T* y, T* inverse, std::int64_t ahead);
template <class Isa, class T>
void gated_sum_ds(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* x, const T* y,
                  const T* scaled, T* ds, std::int64_t ahead);
template <class Isa, class T>
void gine_sum(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* x, const T* e, T* y,
              std::int64_t ahead);
template <class Isa, class T>
void gine_sum_dx(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* x, const T* e,
                 const T* g, T* dx, std::int64_t ahead);
template <class Isa, class T>
void gine_sum_de(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* x, const T* e,
                 const T* g, T* de, std::int64_t ahead);
/// The same added up by kind: de[edge] += what edge t sends, where `csr.edge` tells the kind.
template <class Isa, class T>
void gine_sum_dkinds(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t width, const T* x, const T* e,
                     const T* g, T* de);

}  // namespace atto::simd
