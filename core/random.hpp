#pragma once
// Counter-based random numbers (Philox4x32-10; Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011). The i-th number of a stream is a function of (seed, stream, i), so it does not matter which thread
// draws it.

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace atto {

/// Ten rounds of Philox4x32 on a 128-bit counter with a 64-bit key.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::uint64_t key);

/// Random access to 2^64 numbers: what an op keeps to draw the same numbers again in backward.
struct RandomStream {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;

  /// Four 32-bit numbers at place `index`.
  std::array<std::uint32_t, 4> block(std::uint64_t index) const;
  /// 32 random bits number i (block i / 4, lane i % 4).
  std::uint32_t bits(std::uint64_t i) const { return block(i / 4)[i % 4]; }
  /// Uniform in [0, 1), 53 bits.
  double uniform(std::uint64_t i) const;
  /// Standard normal number i (Box-Muller).
  double normal(std::uint64_t i) const;

  friend bool operator==(const RandomStream&, const RandomStream&) = default;
};

/// A sequence of draws, and the source of fresh streams. Copying copies the position; the state is three numbers.
class Generator {
 public:
  struct State {
    std::uint64_t seed = 0;
    std::uint64_t position = 0;     ///< of uniform(), below(), normal()
    std::uint64_t next_stream = 1;  ///< of stream()
    friend bool operator==(const State&, const State&) = default;
  };

  explicit Generator(std::uint64_t seed = 0) : state_{.seed = seed, .position = 0, .next_stream = 1} {}
  explicit Generator(State state) : state_(state) {}

  /// A stream that nobody else has got from this generator.
  RandomStream stream() { return {.seed = state_.seed, .stream = state_.next_stream++}; }
  /// Uniform in [0, 1).
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal();
  /// Uniform integer in 0..bound-1 without bias; ValueError when bound < 1.
  std::int64_t below(std::int64_t bound);
  /// Fisher-Yates.
  template <class T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i)
      std::swap(items[i - 1], items[static_cast<std::size_t>(below(static_cast<std::int64_t>(i)))]);
  }
  /// A random order of 0..n-1.
  std::vector<std::int64_t> permutation(std::int64_t n);

  const State& state() const noexcept { return state_; }

 private:
  std::uint64_t draw64();

  State state_;
};

}  // namespace atto
