// A block of rows at a time. Where heads fill registers a row is walked once from its dot products to its sum; other
// shapes take the loops of the edge algebra, whose numbers are still in the cache from one to the next.

#include <algorithm>
#include <vector>

#include "core/simd.hpp"
#include "core/storage.hpp"
#include "core/sum.hpp"
#include "ops/csr_views.hpp"
#include "ops/edge_attention/edge_attention.hpp"
#include "ops/edge_attention/simd.hpp"
#include "ops/gat/simd.hpp"

namespace atto::kernels {
namespace {

// Tables of sums are added up from so many parts at most.
constexpr std::int64_t kParts = 64;

template <class T>
Storage scratch(std::int64_t numbers) {
  return Storage(static_cast<std::size_t>(numbers) * sizeof(T), Device{});
}
template <class T>
T* numbers_of(const Storage& storage) {
  return reinterpret_cast<T*>(storage.data());
}

template <class T>
std::int64_t work_of(const EdgeAttentionCall<T>& call) {
  return (call.graph.num_edges() + call.graph.num_dst()) * call.heads * (2 * call.depth + 16);
}

template <class T>
void transpose(std::int64_t rows, std::int64_t columns, const T* from, T* to) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
}

// The call as the loops see it, with the tables turned, and the memory for one block.
template <class T>
class Blocks {
 public:
  explicit Blocks(const EdgeAttentionCall<T>& call)
      : call_(call), csr_(by_destination(call.graph)), tables_(scratch<T>(2 * call.heads * call.buckets)) {
    T *multiply = numbers_of<T>(tables_), *add = multiply + call.heads * call.buckets;
    if (call.multiply) transpose(call.heads, call.buckets, call.multiply, multiply);
    if (call.add) transpose(call.heads, call.buckets, call.add, add);
    rows_ = {.heads = call.heads,
             .depth = call.depth,
             .scale = static_cast<T>(call.scale),
             .clip = static_cast<T>(call.clip),
             .q = call.q,
             .k = call.k,
             .v = call.v,
             .multiply = call.multiply ? multiply : nullptr,
             .add = call.add ? add : nullptr,
             .bias = call.bias,
             .bucket = call.bucket,
             .row = call.graph.edge_dst().data()};
  }

  const Csr& csr() const { return csr_; }

  /// Calls f(rows, scratch, totals) for the rows begin <= r < end.
  template <class Isa, class F>
  void with_rows(std::int64_t begin, std::int64_t end, F&& f) const {
    const std::int64_t first = csr_.offsets[begin] * call_.heads, count = csr_.offsets[end] * call_.heads - first;
    const bool drops = call_.dropout > 0;
    const std::int64_t owned = (end - begin) * call_.heads;
    const Storage storage = scratch<T>((simd::kEdgeAttentionScratch + drops) * count + 2 * owned);
    T* totals = numbers_of<T>(storage);
    T *numbers = totals + owned, *keep = numbers + simd::kEdgeAttentionScratch * count + owned;
    simd::EdgeAttentionRows<T> rows = rows_;
    if (drops) {
      const auto threshold = static_cast<std::uint32_t>(std::min(call_.dropout * 4294967296.0, 4294967295.0));
      std::fill_n(keep, count, T{1});
      rows.keep = keep - first;
      simd::drop<Isa>(call_.random.seed, call_.random.stream, threshold, static_cast<T>(1 / (1 - call_.dropout)), first,
                      first + count, keep - first);
    }
    f(rows, numbers, totals);
  }

 private:
  const EdgeAttentionCall<T>& call_;
  Csr csr_;
  Storage tables_;
  simd::EdgeAttentionRows<T> rows_;
};

}  // namespace

template <class T>
void edge_attention_forward(Cpu, const EdgeAttentionCall<T>& call, T* y, T* lse) {
  const std::int64_t width = call.heads * call.depth;
  if (width == 0) return;
  const Blocks<T> blocks(call);
  with_isa([&]<class Isa>() {
    for_blocks(call.graph.in_blocks(), work_of(call), [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      blocks.template with_rows<Isa>(begin, end, [&](const auto& rows, T* numbers, T* totals) {
        simd::edge_attention_forward<Isa>(blocks.csr(), begin, end, rows, numbers, totals, y, lse,
                                          fetch_ahead<T>(blocks.csr(), width));
      });
    });
  });
}

