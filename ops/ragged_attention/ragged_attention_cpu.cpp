#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "core/storage.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"

namespace atto::kernels {
namespace {

// Multiply-adds below which a piece or a chunk is not worth handing out (some ten microseconds).
constexpr std::int64_t kSmallest = 1 << 18;
// Multiply-adds that a core does in the time of one elementary operation as core/parallel.hpp counts them.
constexpr std::int64_t kPerOperation = 16;
// Bytes of a graph's rows that may be fetched into the second-level cache while the graph before it is at work.
constexpr std::int64_t kFetchable = 1 << 18;

// The call cut into pieces, largest first, and those into chunks for one thread each. Depends on the shapes alone.
struct Plan {
  std::vector<RaggedAttentionPiece> pieces;
  std::vector<std::int64_t> chunks{0};  // borders in pieces
  std::int64_t work = 0;                // per chunk, as parallel.hpp counts

  std::int64_t size() const { return static_cast<std::int64_t>(chunks.size()) - 1; }
};

// A head of a graph with more than 1 / shares of the whole work is cut by query rows.
template <class T>
Plan make_plan(const RaggedAttentionCall<T>& call, std::int64_t shares) {
  const std::int64_t group = call.heads / std::max<std::int64_t>(1, call.kv_heads);
  const auto size = [](const std::int64_t* offsets, std::int64_t g) { return offsets[g + 1] - offsets[g]; };
  // Of the first `rows` rows. The constants stand for exp and for moving rows.
  const auto cost = [&](std::int64_t g, std::int64_t rows) {
    const std::int64_t keys = size(call.key_offsets, g);
    std::int64_t pairs = rows * keys;
    if (call.causal) {  // row i sees i + 1 + keys - all, if that is above 0
      const std::int64_t blind = std::max<std::int64_t>(0, size(call.query_offsets, g) - keys);
      const std::int64_t seeing = std::max<std::int64_t>(0, rows - blind);
      pairs = seeing * std::max<std::int64_t>(0, keys - size(call.query_offsets, g)) + seeing * (seeing + 1) / 2;
    }
    return group * pairs * (call.width + call.value_width + 16) + (rows + keys) * 64;
  };
  std::vector<std::int64_t> order(static_cast<std::size_t>(call.graphs));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return cost(a, size(call.query_offsets, a)) > cost(b, size(call.query_offsets, b));
  });
  std::int64_t total = 0;
  for (std::int64_t g = 0; g < call.graphs; ++g) total += call.kv_heads * cost(g, size(call.query_offsets, g));

  Plan plan;
  const std::int64_t limit = std::max(4 * kSmallest, total / shares);
  const std::int64_t chunk_limit = std::max(kSmallest, total / 64);
  std::int64_t in_chunk = 0;
  for (const std::int64_t g : order) {
    const std::int64_t rows = size(call.query_offsets, g);
    const std::int64_t cuts = std::max<std::int64_t>(1, cost(g, rows) / limit);
    // Pieces of about the same cost.
    const auto end_of = [&](std::int64_t row) {
      const std::int64_t goal = cost(g, row) + (cost(g, rows) + cuts - 1) / cuts;
      std::int64_t end = std::min(rows, row + kRowCut);
      while (end < rows && cost(g, end) < goal) end += kRowCut;
      return std::min(rows, end);
    };
    for (std::int64_t kv_head = 0; kv_head < call.kv_heads; ++kv_head) {
      // A graph without queries still owns the gradients of its keys.
      for (std::int64_t row = 0, end = 0; row < rows || row == 0; row = end) {
        end = end_of(row);
        plan.pieces.push_back({.graph = g, .kv_head = kv_head, .row_begin = row, .row_end = end});
        in_chunk += cost(g, end) - cost(g, row);
        if (end == 0) ++end;  // no rows at all
        if (in_chunk < chunk_limit) continue;
        plan.chunks.push_back(static_cast<std::int64_t>(plan.pieces.size()));
        in_chunk = 0;
      }
    }
  }
  if (plan.chunks.back() < static_cast<std::int64_t>(plan.pieces.size()))
    plan.chunks.push_back(static_cast<std::int64_t>(plan.pieces.size()));
  const auto bytes = [&](std::int64_t g) {
    return (size(call.query_offsets, g) + size(call.key_offsets, g)) * call.heads * (call.width + call.value_width) *
           static_cast<std::int64_t>(sizeof(T));
  };
  for (std::size_t p = plan.pieces.size(), next = p; p-- > 0;) {
    RaggedAttentionPiece& piece = plan.pieces[p];
    if (next < plan.pieces.size() && bytes(plan.pieces[next].graph) <= kFetchable)
      piece.next_graph = plan.pieces[next].graph;
    if (p > 0 && plan.pieces[p - 1].graph != piece.graph) next = p;
  }
  plan.work = total / kPerOperation / std::max<std::int64_t>(1, plan.size());
  return plan;
}

