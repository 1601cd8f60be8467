// GAT and GATv2 as loops over the definition, one edge and head at a time. What the fast kernels are compared with.

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/tensor.hpp"
#include "ops/csr_views.hpp"
#include "ops/gat/gat.hpp"

namespace atto::kernels {
namespace {

// Calls f(block, node) for all nodes.
template <class F>
void for_nodes(std::span<const std::int32_t> blocks, std::int64_t work, F&& f) {
  for_blocks(blocks, work, [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
    for (std::int64_t node = begin; node < end; ++node) f(block, node);
  });
}

// The formulas for one edge; `width` = H D.
template <class T>
struct Edges {
  explicit Edges(const GatCall<T>& call)
      : c(call),
        width(call.heads * call.depth),
        slope(static_cast<T>(call.options.slope)),
        threshold(static_cast<std::uint32_t>(std::min(call.options.dropout * 4294967296.0, 4294967295.0))),
        keep(static_cast<T>(1.0 / (1.0 - call.options.dropout))) {}

  T leaky(T x) const { return x > 0 ? x : slope * x; }
  T leaky_slope(T x) const { return x > 0 ? T{1} : slope; }

  // GAT: the sum under the leaky ReLU.
  T additive(std::int64_t e, std::int64_t j, std::int64_t i, std::int64_t h) const {
    return c.source[j * c.heads + h] + c.destination[i * c.heads + h] + (c.edge ? c.edge[e * c.heads + h] : T{0});
  }
  // GATv2: the same for channel d of head h.
  T hidden(std::int64_t e, std::int64_t j, std::int64_t i, std::int64_t channel) const {
    return c.value[j * width + channel] + c.destination[i * width + channel] +
           (c.edge ? c.edge[e * width + channel] : T{0});
  }
  T logit(std::int64_t e, std::int64_t j, std::int64_t i, std::int64_t h) const {
    if (!c.vector) return leaky(additive(e, j, i, h));
    T sum = 0;
    for (std::int64_t channel = h * c.depth; channel < (h + 1) * c.depth; ++channel)
      sum += c.vector[channel] * leaky(hidden(e, j, i, channel));
    return sum;
  }
  // What dropout multiplies the weight of an edge by.
  T mask(std::int64_t e, std::int64_t h) const {
    if (c.options.dropout == 0) return T{1};
    return c.options.random.bits(static_cast<std::uint64_t>(e * c.heads + h)) < threshold ? T{0} : keep;
  }

