#include "core/parallel.hpp"

#include <omp.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <string>

#include "core/error.hpp"

namespace atto {
namespace {

std::atomic<int>& thread_count() {
  static std::atomic<int> count{omp_get_max_threads()};
  return count;
}

}  // namespace

int threads() { return thread_count().load(std::memory_order_relaxed); }

void set_threads(int count) {
  if (count < 1)
    throw ValueError({.op = "set_threads", .argument = "count", .got = std::to_string(count), .expected = "at least 1", .hint = {}});
  thread_count().store(count, std::memory_order_relaxed);
}

void detail::run_chunks(std::int64_t chunks, bool use_threads, void* context, ChunkBody body) {
  const int team = static_cast<int>(std::min<std::int64_t>(threads(), chunks));
  if (!use_threads || team <= 1 || omp_in_parallel()) {
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) body(context, chunk);
    return;
  }
  std::exception_ptr failure;
  std::atomic<bool> failed{false};
  std::mutex mutex;
#pragma omp parallel for schedule(dynamic, 1) num_threads(team)
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    if (failed.load(std::memory_order_relaxed)) continue;
    try {
      body(context, chunk);
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      failed.store(true, std::memory_order_relaxed);
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace atto