template <class T>
T* memory(Storage& storage, std::int64_t count) {
  storage = Storage(static_cast<std::size_t>(count) * sizeof(T), Device{});
  return reinterpret_cast<T*>(storage.data());
}

// Scratch for any piece of a chunk, whose largest comes first.
template <class T>
std::int64_t most_keys(const RaggedAttentionCall<T>& call, const Plan& plan, std::int64_t begin, std::int64_t end) {
  std::int64_t most = 0;
  for (std::int64_t p = begin; p < end; ++p) {
    const std::int64_t g = plan.pieces[static_cast<std::size_t>(p)].graph;
    most = std::max(most, call.key_offsets[g + 1] - call.key_offsets[g]);
  }
  return most;
}

// Calls f(chunk, first piece, one past the last piece) for every chunk.
template <class F>
void for_each_chunk(const Plan& plan, F&& f) {
  parallel_chunks(plan.size(), 1, plan.work, [&](std::int64_t chunk, std::int64_t, std::int64_t) {
    f(chunk, plan.chunks[static_cast<std::size_t>(chunk)], plan.chunks[static_cast<std::size_t>(chunk) + 1]);
  });
}

// Histograms [heads, slots] of every chunk, added up in order, become a table [heads, size]; see
// RaggedAttentionPartial.
template <class T>
void sum_histograms(std::int64_t heads, std::int64_t size, std::int64_t slots, std::int64_t chunks, const T* from,
                    T* to) {
  parallel_for(heads, slots * chunks, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t h = begin; h < end; ++h) {
      double sum[257] = {};
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk)
        for (std::int64_t b = 0; b < slots; ++b) sum[b] += static_cast<double>(from[(chunk * heads + h) * slots + b]);
      for (std::int64_t b = 0; b < size; ++b) to[h * size + b] = b < slots - 1 ? static_cast<T>(sum[b]) : T{0};
      if (size == 256) to[h * size + 255] = static_cast<T>(sum[slots - 1]);
    }
  });
}

}  // namespace

template <class T>
void ragged_attention_forward(Cpu, const RaggedAttentionCall<T>& call) {
  const Plan plan = make_plan(call, 64);
  with_isa([&]<class Isa>() {
    for_each_chunk(plan, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      Storage storage;
      T* scratch = memory<T>(storage, forward_scratch(most_keys(call, plan, begin, end), call.width, call.value_width));
      for (std::int64_t p = begin; p < end; ++p)
        ragged_attention_forward_piece<Isa>(call, plan.pieces[static_cast<std::size_t>(p)], scratch);
    });
  });
}

