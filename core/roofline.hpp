#pragma once
// What this machine can do at most, measured in a fraction of a second: what the times of a trace are held against.

#include <cstdint>
#include <string>

#include "core/trace.hpp"

namespace atto {

/// Ceilings of the machine with the threads and the instruction set in use.
struct Roofline {
  struct Level {
    const char* name;
    double capacity;   ///< bytes that fit there, of all threads together
    double bandwidth;  ///< bytes/s that all threads together read from it in sequence
  };
  int threads = 0;
  double flops = 0;  ///< float32 operations/s in multiply-adds, which count as two; half of that for float64
  Level l2{}, l3{}, dram{};

  /// The nearest level that holds a working set of `bytes`.
  const Level& level(double bytes) const;
  /// The least time in seconds: max(flops / F, bytes / B), B of the level that holds all the bytes.
  double seconds(const Cost& cost) const;
  /// One line: threads, instruction set, every ceiling.
  std::string describe() const;
};

/// Measures the ceilings in about 0.3 s, each the best of several tries; takes at most 256 MiB meanwhile.
Roofline measure_roofline();

/// float32 operations/s of independent multiply-adds in registers, all threads together. Takes about `seconds`.
double measure_flops(double seconds);
/// Bytes/s that all threads together read from `bytes` of memory, each its own part, over and over.
double measure_stream(double bytes, double seconds);
/// Bytes/s that all threads together read from random rows of `width` float32 each out of a table of `rows`, with or
/// without prefetching, whichever is faster; indices do not count. `width` is a multiple of 16 (ValueError).
double measure_gather(std::int64_t rows, std::int64_t width, double seconds);

}  // namespace atto
