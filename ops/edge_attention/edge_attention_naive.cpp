// Attention along edges as loops over the definition, one edge and head at a time. What the fast kernels are compared
// with.

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/csr_views.hpp"
#include "ops/edge_attention/edge_attention.hpp"

namespace atto::kernels {
namespace {

// The formulas for head h of edge e = (j -> i).
template <class T>
struct Edges {
  explicit Edges(const EdgeAttentionCall<T>& call) : c(call), width(call.heads * call.depth) {}

  static T dot(std::int64_t depth, const T* a, const T* b) {
    T sum = 0;
    for (std::int64_t d = 0; d < depth; ++d) sum += a[d] * b[d];
    return sum;
  }
  const T* head(const T* rows, std::int64_t node, std::int64_t h) const { return rows + node * width + h * c.depth; }
  T scaled(std::int64_t j, std::int64_t i, std::int64_t h) const {
    return static_cast<T>(c.scale) * dot(c.depth, head(c.q, i, h), head(c.k, j, h));
  }
  T score(T scaled) const {
    const T limit = static_cast<T>(c.clip);
    return limit > 0 ? std::clamp(scaled, -limit, limit) : scaled;
  }
  std::int64_t place(std::int64_t e, std::int64_t h) const { return h * c.buckets + c.bucket[e]; }
  T factor(std::int64_t e, std::int64_t h) const { return c.multiply ? c.multiply[place(e, h)] : T{1}; }
  T logit(std::int64_t e, std::int64_t j, std::int64_t i, std::int64_t h) const {
    return score(scaled(j, i, h)) * factor(e, h) + (c.add ? c.add[place(e, h)] : T{0}) +
           (c.bias ? c.bias[e * c.heads + h] : T{0});
  }
  // What dropout multiplies the weight of an edge by.
  T keep(std::int64_t e, std::int64_t h) const {
    if (c.dropout == 0) return T{1};
    const auto threshold = static_cast<std::uint32_t>(std::min(c.dropout * 4294967296.0, 4294967295.0));
    return c.random.bits(static_cast<std::uint64_t>(e * c.heads + h)) < threshold ? T{0}
                                                                                  : static_cast<T>(1 / (1 - c.dropout));
  }

  const EdgeAttentionCall<T>& c;
  std::int64_t width;
};

}  // namespace

template <class T>
void edge_attention_forward_naive(const EdgeAttentionCall<T>& call, T* y, T* lse) {
  const Edges<T> edges(call);
  const Graph& graph = call.graph;
  std::fill_n(y, graph.num_dst() * edges.width, T{0});
  for (std::int64_t i = 0; i < graph.num_dst(); ++i)
    for (std::int64_t h = 0; h < call.heads; ++h) {
      const std::int64_t begin = graph.in_offsets()[i], end = graph.in_offsets()[i + 1];
      T largest = -std::numeric_limits<T>::infinity(), sum = 0;
      for (std::int64_t e = begin; e < end; ++e) largest = std::max(largest, edges.logit(e, graph.in_src()[e], i, h));
      lse[i * call.heads + h] = std::numeric_limits<T>::infinity();
      if (largest == -std::numeric_limits<T>::infinity()) continue;  // no edges, or all masked
      for (std::int64_t e = begin; e < end; ++e) sum += std::exp(edges.logit(e, graph.in_src()[e], i, h) - largest);
      lse[i * call.heads + h] = largest + std::log(sum);
      for (std::int64_t e = begin; e < end; ++e) {
        const std::int64_t j = graph.in_src()[e];
        const T weight = std::exp(edges.logit(e, j, i, h) - largest) / sum * edges.keep(e, h);
        for (std::int64_t d = 0; d < call.depth; ++d)
          y[i * edges.width + h * call.depth + d] += weight * edges.head(call.v, j, h)[d];
      }
    }
}

template <class T>
void edge_attention_backward_naive(const EdgeAttentionCall<T>& call, const T* lse, const T* g,
                                   const EdgeAttentionGradients<T>& out) {
  const Edges<T> edges(call);
  const Graph& graph = call.graph;
  const auto clear = [](T* gradient, std::int64_t size) {
    if (gradient) std::fill_n(gradient, size, T{0});
  };
  clear(out.q, graph.num_dst() * edges.width), clear(out.k, graph.num_src() * edges.width);
  clear(out.v, graph.num_src() * edges.width), clear(out.multiply, call.heads * call.buckets);
  clear(out.add, call.heads * call.buckets);
  for (std::int64_t i = 0; i < graph.num_dst(); ++i)
    for (std::int64_t h = 0; h < call.heads; ++h) {
      const std::int64_t begin = graph.in_offsets()[i], end = graph.in_offsets()[i + 1];
      const T* gradient = edges.head(g, i, h);
      const auto weight = [&](std::int64_t e) {
        return std::exp(edges.logit(e, graph.in_src()[e], i, h) - lse[i * call.heads + h]);
      };
      const auto dweight = [&](std::int64_t e) {
        return edges.keep(e, h) * edges.dot(call.depth, gradient, edges.head(call.v, graph.in_src()[e], h));
      };
      T delta = 0;  // sum of a da over the row
      for (std::int64_t e = begin; e < end; ++e) delta += weight(e) * dweight(e);
      for (std::int64_t e = begin; e < end; ++e) {
        const std::int64_t j = graph.in_src()[e], at = j * edges.width + h * call.depth;
        const T a = weight(e), dz = a * (dweight(e) - delta), scaled = edges.scaled(j, i, h);
        if (out.bias) out.bias[e * call.heads + h] = dz;
        if (out.add) out.add[edges.place(e, h)] += dz;
        if (out.multiply) out.multiply[edges.place(e, h)] += dz * edges.score(scaled);
        const T ds = edges.score(scaled) == scaled ? static_cast<T>(call.scale) * dz * edges.factor(e, h) : T{0};
        for (std::int64_t d = 0; d < call.depth; ++d) {
          if (out.q) out.q[i * edges.width + h * call.depth + d] += ds * call.k[at + d];
          if (out.k) out.k[at + d] += ds * edges.head(call.q, i, h)[d];
          if (out.v) out.v[at + d] += a * edges.keep(e, h) * gradient[d];
        }
      }
    }
}

#define ATTO_INSTANTIATE(T)                                                                    \
  template void edge_attention_forward_naive(const EdgeAttentionCall<T>&, T*, T*);             \
  template void edge_attention_backward_naive(const EdgeAttentionCall<T>&, const T*, const T*, \
                                              const EdgeAttentionGradients<T>&);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
