// A range of rows at a time: scores, softmax and weighted sum of some ten thousand numbers follow each other while
// these are in the cache, each as long loops over vectors. Faster than edge by edge, where a few exponentials at a time
// keep no unit busy.

#include <algorithm>
#include <span>
#include <vector>

#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "core/storage.hpp"
#include "ops/csr_views.hpp"
#include "ops/edge/simd.hpp"
#include "ops/gat/gat.hpp"
#include "ops/gat/rows.hpp"
#include "ops/gat/simd.hpp"

namespace atto::kernels {
namespace {

template <class T>
simd::GatScore<T> score_of(const GatCall<T>& call) {
  return {.heads = call.heads,
          .depth = call.depth,
          .source = call.vector ? call.value : call.source,
          .destination = call.destination,
          .edge = call.edge,
          .vector = call.vector,
          .slope = static_cast<T>(call.options.slope)};
}

template <class T>
std::int64_t work_of(const GatCall<T>& call) {
  return (call.graph.num_edges() + call.graph.num_dst()) * call.heads * ((call.vector ? 3 : 1) * call.depth + 16);
}

// weights[edge, h] = softmax of the scores over rows begin..end.
template <class Isa, class T>
void softmax_scores(const Csr& csr, std::int64_t begin, std::int64_t end, const GatCall<T>& call, T* scores,
                    T* weights) {
  simd::gat_scores<Isa>(csr, begin, end, score_of(call), scores,
                        fetch_ahead<T>(csr, call.heads * (call.vector ? call.depth : 1)));
  simd::edge_softmax<Isa>(csr, begin, end, call.heads, scores, weights);
}

}  // namespace

template <class T>
void gat_forward(Cpu, const GatCall<T>& call, T* y) {
  const Csr csr = by_destination(call.graph);
  const std::int64_t width = call.heads * call.depth;
  if (width == 0) return;
  with_isa([&]<class Isa>() {
    for_blocks(call.graph.in_blocks(), work_of(call), [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      const std::int64_t first = csr.offsets[begin] * call.heads, last = csr.offsets[end] * call.heads;
      const Storage storage(static_cast<std::size_t>(2 * (last - first)) * sizeof(T), Device{});
      T* scores = reinterpret_cast<T*>(storage.data()) - first;
      T* weights = scores + (last - first);
      softmax_scores<Isa>(csr, begin, end, call, scores, weights);
      drop_rows<Isa>(csr, begin, end, call.heads, call.options, weights);
      simd::spmm<Isa>(csr, begin, end, call.heads, call.depth, weights, call.value, false,
                      static_cast<const T*>(nullptr), y, fetch_ahead<T>(csr, width));
    });
  });
}

// By destination the gradient of every score, by source what the scores and sums send to the values: one owner per row
// each.
template <class T>
void gat_backward(Cpu, const GatCall<T>& call, const T* g, const GatGradients<T>& out) {
  const Csr in = by_destination(call.graph), back = by_source(call.graph);
  const std::int64_t heads = call.heads, width = heads * call.depth;
  const simd::GatScore<T> score = score_of(call);
  if (width == 0) {  // nothing carries a gradient
    const auto clear = [](T* gradient, std::int64_t size) {
      if (gradient) std::fill_n(gradient, size, T{0});
    };
    clear(out.source, back.rows * heads);
    if (!call.vector) clear(out.destination, in.rows * heads), clear(out.edge, in.entries * heads);
    return;
  }

  const auto blocks = static_cast<std::int64_t>(call.graph.in_blocks().size()) - 1;
  std::vector<T> vectors(out.vector ? static_cast<std::size_t>(blocks * width)
                                    : 0);  // a sum per block, added up in order
  with_isa([&]<class Isa>() {
    for_blocks(call.graph.in_blocks(), work_of(call), [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
      softmax_scores<Isa>(in, begin, end, call, out.dlogit, out.weight);
      simd::edge_dot<Isa>(in, begin, end, heads, call.depth, g, call.value, out.dlogit, fetch_ahead<T>(in, width));
      drop_rows<Isa>(in, begin, end, heads, call.options, out.dlogit);
      simd::gat_scores_gradient<Isa>(in, begin, end, score, out.weight, out.dlogit, out.destination);
      drop_rows<Isa>(in, begin, end, heads, call.options, out.weight);
      if (call.vector && (out.destination || out.edge || out.vector))
        simd::gatv2_scores_gradient<Isa>(in, begin, end, score, out.dlogit, out.destination, out.edge,
                                         out.vector ? vectors.data() + block * width : nullptr,
                                         fetch_ahead<T>(in, width));
    });
    if (!out.value && !out.source) return;
    for_blocks(call.graph.out_blocks(), work_of(call), [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      const std::int64_t ahead = fetch_ahead<T>(back, width);
      if (out.source)
        simd::spmm<Isa>(edges_by_source(call.graph), begin, end, 1, heads, static_cast<const T*>(nullptr), out.dlogit,
                        false, static_cast<const T*>(nullptr), out.source, 0);
      if (!out.value) return;
      if (!call.vector)
        simd::spmm<Isa>(back, begin, end, heads, call.depth, out.weight, g, false, static_cast<const T*>(nullptr),
                        out.value, ahead);
      else simd::gatv2_source_gradient<Isa>(back, begin, end, score, out.weight, out.dlogit, g, out.value, ahead);
    });
  });
  for (std::int64_t c = 0; out.vector && c < width; ++c) {
    T sum = 0;
    for (std::int64_t block = 0; block < blocks; ++block) sum += vectors[static_cast<std::size_t>(block * width + c)];
    out.vector[c] = sum;
  }
}

template void gat_forward(Cpu, const GatCall<float>&, float*);
template void gat_forward(Cpu, const GatCall<double>&, double*);
template void gat_backward(Cpu, const GatCall<float>&, const float*, const GatGradients<float>&);
template void gat_backward(Cpu, const GatCall<double>&, const double*, const GatGradients<double>&);

}  // namespace atto::kernels
