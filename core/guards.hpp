#pragma once
// Guard bytes around a block of the arena, for GuardMode: a kernel that writes outside its rows is found when the block
// comes back.

#include "core/regions.hpp"

namespace atto::allocator {

/// At least so many bytes behind.
inline constexpr std::size_t kGuard = 64;

/// Writes them, and fills what the caller asked for with 0xFF, a NaN.
void set_guards(Header* header);
bool guards_intact(const Header* header);

}  // namespace atto::allocator
