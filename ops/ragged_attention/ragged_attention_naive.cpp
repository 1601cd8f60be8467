// Attention as loops over the definition: one row at a time, in order. What the fast kernels are compared with.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/parallel.hpp"
#include "core/random.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"

namespace atto::kernels {
namespace {

// One (graph, head): everything that the loops need to know about its pairs.
template <class T>
struct Pairs {
  const RaggedAttentionCall<T>& call;
  std::int64_t graph, head;
  std::int64_t query0 = call.query_offsets[graph], key0 = call.key_offsets[graph];
  std::int64_t queries = call.query_offsets[graph + 1] - query0, keys = call.key_offsets[graph + 1] - key0;
  std::int64_t kv_head = head / (call.heads / call.kv_heads);

  std::int64_t query(std::int64_t i) const { return (query0 + i) * call.heads + head; }
  std::int64_t key(std::int64_t j) const { return (key0 + j) * call.kv_heads + kv_head; }
  std::int64_t visible(std::int64_t i) const {
    return call.causal ? std::clamp<std::int64_t>(i + keys - queries + 1, 0, keys) : keys;
  }
  std::int64_t entry(std::int64_t i, std::int64_t j) const {
    return head * call.table_size + call.buckets[call.pair_offsets[graph] + i * keys + j];
  }
  std::int64_t pair(std::int64_t i, std::int64_t j) const {
    return call.heads * call.pair_offsets[graph] + (head * queries + i) * keys + j;
  }
  T score(std::int64_t i, std::int64_t j) const {
    T sum = 0;
    for (std::int64_t d = 0; d < call.width; ++d)
      sum += call.q[query(i) * call.width + d] * call.k[key(j) * call.width + d];
    return call.scale * sum;
  }
  T logit(std::int64_t i, std::int64_t j, T s) const {
    if (call.multiply) s *= call.multiply[entry(i, j)];
    if (call.add) s += call.add[entry(i, j)];
    if (call.dense) s += call.dense[pair(i, j)];
    return s;
  }
  T gate(std::int64_t i, std::int64_t j) const { return call.gate ? call.gate[entry(i, j)] : T{1}; }
  T keep(std::int64_t i, std::int64_t j) const {
    if (call.threshold == 0) return 1;
    const RandomStream random{.seed = call.seed, .stream = call.stream};
    const std::uint64_t counter =
        (std::uint64_t{dropout_row(call, graph, head, i)} << 32) | static_cast<std::uint64_t>(j);
    const auto row = static_cast<std::size_t>(i % kRowGroup);
    const std::uint32_t bits = (random.block(counter)[row / 2] >> (row % 2 * 16)) & 0xFFFFu;
    return bits >= call.threshold ? call.keep_scale : T{0};
  }
};

template <class T, class F>
void for_each_head(const RaggedAttentionCall<T>& call, F&& f) {
  if (call.heads == 0) return;
  parallel_chunks(call.graphs, 1, kSerialWork, [&](std::int64_t graph, std::int64_t, std::int64_t) {
    for (std::int64_t head = 0; head < call.heads; ++head) f(Pairs<T>{call, graph, head});
  });
}

}  // namespace

template <class T>
void ragged_attention_forward_naive(const RaggedAttentionCall<T>& call) {
  for_each_head(call, [&](const Pairs<T>& pairs) {
    std::vector<T> z(static_cast<std::size_t>(pairs.keys));
    for (std::int64_t i = 0; i < pairs.queries; ++i) {
      const std::int64_t seen = pairs.visible(i);
      T top = -std::numeric_limits<T>::infinity();
      for (std::int64_t j = 0; j < seen; ++j) top = std::max(top, z[j] = pairs.logit(i, j, pairs.score(i, j)));
      if (top == -std::numeric_limits<T>::infinity()) top = 0;
      T sum = 0;
      for (std::int64_t j = 0; j < seen; ++j) sum += z[j] = std::exp(z[j] - top);
      const T inverse = sum == 0 ? T{0} : 1 / sum;
      T* out = call.out + pairs.query(i) * call.value_width;
      std::fill_n(out, call.value_width, T{0});
      for (std::int64_t j = 0; j < seen; ++j) {
        const T weight = z[j] * inverse * pairs.gate(i, j) * pairs.keep(i, j);
        for (std::int64_t d = 0; d < call.value_width; ++d)
          out[d] += weight * call.v[pairs.key(j) * call.value_width + d];
      }
      call.row_max[pairs.query(i)] = top;
      call.row_inverse[pairs.query(i)] = inverse;
    }
  });
}

template <class T>
void ragged_attention_backward_naive(const RaggedAttentionCall<T>& call, const RaggedAttentionGradients<T>& gradients) {
  const std::int64_t queries = call.query_offsets[call.graphs], keys = call.key_offsets[call.graphs];
  const auto clear = [](T* values, std::int64_t n) {
    if (values) std::fill_n(values, n, T{0});
  };
  clear(gradients.q, queries * call.heads * call.width);
  clear(gradients.k, keys * call.kv_heads * call.width);
  clear(gradients.v, keys * call.kv_heads * call.value_width);
  clear(gradients.multiply, call.heads * call.table_size);
  clear(gradients.add, call.heads * call.table_size);
  clear(gradients.gate, call.heads * call.table_size);
  clear(gradients.dense, call.heads * call.pair_offsets[call.graphs]);
  // One thread: graphs share the tables' gradients.
  for (std::int64_t graph = 0; graph < call.graphs; ++graph) {
    for (std::int64_t head = 0; head < call.heads; ++head) {
      const Pairs<T> pairs{call, graph, head};
      for (std::int64_t i = 0; i < pairs.queries; ++i) {
        const T* go = gradients.out + pairs.query(i) * call.value_width;
        T delta = 0;
        for (std::int64_t d = 0; d < call.value_width; ++d)
          delta += go[d] * call.out[pairs.query(i) * call.value_width + d];
        for (std::int64_t j = 0; j < pairs.visible(i); ++j) {
          const T s = pairs.score(i, j);
          const T p = std::exp(pairs.logit(i, j, s) - call.row_max[pairs.query(i)]) * call.row_inverse[pairs.query(i)];
          const T gate = pairs.gate(i, j), keep = pairs.keep(i, j);
          const T* v = call.v + pairs.key(j) * call.value_width;
          T dw = 0;  // gradient of the weight of v_j
          for (std::int64_t d = 0; d < call.value_width; ++d) dw += go[d] * v[d];
          const T dz = p * (dw * gate * keep - delta);
          T ds = dz;
          if (call.multiply) {
            if (gradients.multiply) gradients.multiply[pairs.entry(i, j)] += dz * s;
            ds *= call.multiply[pairs.entry(i, j)];
          }
          if (gradients.add) gradients.add[pairs.entry(i, j)] += dz;
          if (gradients.gate) gradients.gate[pairs.entry(i, j)] += p * keep * dw;
          if (gradients.dense) gradients.dense[pairs.pair(i, j)] = dz;
          for (std::int64_t d = 0; d < call.width; ++d) {
            if (gradients.q)
              gradients.q[pairs.query(i) * call.width + d] += call.scale * ds * call.k[pairs.key(j) * call.width + d];
            if (gradients.k)
              gradients.k[pairs.key(j) * call.width + d] += call.scale * ds * call.q[pairs.query(i) * call.width + d];
          }
          if (gradients.v)
            for (std::int64_t d = 0; d < call.value_width; ++d)
              gradients.v[pairs.key(j) * call.value_width + d] += p * gate * keep * go[d];
        }
      }
    }
  }
}

template void ragged_attention_forward_naive(const RaggedAttentionCall<float>&);
template void ragged_attention_forward_naive(const RaggedAttentionCall<double>&);
template void ragged_attention_backward_naive(const RaggedAttentionCall<float>&,
                                              const RaggedAttentionGradients<float>&);
template void ragged_attention_backward_naive(const RaggedAttentionCall<double>&,
                                              const RaggedAttentionGradients<double>&);

}  // namespace atto::kernels