  const GatCall<T>& c;
  std::int64_t width;
  T slope;
  std::uint32_t threshold;
  T keep;
};

template <class T>
std::int64_t work_of(const GatCall<T>& call) {
  return call.graph.num_edges() * call.heads * (2 * call.depth + 30) + call.graph.num_dst() * call.heads * call.depth;
}

}  // namespace

template <class T>
void gat_forward_naive(const GatCall<T>& call, T* y, T* lse) {
  const Edges<T> edges(call);
  const Graph& graph = call.graph;
  for_nodes(graph.in_blocks(), work_of(call), [&](std::int64_t, std::int64_t i) {
    const std::int64_t begin = graph.in_offsets()[i], end = graph.in_offsets()[i + 1];
    for (std::int64_t h = 0; h < call.heads; ++h) {
      T largest = -std::numeric_limits<T>::infinity();
      for (std::int64_t e = begin; e < end; ++e)
        if (const T z = edges.logit(e, graph.in_src()[e], i, h); !(z <= largest)) largest = z;  // a NaN is not lost
      T* row = y + i * edges.width + h * call.depth;
      std::fill_n(row, call.depth, T{0});
      lse[i * call.heads + h] = largest;
      if (largest == -std::numeric_limits<T>::infinity()) continue;  // no edges, or all masked
      T sum = 0;
      for (std::int64_t e = begin; e < end; ++e) {
        const std::int64_t j = graph.in_src()[e];
        const T p = std::exp(edges.logit(e, j, i, h) - largest);
        sum += p;
        const T weight = p * edges.mask(e, h);
        const T* value = call.value + j * edges.width + h * call.depth;
        for (std::int64_t d = 0; d < call.depth; ++d) row[d] += weight * value[d];
      }
      const T inverse = T{1} / sum;
      for (std::int64_t d = 0; d < call.depth; ++d) row[d] *= inverse;
      lse[i * call.heads + h] = largest + std::log(sum);
    }
  });
}

// Two passes, each with one owner per row: destinations find the gradient of every logit, sources gather what they
// caused.
template <class T>
void gat_backward_naive(const GatCall<T>& call, const T* g, const T* lse, const GatGradients<T>& out) {
  const Edges<T> edges(call);
  const Graph& graph = call.graph;
  const std::int64_t width = edges.width, heads = call.heads, depth = call.depth;
  const auto blocks = static_cast<std::int64_t>(graph.in_blocks().size()) - 1;
  const Tensor partial = out.vector ? Tensor::zeros(Shape{blocks, width}, dtype_of<T>) : Tensor();

  for_nodes(graph.in_blocks(), 2 * work_of(call), [&](std::int64_t block, std::int64_t i) {
    const std::int64_t begin = graph.in_offsets()[i], end = graph.in_offsets()[i + 1];
    if (out.destination)
      std::fill_n(out.destination + i * (call.vector ? width : heads), call.vector ? width : heads, T{0});
    for (std::int64_t h = 0; h < heads; ++h) {
      const T* gradient = g + i * width + h * depth;
      T delta = 0;  // sum of a da over the row
      for (std::int64_t e = begin; e < end; ++e) {
        const std::int64_t j = graph.in_src()[e];
        const T row_lse = lse[i * heads + h];
        const T a = row_lse == -std::numeric_limits<T>::infinity() ? T{0} : std::exp(edges.logit(e, j, i, h) - row_lse);
        const T* value = call.value + j * width + h * depth;
        T dot = 0;
        for (std::int64_t d = 0; d < depth; ++d) dot += gradient[d] * value[d];
        const T mask = edges.mask(e, h);
        out.weight[e * heads + h] = a * mask;
        out.dlogit[e * heads + h] = dot * mask;
        delta += a * dot * mask;
      }
      for (std::int64_t e = begin; e < end; ++e) {
        const std::int64_t j = graph.in_src()[e];
        const T row_lse = lse[i * heads + h];
        const T a = row_lse == -std::numeric_limits<T>::infinity() ? T{0} : std::exp(edges.logit(e, j, i, h) - row_lse);
        T& dz = out.dlogit[e * heads + h];
        dz = a * (dz - delta);
        if (!call.vector) {
          dz *= edges.leaky_slope(edges.additive(e, j, i, h));
          if (out.destination) out.destination[i * heads + h] += dz;
          if (out.edge) out.edge[e * heads + h] = dz;
          continue;
        }
        for (std::int64_t channel = h * depth; channel < (h + 1) * depth; ++channel) {
          const T hidden = edges.hidden(e, j, i, channel);
          const T dhidden = dz * call.vector[channel] * edges.leaky_slope(hidden);
          if (out.destination) out.destination[i * width + channel] += dhidden;
          if (out.edge) out.edge[e * width + channel] = dhidden;
          if (out.vector) partial.data<T>()[block * width + channel] += dz * edges.leaky(hidden);
        }
      }
    }
  });
  for (std::int64_t channel = 0; out.vector && channel < width; ++channel) {
    T sum = 0;
    for (std::int64_t block = 0; block < blocks; ++block) sum += partial.data<T>()[block * width + channel];
    out.vector[channel] = sum;
  }

  if (!out.value && !out.source) return;
  for_nodes(graph.out_blocks(), work_of(call), [&](std::int64_t, std::int64_t j) {
    if (out.value) std::fill_n(out.value + j * width, width, T{0});
    if (out.source) std::fill_n(out.source + j * heads, heads, T{0});
    for (std::int64_t place = graph.out_offsets()[j]; place < graph.out_offsets()[j + 1]; ++place) {
      const std::int64_t e = graph.out_edge()[place], i = graph.out_dst()[place];
      for (std::int64_t h = 0; h < heads; ++h) {
        const T weight = out.weight[e * heads + h], dz = out.dlogit[e * heads + h];
        if (out.source) out.source[j * heads + h] += dz;
        for (std::int64_t channel = h * depth; out.value && channel < (h + 1) * depth; ++channel) {
          out.value[j * width + channel] += weight * g[i * width + channel];
          if (call.vector)
            out.value[j * width + channel] +=
                dz * call.vector[channel] * edges.leaky_slope(edges.hidden(e, j, i, channel));
        }
      }
    }
  });
}

template void gat_forward_naive(const GatCall<float>&, float*, float*);
template void gat_forward_naive(const GatCall<double>&, double*, double*);
template void gat_backward_naive(const GatCall<float>&, const float*, const float*, const GatGradients<float>&);
template void gat_backward_naive(const GatCall<double>&, const double*, const double*, const GatGradients<double>&);

}  // namespace atto::kernels