template <class T>
void ragged_attention_backward(Cpu, const RaggedAttentionCall<T>& call, const RaggedAttentionGradients<T>& gradients) {
  const Plan plan = make_plan(call, 16);

  // Histograms: one per chunk, added up in order.
  const std::int64_t slots =
      call.largest && call.graphs > 0 ? *std::max_element(call.largest, call.largest + call.graphs) + 2 : 1;
  const std::int64_t table = call.heads * slots;
  Storage histogram_storage[3];
  T* const tables[3] = {gradients.multiply, gradients.add, gradients.gate};
  T* histograms[3] = {};
  for (int t = 0; t < 3; ++t) {
    if (tables[t] == nullptr) continue;
    histograms[t] = memory<T>(histogram_storage[t], plan.size() * table);
    std::fill_n(histograms[t], plan.size() * table, T{0});
  }

  // A head that is cut by rows gets memory of its own for the gradients of keys and values of every piece.
  const auto keys_of = [&](const RaggedAttentionPiece& piece) {
    return call.key_offsets[piece.graph + 1] - call.key_offsets[piece.graph];
  };
  const auto is_cut = [&](const RaggedAttentionPiece& piece) {
    return piece.row_begin > 0 || piece.row_end < call.query_offsets[piece.graph + 1] - call.query_offsets[piece.graph];
  };
  const std::int64_t both = call.width + call.value_width;
  std::vector<std::int64_t> place(plan.pieces.size(), -1);
  std::int64_t extra = 0;
  for (std::size_t p = 0; p < plan.pieces.size(); ++p) {
    if (!is_cut(plan.pieces[p])) continue;
    place[p] = extra;
    extra += keys_of(plan.pieces[p]) * both;
  }
  Storage partial_storage;
  T* partials = memory<T>(partial_storage, extra);

  with_isa([&]<class Isa>() {
    for_each_chunk(plan, [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
      Storage storage;
      T* scratch =
          memory<T>(storage, backward_scratch(most_keys(call, plan, begin, end), call.width, call.value_width));
      for (std::int64_t p = begin; p < end; ++p) {
        const RaggedAttentionPiece& piece = plan.pieces[static_cast<std::size_t>(p)];
        const std::int64_t row = call.key_offsets[piece.graph] * call.kv_heads + piece.kv_head;
        RaggedAttentionPartial<T> partial;
        if (const std::int64_t own = place[static_cast<std::size_t>(p)]; own >= 0) {
          partial = {.k = partials + own,
                     .k_stride = call.width,
                     .v = partials + own + keys_of(piece) * call.width,
                     .v_stride = call.value_width};
        } else {
          partial = {.k = gradients.k ? gradients.k + row * call.width : nullptr,
                     .k_stride = call.kv_heads * call.width,
                     .v = gradients.v ? gradients.v + row * call.value_width : nullptr,
                     .v_stride = call.kv_heads * call.value_width};
        }
        const auto histogram = [&](int t) { return histograms[t] ? histograms[t] + chunk * table : nullptr; };
        partial.slots = slots;
        partial.multiply = histogram(0);
        partial.add = histogram(1);
        partial.gate = histogram(2);
        ragged_attention_backward_piece<Isa>(call, gradients, piece, partial, scratch);
      }
    });
  });

  // The pieces of one head follow each other, in order of rows.
  std::vector<std::size_t> first;
  for (std::size_t p = 0; p < plan.pieces.size(); ++p)
    if (place[p] >= 0 && plan.pieces[p].row_begin == 0) first.push_back(p);
  const auto add_up = [&](std::size_t p, T* gradient, std::int64_t width, std::int64_t within) {
    if (gradient == nullptr) return;
    const RaggedAttentionPiece& head = plan.pieces[p];
    T* to = gradient + (call.key_offsets[head.graph] * call.kv_heads + head.kv_head) * width;
    for (std::size_t q = p; q < plan.pieces.size() && place[q] >= 0 && (q == p || plan.pieces[q].row_begin > 0); ++q) {
      const T* from = partials + place[q] + within * keys_of(head);
      for (std::int64_t j = 0; j < keys_of(head); ++j)
        for (std::int64_t d = 0; d < width; ++d) {
          T& sum = to[j * call.kv_heads * width + d];
          sum = q == p ? from[j * width + d] : sum + from[j * width + d];
        }
    }
  };
  parallel_chunks(static_cast<std::int64_t>(first.size()), 1,
                  extra / std::max<std::int64_t>(1, static_cast<std::int64_t>(first.size())),
                  [&](std::int64_t index, std::int64_t, std::int64_t) {
                    const std::size_t p = first[static_cast<std::size_t>(index)];
                    add_up(p, gradients.k, call.width, 0);
                    add_up(p, gradients.v, call.value_width, call.width);
                  });
  for (int t = 0; t < 3; ++t)
    if (tables[t] != nullptr) sum_histograms(call.heads, call.table_size, slots, plan.size(), histograms[t], tables[t]);
}

template void ragged_attention_forward(Cpu, const RaggedAttentionCall<float>&);
template void ragged_attention_forward(Cpu, const RaggedAttentionCall<double>&);
template void ragged_attention_backward(Cpu, const RaggedAttentionCall<float>&, const RaggedAttentionGradients<float>&);
template void ragged_attention_backward(Cpu, const RaggedAttentionCall<double>&,
                                        const RaggedAttentionGradients<double>&);

}  // namespace atto::kernels
