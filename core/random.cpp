#include "core/random.hpp"

#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

#include "core/error.hpp"

namespace atto {
namespace {

constexpr double kTwoToMinus53 = 1.0 / 9007199254740992.0;

std::uint64_t pair64(std::uint32_t low, std::uint32_t high) {
  return (std::uint64_t{high} << 32) | low;
}
double unit(std::uint64_t bits) {
  return static_cast<double>(bits >> 11) * kTwoToMinus53;
}

double box_muller(std::uint64_t a, std::uint64_t b) {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - unit(a)));  // 1 - u lies in (0, 1]
  return radius * std::cos(2.0 * std::numbers::pi * unit(b));
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::uint64_t key) {
  auto key0 = static_cast<std::uint32_t>(key);
  auto key1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(product0)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

std::array<std::uint32_t, 4> RandomStream::block(std::uint64_t index) const {
  return philox({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                 static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)},
                seed);
}

double RandomStream::uniform(std::uint64_t i) const {
  const auto four = block(i / 2);
  return unit(i % 2 == 0 ? pair64(four[0], four[1]) : pair64(four[2], four[3]));
}

double RandomStream::normal(std::uint64_t i) const {
  const auto four = block(i);
  return box_muller(pair64(four[0], four[1]), pair64(four[2], four[3]));
}

std::uint64_t Generator::draw64() {
  // Sequential draws live in stream 0, which stream() never hands out.
  const auto four = RandomStream{.seed = state_.seed, .stream = 0}.block(state_.position++);
  return pair64(four[0], four[1]);
}

double Generator::uniform() {
  return unit(draw64());
}

double Generator::normal() {
  return RandomStream{.seed = state_.seed, .stream = 0}.normal(state_.position++);
}

std::int64_t Generator::below(std::int64_t bound) {
  if (bound < 1)
    throw ValueError({.op = "Generator::below",
                      .argument = "bound",
                      .got = std::to_string(bound),
                      .expected = "at least 1",
                      .hint = {}});
  const auto range = static_cast<std::uint64_t>(bound);
  const std::uint64_t limit =
      ~std::uint64_t{0} - (~std::uint64_t{0} % range + 1) % range;  // largest multiple of range, minus 1
  std::uint64_t bits = draw64();
  while (bits > limit) bits = draw64();
  return static_cast<std::int64_t>(bits % range);
}

std::vector<std::int64_t> Generator::permutation(std::int64_t n) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  shuffle(std::span(order));
  return order;
}

}  // namespace atto
