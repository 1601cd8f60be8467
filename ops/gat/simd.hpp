#pragma once
// The loops of GAT and GATv2 over rows begin <= r < end of a Csr, for one instruction set. Softmax and weighted sums
// are those of ops/edge/simd.hpp.

#include <cstdint>

#include "ops/csr.hpp"

namespace atto::simd {

/// What a score is made of: GAT has source and destination [.., heads] and edge [E, heads]; GATv2 has them [.., heads,
/// depth] and `vector` [heads, depth]. edge may be null.
template <class T>
struct GatScore {
  std::int64_t heads = 0, depth = 0;
  const T* source = nullptr;
  const T* destination = nullptr;
  const T* edge = nullptr;
  const T* vector = nullptr;
  T slope = 0;
};

/// By destination: z[edge, h] = LeakyReLU(source + destination + edge), or for GATv2 vector . LeakyReLU(...).
template <class Isa, class T>
void gat_scores(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& score, T* z,
                std::int64_t ahead);

/// By destination: dz, the gradient of the weights a, becomes that of the scores; for GAT that of source + destination
/// + edge, and ddestination[r, h] is its sum; null if not wanted.
template <class Isa, class T>
void gat_scores_gradient(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& score, const T* a,
                         T* dz, T* ddestination);

/// GATv2, by destination: with dh = dz vector LeakyReLU', ddestination[r] = sum of dh, dedge = dh and dvector = sum of
/// dz LeakyReLU(...) over all rows. Null if not wanted.
template <class Isa, class T>
void gatv2_scores_gradient(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& score, const T* dz,
                           T* ddestination, T* dedge, T* dvector, std::int64_t ahead);
/// GATv2, by source: dsource[r] = sum of weight g[column] + dh.
template <class Isa, class T>
void gatv2_source_gradient(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& score,
                           const T* weight, const T* dz, const T* g, T* dsource, std::int64_t ahead);

// ---- gat_self(): `kept` holds the weights of forward, negative where the leaky ReLU was ----

/// source_term[r,h] = <source_h, x_rh> and destination_term likewise.
template <class Isa, class T>
void gat_products(std::int64_t begin, std::int64_t end, std::int64_t heads, std::int64_t depth, const T* x,
                  const T* source, const T* destination, T* source_term, T* destination_term);
/// By destination: sums[edge,h], what stands under the leaky ReLU of GAT.
template <class Isa, class T>
void gat_sums(const Csr& csr, std::int64_t begin, std::int64_t end, const GatScore<T>& score, T* sums);
template <class Isa, class T>
void gat_leaky(std::int64_t count, T slope, const T* sums, T* scores);
template <class Isa, class T>
void gat_mark(std::int64_t count, const T* sums, const T* weights, T* kept);
template <class Isa, class T>
void gat_unmark(std::int64_t count, const T* kept, T* weights);

/// By destination: from dweight, the gradient of the weights, that of the sums. pairs[edge] gets the weights (those of
/// `dropped`, unless null) and behind them these gradients, ddestination[r] their sum, and dedge, if not null, a copy.
template <class Isa, class T>
void gat_self_scores(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, T slope, const T* kept,
                     const T* dropped, const T* dweight, T* pairs, T* ddestination, T* dedge);
/// By source: dsource[r] = sum of the gradients in pairs.
template <class Isa, class T>
void gat_self_sources(const Csr& csr, std::int64_t begin, std::int64_t end, std::int64_t heads, const T* pairs,
                      T* dsource, std::int64_t ahead);

template <class T>
struct GatSelfValues {
  std::int64_t heads, depth;
  const T *x, *source, *destination, *g, *pairs, *dsource, *ddestination;
  T* dx;                            // null if not wanted
  T *source_sum, *destination_sum;  // [heads,depth]
};
/// By source: dx[r] = sum of weight g[column] + dsource[r] source + ddestination[r] destination, head by head; and the
/// sums over the rows of dsource x and ddestination x.
template <class Isa, class T>
void gat_self_values(const Csr& csr, std::int64_t begin, std::int64_t end, const GatSelfValues<T>& values,
                     std::int64_t ahead);

/// values[i] *= what dropout makes of number i of a stream, 0 or keep, for first <= i < last.
template <class Isa, class T>
void drop(std::uint64_t seed, std::uint64_t stream, std::uint32_t threshold, T keep, std::int64_t first,
          std::int64_t last, T* values);

}  // namespace atto::simd
