#include "core/parallel.hpp"

#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

#include "core/error.hpp"

namespace atto {
namespace {

int processors() {
  if (const char* wish = std::getenv("OMP_NUM_THREADS")) {
    int count = 0;
    std::from_chars(wish, wish + std::strlen(wish), count);
    if (count > 0) return count;
  }
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

std::atomic<int>& thread_count() {
  static std::atomic<int> count{processors()};
  return count;
}

// One loop. Its chunks are cut into one run for each thread, which begins with its own and then helps with those of
// the others. So loops over the same rows, one after the other, find them in the cache of the core that wrote them.
struct Job {
  Job(std::int64_t chunk_count, int members, void* of_body, detail::ChunkBody chunk_body)
      : chunks(chunk_count), runs(std::min(members, kMostRuns)), context(of_body), body(chunk_body) {
    for (int r = 0; r < runs; ++r) next[r].chunk.store(first(r), std::memory_order_relaxed);
  }

  void work(int member) noexcept {
    for (int r = 0; r < runs; ++r) {
      const int run = (member + r) % runs;
      const std::int64_t end = first(run + 1);
      for (std::int64_t chunk; !failed.load(std::memory_order_relaxed) &&
                               (chunk = next[run].chunk.fetch_add(1, std::memory_order_relaxed)) < end;)
        try {
          body(context, chunk);
        } catch (...) {
          if (!failed.exchange(true)) failure = std::current_exception();  // read when all have stopped
        }
    }
  }

  /// A thread of a team that has been larger may have none of its own.
  bool has_run(int member) const { return member < runs; }

  std::atomic<int> helpers{0};  // that are at work on it
  std::exception_ptr failure{};

 private:
  static constexpr int kMostRuns = 16;
  struct alignas(64) Next {  // a cache line each
    std::atomic<std::int64_t> chunk;
  };
  // Rounded up: the caller, whose run is the first, is the first to begin.
  std::int64_t first(int run) const { return (chunks * run + runs - 1) / runs; }

  std::int64_t chunks;
  int runs;
  void* context;
  detail::ChunkBody body;
  std::atomic<bool> failed{false};
  std::array<Next, kMostRuns> next;
};

thread_local bool inside = false;  // a loop inside a loop runs on its own thread

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Threads that help whoever runs a loop. The caller never waits for a helper that has not begun: where another program
// holds the processor, a barrier of OpenMP lasts until the scheduler's next turn, some milliseconds for a loop of some
// microseconds.
class Team {
 public:
  void run(Job& job, int helpers) {
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      places_ = helpers;
      try {
        for (; started_ < helpers; ++started_) std::thread([this, member = started_ + 1] { serve(member); }).detach();
      } catch (const std::system_error&) {
        // No further thread is to be had: those that exist do the work.
      }
    }
    posted_.fetch_add(1, std::memory_order_release);
    posted_.notify_all();
    inside = true;
    job.work(0);
    inside = false;
    {
      const std::lock_guard lock(mutex_);
      job_ = nullptr;
    }
    for (int spins = 0; job.helpers.load(std::memory_order_acquire) != 0; ++spins)
      spins < kSpins ? pause() : std::this_thread::yield();
  }

  // One loop at a time; further callers do their own work alone.
  std::atomic_flag busy = ATOMIC_FLAG_INIT;

 private:
  static constexpr int kSpins = 10000;  // some 100 microseconds: the next loop of a training step is seldom farther

  void serve(int member) {
    inside = true;
    for (std::uint32_t seen = 0;;) {
      for (int spins = 0; spins < kSpins && posted_.load(std::memory_order_relaxed) == seen; ++spins) pause();
      posted_.wait(seen);
      seen = posted_.load(std::memory_order_acquire);
      Job* job = nullptr;
      int run = 0;
      {
        const std::lock_guard lock(mutex_);
        if (job_ == nullptr || places_ == 0) continue;
        job = job_;
        run = job->has_run(member) ? member : places_;
        --places_;
        job->helpers.fetch_add(1, std::memory_order_relaxed);
      }
      job->work(run);
      job->helpers.fetch_sub(1, std::memory_order_release);
    }
  }

  std::mutex mutex_;
  Job* job_ = nullptr;  // open to helpers
  int places_ = 0;
  int started_ = 0;
  std::atomic<std::uint32_t> posted_{0};
};

// Never destroyed, because its threads outlive main.
Team& team() {
  static Team* instance = new Team;
  return *instance;
}

}  // namespace

int threads() {
  return thread_count().load(std::memory_order_relaxed);
}

void set_threads(int count) {
  if (count < 1)
    throw ValueError(
        {.op = "set_threads", .argument = "count", .got = std::to_string(count), .expected = "at least 1", .hint = {}});
  thread_count().store(count, std::memory_order_relaxed);
}

void detail::run_chunks(std::int64_t chunks, bool use_threads, void* context, ChunkBody body) {
  const int members = static_cast<int>(std::min<std::int64_t>(threads(), chunks));
  if (!use_threads || members <= 1 || inside || team().busy.test_and_set(std::memory_order_acquire)) {
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) body(context, chunk);
    return;
  }
  Job job(chunks, members, context, body);
  team().run(job, members - 1);
  team().busy.clear(std::memory_order_release);
  if (job.failure) std::rethrow_exception(job.failure);
}

}  // namespace atto
