#include "core/allocator.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace atto::allocator {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kGuard = 64;  // at least so many bytes behind
constexpr std::size_t kHeadGuard = 32;
constexpr unsigned char kGuardByte = 0xA5;

// Lies in front of every block, one cache line. Its last bytes are the front guard: a kernel that writes in front of
// its rows hits them first.
struct alignas(kAlignment) Header {
  std::size_t requested;  // bytes the caller asked for
  Header* next;           // while it is free
  std::uint32_t bin;
  std::uint32_t head;
  bool guarded;
  std::array<unsigned char, 39> front_guard;
};
static_assert(sizeof(Header) == kAlignment &&
              offsetof(Header, front_guard) + sizeof(Header::front_guard) == kAlignment);

// Four bins for each power of two: at most 25 % of a block is wasted.
constexpr std::uint32_t bin_of(std::size_t size) {
  const std::size_t lines = (size + kAlignment - 1) / kAlignment;
  if (lines <= 4) return static_cast<std::uint32_t>(lines);
  const int log = std::bit_width(lines - 1) - 1;  // lines in (2^log, 2^(log+1)]
  const std::size_t quarter = ((lines - 1) >> (log - 2)) & 3;
  return static_cast<std::uint32_t>(5 + (log - 2) * 4 + quarter);
}

constexpr std::size_t size_of_bin(std::uint32_t bin) {
  if (bin <= 4) return bin * kAlignment;
  const std::uint32_t log = (bin - 5) / 4 + 2;
  const std::uint32_t quarter = (bin - 5) % 4;
  return ((std::size_t{1} << log) + (std::size_t{quarter} + 1) * (std::size_t{1} << (log - 2))) * kAlignment;
}

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

struct Arena {
  std::mutex mutex;
  std::array<List, 256> free;
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
constexpr std::uint32_t kSmallBins = bin_of(std::size_t{32} << 10) + 1;
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
  for (std::uint32_t bin = 0; bin < a.free.size(); ++bin)
    while (Header* header = a.free[bin].pop()) {
      a.statistics.reserved -= static_cast<std::int64_t>(size_of_bin(bin));
      std::free(header);
    }
}

// Counts a block that will be taken from the system; MemoryError where the limit leaves no room for it.
void reserve(Arena& a, std::size_t size, std::size_t bytes) {
  std::lock_guard lock(a.mutex);
  const auto over = [&] { return a.limit > 0 && static_cast<std::int64_t>(size) > a.limit - a.statistics.reserved; };
  if (over()) give_back(a);
  if (over())
    throw MemoryError({.op = "allocate",
                       .argument = "memory",
                       .got = "a request for " + std::to_string(bytes) + " bytes while " +
                              std::to_string(a.statistics.in_use) + " are in use",
                       .expected = "at most " + std::to_string(a.limit) + " bytes together",
                       .hint = "raise the memory limit, or use smaller batches or a smaller model"});
  a.statistics.reserved += static_cast<std::int64_t>(size);
}

// From the system; once more after the cached blocks were given back.
Header* ask_system(Arena& a, std::size_t size, std::size_t bytes) {
  void* block = std::aligned_alloc(kAlignment, size);
  if (block != nullptr) return static_cast<Header*>(block);
  std::lock_guard lock(a.mutex);
  give_back(a);
  block = std::aligned_alloc(kAlignment, size);
  if (block != nullptr) return static_cast<Header*>(block);
  a.statistics.reserved -= static_cast<std::int64_t>(size);
  throw MemoryError({.op = "allocate",
                     .argument = "memory",
                     .got = "a request for " + std::to_string(bytes) + " bytes while " +
                            std::to_string(a.statistics.in_use) + " are in use",
                     .expected = "memory that the system still has",
                     .hint = "use smaller batches or a smaller model"});
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

// Behind what the caller asked for everything up to the end of the block is guarded: overruns jump.
std::size_t rear_guard(const Header* header) {
  return size_of_bin(header->bin) - sizeof(Header) - header->requested;
}

void set_guards(Header* header) {
  auto* data = reinterpret_cast<unsigned char*>(header + 1);
  header->front_guard.fill(kGuardByte);
  std::memset(data, 0xFF, header->requested);
  if (header->head > 0) std::memset(data + header->head - kHeadGuard, kGuardByte, kHeadGuard);
  std::memset(data + header->requested, kGuardByte, rear_guard(header));
}

bool guards_intact(const Header* header) {
  const auto* data = reinterpret_cast<const unsigned char*>(header + 1);
  const auto* rear = data + header->requested;
  const auto is_guard = [](unsigned char byte) { return byte == kGuardByte; };
  if (header->head > 0 && !std::all_of(data + header->head - kHeadGuard, data + header->head, is_guard)) return false;
  return std::all_of(header->front_guard.begin(), header->front_guard.end(), is_guard) &&
         std::all_of(rear, rear + rear_guard(header), is_guard);
}

// Batches differ in size from step to step, so a block that is free is often a little larger than what is asked for. It
// serves all the same: up to twice the size, or every size that ever occurred would be kept beside the others.
constexpr std::uint32_t kLargerBins = 4;

// A block of the arena, or of the system. Its header knows its bin, which may be larger than the one asked for.
Header* take(std::uint32_t bin, std::size_t bytes) {
  Arena& a = arena();
  {
    std::lock_guard lock(a.mutex);
    const std::uint32_t last = bin < kSmallBins ? bin : bin + kLargerBins;
    for (std::uint32_t candidate = bin; candidate <= last && candidate < a.free.size(); ++candidate)
      if (Header* header = a.free[candidate].pop()) {
        cache.in_use += static_cast<std::int64_t>(size_of_bin(candidate));
        settle(a);
        return header;
      }
  }
  const std::size_t size = size_of_bin(bin);
  reserve(a, size, bytes);
  Header* header = ask_system(a, size, bytes);
  header->bin = bin;
  std::lock_guard lock(a.mutex);
  ++a.statistics.system_calls;
  cache.in_use += static_cast<std::int64_t>(size);
  settle(a);
  return header;
}

}  // namespace

void* allocate(std::size_t bytes, std::size_t head) {
  const bool guarded = guard_depth.load(std::memory_order_relaxed) > 0;
  const std::size_t extra = sizeof(Header) + (guarded ? kGuard : 0);
  if (bytes > (std::size_t{1} << 62))
    throw ValueError(
        {.op = "allocate", .argument = "bytes", .got = std::to_string(bytes), .expected = "at most 2^62", .hint = {}});
  const std::uint32_t bin = bin_of(bytes + extra);
  Header* header = nullptr;
  if (bin < kSmallBins && !cache.free[bin].empty()) {
    header = cache.free[bin].pop();
    --cache.count[bin];
    cache.in_use += static_cast<std::int64_t>(size_of_bin(bin));
    if (cache.in_use > kUnsettled) {
      std::lock_guard lock(arena().mutex);
      settle(arena());
    }
  } else {
    header = take(bin, bytes);
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
  const std::size_t size = size_of_bin(bin);
  cache.in_use -= static_cast<std::int64_t>(size);
  if (bin < kSmallBins && !header->guarded && !cache.closed && cache.in_use > -kUnsettled &&
      cache.count[bin] < kKeptPerBin / size) {
    if (!cache.watched) watch();
    cache.free[bin].push(header);
    ++cache.count[bin];
    return;
  }
  const bool violated = header->guarded && !guards_intact(header);
  Arena& a = arena();
  std::lock_guard lock(a.mutex);
  if (violated) ++a.statistics.guard_violations;
  settle(a);
  a.free[bin].push(header);
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
