#pragma once
// Attention along edges for rows begin <= r < end of a Csr, for one instruction set.

#include <cstdint>

#include "ops/csr.hpp"

namespace atto::simd {

/// A call as the loops see it: null pointers for what is absent. Tables are [B,heads] here, so that a bucket is a row.
template <class T>
struct EdgeAttentionRows {
  std::int64_t heads = 0, depth = 0;
  T scale = 1, clip = 0;
  const T *q = nullptr, *k = nullptr, *v = nullptr;
  const T *multiply = nullptr, *add = nullptr, *bias = nullptr;
  const std::uint8_t* bucket = nullptr;
  const std::int32_t* row = nullptr;  ///< [E]: the row that an edge belongs to
  const T* keep = nullptr;            ///< [E,heads]: what dropout multiplies every weight by
};

/// Numbers of scratch that the functions below take for every edge and head of their rows, and one more for every row
/// and head.
inline constexpr std::int64_t kEdgeAttentionScratch = 3;

/// By destination: y, and lse where it is not null, with `totals` [end - begin, heads] for scratch.
template <class Isa, class T>
void edge_attention_forward(const Csr& csr, std::int64_t begin, std::int64_t end, const EdgeAttentionRows<T>& rows,
                            T* scratch, T* totals, T* y, T* lse, std::int64_t ahead);

/// By destination: pairs[edge] gets the weights and behind them the gradients of the scores, 2 heads numbers; dq, dbias
/// and the sums dmultiply and dadd [B,heads], to which is added, are null where not wanted.
template <class T>
struct EdgeAttentionSent {
  T *pairs, *dq, *dmultiply, *dadd, *dbias;
};
template <class Isa, class T>
void edge_attention_scores(const Csr& csr, std::int64_t begin, std::int64_t end, const EdgeAttentionRows<T>& rows,
                           const T* lse, const T* g, T* scratch, const EdgeAttentionSent<T>& out, std::int64_t ahead);

/// By source: dk[r] = sum of the second of the pairs times q[column], dv[r] = sum of the first times g[column]; null
/// where not wanted.
template <class Isa, class T>
void edge_attention_sources(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads,
                            std::int64_t depth, const T* pairs, const T* q, const T* g, T* dk, T* dv,
                            std::int64_t ahead);

}  // namespace atto::simd
