#pragma once
// Where the time goes: one record per operation while tracing is on, and nothing but one relaxed load while it is off.

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace atto {

/// What an operation costs by its definition.
struct Cost {
  double flops = 0;  ///< additions and multiplications; an exponential counts as some fifteen
  double bytes = 0;  ///< moved if every operand is read and every result written once, a gathered row once per edge
};

struct Roofline;  // core/roofline.hpp

namespace trace {

struct Event {
  std::string_view name;  ///< of the operation; a string with static lifetime
  bool backward = false;
  std::int64_t start_ns = 0;
  std::int64_t duration_ns = 0;
  Cost cost;
};

namespace detail {
extern std::atomic<bool> enabled;
}

inline bool enabled() {
  return detail::enabled.load(std::memory_order_relaxed);
}
/// Starts recording with an empty list.
void start();
void stop();
std::int64_t now_ns();
void record(const Event& event);
/// What was recorded since start().
std::vector<Event> events();

/// A table, one line per operation and direction, the longest time first: calls, ms, share of the time of all lines,
/// GFLOP, GB, GFLOP/s, GB/s. With a roofline also the time that this machine needs at least, as a share of the time
/// that it took; above 100 % where rows that were gathered several times came from a nearer cache than the model says.
std::string table(const Roofline* roofline = nullptr);
/// The events in the format of chrome://tracing and Perfetto: JSON, times in microseconds.
std::string chrome_json();

}  // namespace trace
}  // namespace atto
