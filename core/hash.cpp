#include "core/hash.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace atto {
namespace {

constexpr std::uint64_t kFirst = 0x87c37b91114253d5u, kSecond = 0x4cf5ad432745937fu;

std::uint64_t mix_first(std::uint64_t k) {
  return std::rotl(k * kFirst, 31) * kSecond;
}
std::uint64_t mix_second(std::uint64_t k) {
  return std::rotl(k * kSecond, 33) * kFirst;
}

std::uint64_t avalanche(std::uint64_t h) {
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
  return h ^ (h >> 33);
}

}  // namespace

Hash murmur3(const void* bytes, std::size_t size, Hash seed) {
  auto [h1, h2] = seed;
  const auto* next = static_cast<const unsigned char*>(bytes);
  for (std::size_t block = 0; block < size / 16; ++block, next += 16) {
    std::uint64_t k[2];
    std::memcpy(k, next, 16);
    h1 = (std::rotl(h1 ^ mix_first(k[0]), 27) + h2) * 5 + 0x52dce729;
    h2 = (std::rotl(h2 ^ mix_second(k[1]), 31) + h1) * 5 + 0x38495ab5;
  }
  std::uint64_t tail[2] = {0, 0};
  if (size % 16 > 0) std::memcpy(tail, next, size % 16);
  h1 ^= mix_first(tail[0]);
  h2 ^= mix_second(tail[1]);
  h1 ^= size;
  h2 ^= size;
  h1 += h2;
  h2 += h1;
  h1 = avalanche(h1);
  h2 = avalanche(h2);
  h1 += h2;
  h2 += h1;
  return {h1, h2};
}

std::string hex(const Hash& hash) {
  return fmt::format("{:016x}{:016x}", hash[0], hash[1]);
}

}  // namespace atto
