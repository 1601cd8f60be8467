#pragma once
// For *_simd.cpp: from the dot product of an edge to its logit and back, for some heads side by side.

#include "core/lanes.hpp"
#include "ops/edge_attention/simd.hpp"

namespace atto::simd {

template <class T>
inline constexpr T kInfinity = static_cast<T>(__builtin_inf());

template <class V>
[[gnu::always_inline]] inline V higher(V a, V b) {
  return a > b ? a : b;  // a NaN may get lost here, but not in the sum by which its row is divided
}

/// Dot products as scores: scaled, and within the limits.
template <int G, class T>
[[gnu::always_inline]] inline Lanes<T, G> score_of(const EdgeAttentionRows<T>& c, Lanes<T, G> dot) {
  Lanes<T, G> s = dot * c.scale;
  if (c.clip > 0) {
    const Lanes<T, G> limit = splat<G>(c.clip);
    s = s < -limit ? -limit : s;
    s = s > limit ? limit : s;
  }
  return s;
}

/// Scores of edge e for the heads from `head` on as logits.
template <int G, class T>
[[gnu::always_inline]] inline Lanes<T, G> logit_of(const EdgeAttentionRows<T>& c, Lanes<T, G> s, std::int64_t e,
                                                   std::int64_t head) {
  if (c.bucket) {
    const std::int64_t at = c.bucket[e] * c.heads + head;
    if (c.multiply) s = s * load<G>(c.multiply + at);
    if (c.add) s = s + load<G>(c.add + at);
  }
  if (c.bias) s = s + load<G>(c.bias + e * c.heads + head);
  return s;
}

/// What the gradient dz of logits sends to their terms, and the gradient of the dot products that it returns. Lanes
/// that `fresh` leaves out have been added to the tables' sums before.
template <int G, class T, class Mask>
[[gnu::always_inline]] inline Lanes<T, G> send_back(const EdgeAttentionRows<T>& c, const EdgeAttentionSent<T>& out,
                                                    Lanes<T, G> dz, Lanes<T, G> dot, std::int64_t e, std::int64_t head,
                                                    Mask fresh) {
  if (out.dbias) store(out.dbias + e * c.heads + head, dz);
  Lanes<T, G> ds = dz * c.scale;
  if (c.bucket) {
    const std::int64_t at = c.bucket[e] * c.heads + head;
    const Lanes<T, G> zero = {};
    if (out.dadd) store(out.dadd + at, load<G>(out.dadd + at) + (fresh ? dz : zero));
    if (out.dmultiply)
      store(out.dmultiply + at, load<G>(out.dmultiply + at) + (fresh ? dz * score_of<G>(c, dot) : zero));
    if (c.multiply) ds = ds * load<G>(c.multiply + at);
  }
  if (c.clip > 0) {
    const Lanes<T, G> s = dot * c.scale;
    ds = s == score_of<G>(c, dot) ? ds : Lanes<T, G>{};
  }
  return ds;
}

}  // namespace atto::simd
