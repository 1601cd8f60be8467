#include "core/allocator.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "core/error.hpp"
#include "core/guards.hpp"
#include "core/regions.hpp"
#include "core/sanitizer.hpp"

namespace atto::allocator {
namespace {

// Free blocks of a bin, the last one given back first: it is the one in the processor's cache.
class List {
 public:
  bool empty() const { return first_ == nullptr; }
  void push(Header* header) {
    header->next = first_;
    first_ = header;
  }
  Header* pop() {
    Header* header = first_;
    if (header != nullptr) first_ = header->next;
    return header;
  }

 private:
  Header* first_ = nullptr;
};

// Blocks up to here have the size of their bin and keep it; larger ones are cut from regions.
constexpr std::uint32_t kSmallBins = bin_of(std::size_t{32} << 10) + 1;

struct Arena {
  std::mutex mutex;
  std::array<List, kSmallBins> free;
  Regions large;
  std::int64_t in_regions = 0;
  Statistics statistics;
  std::int64_t limit = 0;  // of statistics.reserved; 0: none
};

// Never destroyed: tensors with static lifetime may be released after main.
Arena& arena() {
  static Arena* instance = new Arena;
  return *instance;
}

// Each thread keeps some small blocks for itself, which a tape takes and gives back by the thousand: no lock is needed
// for them. Its share of the statistics is settled with the arena's now and then.
constexpr std::size_t kKeptPerBin = std::size_t{1} << 20;
constexpr std::int64_t kUnsettled = std::int64_t{256} << 10;

struct Cache {
  std::array<List, kSmallBins> free;
  std::array<std::uint32_t, kSmallBins> count{};
  std::int64_t in_use = 0;  // beyond what the arena counts
  bool watched = false;     // the end of the thread will be noticed
  bool closed = false;      // it has come
};
thread_local constinit Cache cache;

// With the arena locked.
void settle(Arena& a) {
  a.statistics.in_use += std::exchange(cache.in_use, 0);
  if (a.statistics.in_use > a.statistics.peak) a.statistics.peak = a.statistics.in_use;
}

// With the arena locked: gives it all that the thread has kept.
void hand_back(Arena& a) {
  settle(a);
  for (std::uint32_t bin = 0; bin < kSmallBins; ++bin) {
    while (Header* header = cache.free[bin].pop()) a.free[bin].push(header);
    cache.count[bin] = 0;
  }
}

// With the arena locked: gives the system all that is cached, but for what other threads keep.
void give_back(Arena& a) {
  hand_back(a);
  const auto give = [&](Header* header) {
    a.statistics.reserved -= static_cast<std::int64_t>(header->size);
    std::free(header);
  };
  for (List& list : a.free)
    while (Header* header = list.pop()) give(header);
  while (Header* region = a.large.remove_free()) {
    a.in_regions -= static_cast<std::int64_t>(region->size);
    give(region);
  }
}

// Regions of some megabytes lie on huge pages where the system has them: fewer faults, and fewer misses of the table of
// pages where a graph's rows are gathered.
void* block_of_system(std::size_t size) {
#if defined(__linux__)
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  if (size >= 2 * kHugePage) {
    void* memory = nullptr;  // aligned_alloc() need not take a size that is no multiple of the alignment
    if (::posix_memalign(&memory, kHugePage, size) != 0) return nullptr;
    ::madvise(memory, size, MADV_HUGEPAGE);
    return memory;
  }
#endif
  return std::aligned_alloc(kAlignment, size);
}

// With the arena locked: `size` bytes, or `least` where there are not so many, from the system. What is cached is given
// back where the limit or the system leaves no room; MemoryError, with what the caller asked for, where that does not
// help.
std::pair<void*, std::size_t> ask_system(Arena& a, std::size_t size, std::size_t least, std::size_t asked) {
  const auto left = [&] {
    return a.limit > 0 ? static_cast<std::size_t>(std::max<std::int64_t>(0, a.limit - a.statistics.reserved)) : size;
  };
  const char* hint = "raise the memory limit, or use smaller batches or a smaller model";
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (left() >= least) {
      if (left() < size) size = least;  // not all that is left: other sizes need room, too
      void* memory = block_of_system(size);
      if (memory == nullptr && size > least) memory = block_of_system(size = least);
      if (memory != nullptr) {
        ++a.statistics.system_calls;
        a.statistics.reserved += static_cast<std::int64_t>(size);
        return {memory, size};
      }
      hint = "use smaller batches or a smaller model";
    }
    give_back(a);
  }
  throw MemoryError({.op = "allocate",
                     .argument = "memory",
                     .got = "a request for " + std::to_string(asked) + " bytes while " +
                            std::to_string(a.statistics.in_use) + " are in use",
                     .expected = left() < least ? "at most " + std::to_string(a.limit) + " bytes together"
                                                : "memory that the system still has",
                     .hint = hint});
}

// The cache itself is trivial and outlives this object: blocks may still come back while a thread ends.
struct Closing {
  Closing() { cache.watched = true; }
  ~Closing() {
    std::lock_guard lock(arena().mutex);
    hand_back(arena());
    cache.closed = true;
  }
};
void watch() {
  static thread_local Closing closing;
}

std::atomic<int> guard_depth{0};

// With the arena locked.
Header* take_small(Arena& a, std::uint32_t bin, std::size_t asked) {
  if (Header* header = a.free[bin].pop()) return header;
  const std::size_t size = size_of_bin(bin);
  auto* header = new (ask_system(a, size, size, asked).first) Header{};
  header->size = size;
  header->bin = bin;
  return header;
}

// Regions grow with what they hold, so that a small program takes little and a large one asks seldom.
constexpr std::size_t kSmallestRegion = std::size_t{1} << 20, kLargestRegion = std::size_t{64} << 20;

// With the arena locked.
Header* take_large(Arena& a, std::size_t bytes, std::size_t asked) {
  constexpr std::size_t kStep = 1024;
  const std::size_t size = (bytes + kStep - 1) / kStep * kStep;
  Header* header = a.large.take(size);
  if (header == nullptr) {
    const std::size_t wish = std::clamp(static_cast<std::size_t>(a.in_regions), kSmallestRegion, kLargestRegion);
    const auto [memory, given] = ask_system(a, kAddressSanitizer ? size : std::max(size, wish), size, asked);
    a.large.add(memory, given);
    a.in_regions += static_cast<std::int64_t>(given);
    header = a.large.take(size);
  }
  header->bin = kSmallBins;
  return header;
}

// A block of the arena, or of the system.
[[gnu::noinline]] Header* take(std::uint32_t bin, std::size_t bytes, std::size_t asked) {
  Arena& a = arena();
  std::lock_guard lock(a.mutex);
  Header* header = bin < kSmallBins ? take_small(a, bin, asked) : take_large(a, bytes, asked);
  cache.in_use += static_cast<std::int64_t>(header->size);
  settle(a);
  return header;
}

// What needs the lock is kept out of the way of what does not.
[[gnu::noinline]] void settle_now() {
  std::lock_guard lock(arena().mutex);
  settle(arena());
}

[[gnu::noinline]] void put_back(Header* header) noexcept {
  const bool violated = header->guarded && !guards_intact(header);
  Arena& a = arena();
  std::lock_guard lock(a.mutex);
  if (violated) ++a.statistics.guard_violations;
  settle(a);
  if (header->bin < kSmallBins) a.free[header->bin].push(header);
  else a.large.put(header);
}

[[noreturn, gnu::noinline]] void refuse_size(std::size_t bytes) {
  throw ValueError(
      {.op = "allocate", .argument = "bytes", .got = std::to_string(bytes), .expected = "at most 2^62", .hint = {}});
}

}  // namespace

