#include "core/guards.hpp"

#include <algorithm>
#include <cstring>

namespace atto::allocator {
namespace {

constexpr std::size_t kHeadGuard = 32;
constexpr unsigned char kGuardByte = 0xA5;

// Behind what the caller asked for everything up to the end of the block is guarded: overruns jump.
std::size_t rear_guard(const Header* header) {
  return header->size - sizeof(Header) - header->requested;
}

}  // namespace

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

}  // namespace atto::allocator
