#pragma once
// The one policy for using several threads. Work is cut into chunks whose borders depend on the size of the work and
// never on the number of threads; each chunk is done by one thread. So the bits of a result do not depend on the number
// of threads, as long as no two chunks write the same place.

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace atto {

/// Threads that parallel loops may use; default: the processors this process may run on (or OMP_NUM_THREADS).
int threads();
/// Sets the number of threads for the process, at least 1 (ValueError otherwise).
void set_threads(int count);

namespace detail {
using ChunkBody = void (*)(void* context, std::int64_t chunk);
// Runs body(context, chunk) for every chunk; the first exception is rethrown when all threads have stopped.
void run_chunks(std::int64_t chunks, bool use_threads, void* context, ChunkBody body);
}  // namespace detail

/// Work below this many elementary operations (some microseconds) stays on the calling thread.
inline constexpr std::int64_t kSerialWork = 1 << 14;
/// Elementary operations that a chunk should hold, so that handing it out costs little beside doing it.
inline constexpr std::int64_t kChunkWork = 1 << 13;

/// Cuts 0..n into chunks of `chunk` items (the last may be shorter) and calls f(index, begin, end) for each, in
/// parallel when n * work_per_item is worth it. For partial results that are combined in order of `index` afterwards.
template <class F>
void parallel_chunks(std::int64_t n, std::int64_t chunk, std::int64_t work_per_item, F&& f) {
  if (n <= 0) return;
  if (n <= chunk) return f(0, 0, n);
  const std::int64_t chunks = (n + chunk - 1) / chunk;
  // A copy, so that only loops worth cutting need `f` in memory: a small one is inlined to its kernel's call.
  auto body = [f, n, chunk](std::int64_t index) mutable { f(index, index * chunk, std::min(n, (index + 1) * chunk)); };
  const bool use_threads = n > kSerialWork / std::max<std::int64_t>(1, work_per_item);
  detail::run_chunks(chunks, use_threads, &body,
                     [](void* context, std::int64_t index) { (*static_cast<decltype(body)*>(context))(index); });
}

/// Calls f(begin, end) for ranges that cover 0..n. `work_per_item` counts elementary operations (a multiply-add, a byte
/// moved) and decides the size of the ranges; ranges of more than 64 items begin at multiples of 64, for vectors' sake.
template <class F>
void parallel_for(std::int64_t n, std::int64_t work_per_item, F&& f) {
  std::int64_t chunk = std::max<std::int64_t>(1, kChunkWork / std::max<std::int64_t>(1, work_per_item));
  if (chunk > 64) chunk = (chunk + 63) / 64 * 64;
  parallel_chunks(n, chunk, work_per_item,
                  [f](std::int64_t, std::int64_t begin, std::int64_t end) mutable { f(begin, end); });
}

}  // namespace atto