void* allocate(std::size_t bytes, std::size_t head) {
  const bool guarded = guard_depth.load(std::memory_order_relaxed) > 0;
  const std::size_t extra = sizeof(Header) + (guarded ? kGuard : 0);
  if (bytes > (std::size_t{1} << 62)) refuse_size(bytes);
  const std::uint32_t bin = bin_of(bytes + extra);
  Header* header = nullptr;
  if (bin < kSmallBins && !cache.free[bin].empty()) {
    header = cache.free[bin].pop();
    --cache.count[bin];
    cache.in_use += static_cast<std::int64_t>(header->size);
    if (cache.in_use > kUnsettled) settle_now();
  } else {
    header = take(bin, bytes + extra, bytes);
  }
  header->requested = bytes;
  header->guarded = guarded;
  header->head = static_cast<std::uint32_t>(head);
  if (guarded) set_guards(header);
  return header + 1;
}

void release(void* block) noexcept {
  if (block == nullptr) return;
  Header* header = static_cast<Header*>(block) - 1;
  const std::uint32_t bin = header->bin;
  const std::size_t size = header->size;
  cache.in_use -= static_cast<std::int64_t>(size);
  if (bin < kSmallBins && !header->guarded && !cache.closed && cache.in_use > -kUnsettled &&
      (cache.count[bin] + 1) * size <= kKeptPerBin) {
    if (!cache.watched) watch();
    cache.free[bin].push(header);
    ++cache.count[bin];
    return;
  }
  put_back(header);
}

Statistics statistics() {
  std::lock_guard lock(arena().mutex);
  settle(arena());
  return arena().statistics;
}

void reset_peak() {
  std::lock_guard lock(arena().mutex);
  settle(arena());
  arena().statistics.peak = arena().statistics.in_use;
}

void trim() {
  Arena& a = arena();
  std::lock_guard lock(a.mutex);
  give_back(a);
}

void set_limit(std::int64_t bytes) {
  if (bytes < 0)
    throw ValueError({.op = "set_limit",
                      .argument = "bytes",
                      .got = std::to_string(bytes),
                      .expected = "at least 1, or 0 for no limit",
                      .hint = {}});
  std::lock_guard lock(arena().mutex);
  arena().limit = bytes;
}

std::int64_t limit() {
  std::lock_guard lock(arena().mutex);
  return arena().limit;
}

GuardMode::GuardMode() {
  guard_depth.fetch_add(1);
}
GuardMode::~GuardMode() {
  guard_depth.fetch_sub(1);
}

}  // namespace atto::allocator
