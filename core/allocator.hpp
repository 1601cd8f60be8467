#pragma once
// A caching arena: memory that tensors give back is kept for the next tensor of about the same size, because a fresh
// page costs microseconds and a reused one nothing.

#include <cstddef>
#include <cstdint>

namespace atto::allocator {

/// All sizes in bytes; exact up to 256 KB for each other thread that computes at the time.
struct Statistics {
  std::int64_t in_use = 0;            ///< held by live tensors
  std::int64_t peak = 0;              ///< largest in_use since the start or the last reset_peak()
  std::int64_t reserved = 0;          ///< taken from the system: in_use plus what is cached
  std::int64_t system_calls = 0;      ///< how often the system was asked for memory
  std::int64_t guard_violations = 0;  ///< blocks whose guard bytes were found overwritten (guard mode only)
};

/// 64-byte aligned memory of at least `bytes`; thread-safe. MemoryError with the size when the system has none or the
/// limit is reached, after what was cached has been given back. A caller that keeps data of its own in front (a
/// reference count) names its size as `head`, a multiple of 64 that leaves its last 32 bytes unused: guard mode guards
/// what follows there.
void* allocate(std::size_t bytes, std::size_t head = 0);
/// Returns a block of `allocate` to the arena.
void release(void* block) noexcept;

/// Refuses, from now on, to take more than `bytes` from the system for tensors (`Statistics::reserved`); 0 means no
/// limit. What is in use already stays, even if it is more.
void set_limit(std::int64_t bytes);
std::int64_t limit();

Statistics statistics();
void reset_peak();
/// Gives all cached blocks back to the system, but for small ones that other threads keep.
void trim();

/// While an object lives, new blocks carry guard bytes on both sides (behind, up to the end of the block) that are
/// checked on release, and start filled with 0xFF (a NaN), so that a kernel that writes outside its rows or reads what
/// nobody wrote is found. For tests.
class GuardMode {
 public:
  GuardMode();
  ~GuardMode();
  GuardMode(const GuardMode&) = delete;
  GuardMode& operator=(const GuardMode&) = delete;
};

}  // namespace atto::allocator
