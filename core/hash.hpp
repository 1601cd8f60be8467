#pragma once
// Hashes by which content is found again and damage is noticed. Not for keeping anything secret.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace atto {

/// 128 bits.
using Hash = std::array<std::uint64_t, 2>;

/// MurmurHash3_x64_128 (Austin Appleby, public domain) with the two halves of its state started at `seed`. The same on
/// every little-endian machine.
Hash murmur3(const void* bytes, std::size_t size, Hash seed = {0, 0});

/// A hash of several pieces. Each piece is hashed with its length from the state that the one before left, so ("ab",
/// "c") and ("a", "bc") differ.
class Hasher {
 public:
  void add(const void* bytes, std::size_t size) { state_ = murmur3(bytes, size, state_); }
  void add(std::string_view text) { add(text.data(), text.size()); }
  template <class T>
  requires std::is_arithmetic_v<T>
  void add(T value) { add(&value, sizeof value); }
  template <class T>
  requires std::is_arithmetic_v<T>
  void add(std::span<const T> values) { add(values.data(), values.size_bytes()); }
  const Hash& hash() const noexcept { return state_; }

 private:
  Hash state_{0x61'74'74'6f, 0};  // not 0, from which empty pieces would not lead away
};

/// 32 hexadecimal digits.
std::string hex(const Hash& hash);

}  // namespace atto
