// Blocks of rows as in gat_cpu.cpp. Forward leaves the weights for backward, so that this walks the edges twice only:
// by destination for the gradient of every score, by source for what arrives at the values.

#include <algorithm>

#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "core/storage.hpp"
#include "core/sum.hpp"
#include "ops/csr_views.hpp"
#include "ops/edge/simd.hpp"
#include "ops/gat/gat.hpp"
#include "ops/gat/rows.hpp"
#include "ops/gat/simd.hpp"

namespace atto::kernels {
namespace {

template <class T>
Storage scratch(std::int64_t numbers) {
  return Storage(static_cast<std::size_t>(numbers) * sizeof(T), Device{});
}
template <class T>
T* numbers_of(const Storage& storage) {
  return reinterpret_cast<T*>(storage.data());
}

template <class T>
std::int64_t work_of(const GatSelfCall<T>& call) {
  return (call.graph.num_edges() + call.graph.num_dst()) * call.heads * (call.depth + 16);
}

}  // namespace

template <class T>
void gat_self_forward(Cpu, const GatSelfCall<T>& call, T* y, T* kept) {
  const Csr csr = by_destination(call.graph);
  const std::int64_t heads = call.heads, width = heads * call.depth;
  if (width == 0) {
    if (kept) std::fill_n(kept, csr.entries * heads, T{0});
    return;
  }
  const Storage terms = scratch<T>(2 * csr.rows * heads);
  T *source = numbers_of<T>(terms), *destination = source + csr.rows * heads;
  with_isa([&]<class Isa>() {
    // A lane's worth of numbers at a time, hence an eighth of the operations that the formula has.
    parallel_for(csr.rows, std::max<std::int64_t>(1, width / 4), [&](std::int64_t begin, std::int64_t end) {
      simd::gat_products<Isa>(begin, end, heads, call.depth, call.x, call.source, call.destination, source,
                              destination);
    });
    const simd::GatScore<T> score{.heads = heads,
                                  .depth = call.depth,
                                  .source = source,
                                  .destination = destination,
                                  .edge = call.edge,
                                  .slope = static_cast<T>(call.options.slope)};
    for_blocks(call.graph.in_blocks(), work_of(call), [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      const std::int64_t first = csr.offsets[begin] * heads, count = csr.offsets[end] * heads - first;
      const Storage storage = scratch<T>(3 * count);
      T* sums = numbers_of<T>(storage) - first;
      T *scores = sums + count, *weights = scores + count;
      simd::gat_sums<Isa>(csr, begin, end, score, sums);
      simd::gat_leaky<Isa>(count, score.slope, sums + first, scores + first);
      simd::edge_softmax<Isa>(csr, begin, end, heads, scores, weights);
      if (kept) simd::gat_mark<Isa>(count, sums + first, weights + first, kept + first);
      drop_rows<Isa>(csr, begin, end, heads, call.options, weights);
      simd::spmm<Isa>(csr, begin, end, heads, call.depth, weights, call.x, false, call.bias, y,
                      fetch_ahead<T>(csr, width));
    });
  });
}

template <class T>
void gat_self_backward(Cpu, const GatSelfCall<T>& call, const T* kept, const T* g, const GatSelfGradients<T>& out) {
  const Csr in = by_destination(call.graph), back = by_source(call.graph);
  const std::int64_t heads = call.heads, width = heads * call.depth;
  if (width == 0) {
    if (out.edge) std::fill_n(out.edge, in.entries * heads, T{0});
    return;
  }
  // For every edge its weights and the gradients of its scores, side by side: they are read together, out of order.
  const Storage pairs = scratch<T>(2 * in.entries * heads), destination = scratch<T>(in.rows * heads);
  const auto in_blocks = static_cast<std::int64_t>(call.graph.in_blocks().size()) - 1;
  const auto blocks = static_cast<std::int64_t>(call.graph.out_blocks().size()) - 1;
  const Storage vectors =
      scratch<T>((2 * blocks + in_blocks) * width);  // a sum per block for each vector, added up in order
  T* source_sums = numbers_of<T>(vectors);
  T *destination_sums = source_sums + blocks * width, *bias_sums = destination_sums + blocks * width;
  with_isa([&]<class Isa>() {
    for_blocks(call.graph.in_blocks(), work_of(call), [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
      const std::int64_t first = in.offsets[begin] * heads, count = in.offsets[end] * heads - first;
      const Storage storage = scratch<T>(2 * count);
      T* dweight = numbers_of<T>(storage) - first;
      T* weight = dweight + count;
      simd::edge_dot<Isa>(in, begin, end, heads, call.depth, g, call.x, dweight, fetch_ahead<T>(in, width));
      if (out.bias) sum_middle_chunk<Isa>(1, end - begin, width, g + begin * width, bias_sums + block * width);
      if (call.options.dropout > 0) {
        drop_rows<Isa>(in, begin, end, heads, call.options, dweight);
        simd::gat_unmark<Isa>(count, kept + first, weight + first);
        drop_rows<Isa>(in, begin, end, heads, call.options, weight);
      }
      simd::gat_self_scores<Isa>(in, begin, end, heads, static_cast<T>(call.options.slope), kept,
                                 call.options.dropout > 0 ? weight : nullptr, dweight, numbers_of<T>(pairs),
                                 numbers_of<T>(destination), out.edge);
    });
    if (!out.x && !out.source && !out.destination) return;
    for_blocks(call.graph.out_blocks(), work_of(call), [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
      const std::int64_t ahead = fetch_ahead<T>(back, width);
      const Storage storage = scratch<T>((end - begin) * heads);
      T* source = numbers_of<T>(storage) - begin * heads;
      simd::gat_self_sources<Isa>(back, begin, end, heads, numbers_of<T>(pairs), source, ahead);
      simd::gat_self_values<Isa>(back, begin, end,
                                 simd::GatSelfValues<T>{.heads = heads,
                                                        .depth = call.depth,
                                                        .x = call.x,
                                                        .source = call.source,
                                                        .destination = call.destination,
                                                        .g = g,
                                                        .pairs = numbers_of<T>(pairs),
                                                        .dsource = source,
                                                        .ddestination = numbers_of<T>(destination),
                                                        .dx = out.x,
                                                        .source_sum = source_sums + block * width,
                                                        .destination_sum = destination_sums + block * width},
                                 ahead);
    });
  });
  if (out.bias) sum_middle(1, in_blocks, width, bias_sums, out.bias);
  if (out.source) sum_middle(1, blocks, width, source_sums, out.source);
  if (out.destination) sum_middle(1, blocks, width, destination_sums, out.destination);
}

#define ATTO_INSTANTIATE(T)                                           \
  template void gat_self_forward(Cpu, const GatSelfCall<T>&, T*, T*); \
  template void gat_self_backward(Cpu, const GatSelfCall<T>&, const T*, const T*, const GatSelfGradients<T>&);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