// By destination the gradient of every logit, by source what arrives at keys and values: one owner per row each. Sums
// for the tables are kept by runs of blocks and added up in order.
template <class T>
void edge_attention_backward(Cpu, const EdgeAttentionCall<T>& call, const T* lse, const T* g,
                             const EdgeAttentionGradients<T>& out) {
  const Csr back = by_source(call.graph);
  const std::int64_t heads = call.heads, width = heads * call.depth, table = heads * call.buckets;
  if (width == 0) {  // nothing carries a gradient
    if (out.multiply) std::fill_n(out.multiply, table, T{0});
    if (out.add) std::fill_n(out.add, table, T{0});
    if (out.bias) std::fill_n(out.bias, back.entries * heads, T{0});
    return;
  }
  const Blocks<T> rows_of(call);
  const std::span<const std::int32_t> borders = call.graph.in_blocks();
  const auto blocks = static_cast<std::int64_t>(borders.size()) - 1;
  const std::int64_t per_part = std::max<std::int64_t>(1, (blocks + kParts - 1) / kParts),
                     parts = (blocks + per_part - 1) / per_part;
  const bool sums = out.multiply || out.add;
  std::vector<T> tables(sums ? static_cast<std::size_t>(2 * parts * table) : 0, T{0});
  T *multiply_parts = tables.data(), *add_parts = sums ? multiply_parts + parts * table : nullptr;
  const Storage pairs = scratch<T>(2 * back.entries * heads);
  with_isa([&]<class Isa>() {
    const std::int64_t run = sums ? per_part : 1, ahead = fetch_ahead<T>(rows_of.csr(), width);
    parallel_chunks(
        blocks, run, 2 * work_of(call) / std::max<std::int64_t>(1, blocks),
        [&](std::int64_t part, std::int64_t first, std::int64_t last) {
          const simd::EdgeAttentionSent<T> sent{.pairs = numbers_of<T>(pairs),
                                                .dq = out.q,
                                                .dmultiply = out.multiply ? multiply_parts + part * table : nullptr,
                                                .dadd = out.add ? add_parts + part * table : nullptr,
                                                .dbias = out.bias};
          for (std::int64_t b = first; b < last; ++b) {
            const std::int64_t begin = borders[static_cast<std::size_t>(b)],
                               end = borders[static_cast<std::size_t>(b) + 1];
            rows_of.template with_rows<Isa>(begin, end, [&](const auto& rows, T* numbers, T*) {
              simd::edge_attention_scores<Isa>(rows_of.csr(), begin, end, rows, lse, g, numbers, sent, ahead);
            });
          }
        });
    if (!out.k && !out.v) return;
    for_blocks(call.graph.out_blocks(), work_of(call), [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      simd::edge_attention_sources<Isa>(back, begin, end, heads, call.depth, numbers_of<T>(pairs), call.q, g, out.k,
                                        out.v, fetch_ahead<T>(back, width));
    });
  });
  std::vector<T> sum(sums ? static_cast<std::size_t>(table) : 0);
  const auto add_up = [&](const T* from, T* to) {
    if (!to) return;
    sum_middle(1, parts, table, from, sum.data());
    transpose(call.buckets, heads, sum.data(), to);
  };
  add_up(multiply_parts, out.multiply);
  add_up(add_parts, out.add);
}

#define ATTO_INSTANTIATE(T)                                                                   \
  template void edge_attention_forward(Cpu, const EdgeAttentionCall<T>&, T*, T*);             \
  template void edge_attention_backward(Cpu, const EdgeAttentionCall<T>&, const T*, const T*, \
                                        const EdgeAttentionGradients<T>&);
ATTO_INSTANTIATE(float)
ATTO_INSTANTIATE(double)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
