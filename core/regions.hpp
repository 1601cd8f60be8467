#pragma once
// Large blocks of the arena. They are cut from regions of memory and joined with their neighbours when they come back,
// because batches differ a little in size from step to step: blocks that kept their size would pile up.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace atto::allocator {

inline constexpr std::size_t kAlignment = 64;

/// Lies in front of every block, one cache line. Its last bytes are the front guard: a kernel that writes in front of
/// its rows hits them first.
struct alignas(kAlignment) Header {
  std::size_t size;       // of the block, this header included
  std::size_t requested;  // bytes the caller asked for
  Header* next;           // in a list, while it is free
  Header* previous;       // the same, of large blocks
  Header* before;         // the large block in front, in the same region
  std::uint32_t bin;
  std::uint32_t head;
  bool guarded;
  bool free;  // of large blocks
  bool last;  // in its region
  std::array<unsigned char, 13> front_guard;
};
static_assert(sizeof(Header) == kAlignment &&
              offsetof(Header, front_guard) + sizeof(Header::front_guard) == kAlignment);

/// Four bins for each power of two: at most 25 % of a block of a bin's size is wasted.
constexpr std::uint32_t bin_of(std::size_t size) {
  const std::size_t lines = (size + kAlignment - 1) / kAlignment;
  if (lines <= 4) return static_cast<std::uint32_t>(lines);
  const int log = std::bit_width(lines - 1) - 1;  // lines in (2^log, 2^(log+1)]
  const std::size_t quarter = ((lines - 1) >> (log - 2)) & 3;
  return static_cast<std::uint32_t>(5 + (log - 2) * 4 + static_cast<int>(quarter));
}
constexpr std::size_t size_of_bin(std::uint32_t bin) {
  if (bin <= 4) return bin * kAlignment;
  const std::uint32_t log = (bin - 5) / 4 + 2;
  const std::uint32_t quarter = (bin - 5) % 4;
  return ((std::size_t{1} << log) + (std::size_t{quarter} + 1) * (std::size_t{1} << (log - 2))) * kAlignment;
}
inline constexpr std::size_t kBins = 256;

/// The caller locks. Blocks are searched for in lists by size, the smallest that fits first; among equals the one that
/// came back last, which may still be in the processor's cache.
class Regions {
 public:
  /// A block of at least `size` bytes, or null when none was found.
  Header* take(std::size_t size);
  void put(Header* block);
  /// Adds memory of the system's; it is one free block now.
  void add(void* memory, std::size_t size);
  /// A region that is wholly free, no longer part of this; null when there is none.
  Header* remove_free();

 private:
  void link(Header* block);
  void unlink(Header* block);

  std::array<Header*, kBins> free_{};
};

}  // namespace atto::allocator
