#pragma once
// Where the time goes: one record per operation while tracing is on, and nothing but one relaxed load while it is off.

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace atto {

/// What an operation costs by its definition: arithmetic, and memory moved if every operand is touched once.
struct Cost {
  double flops = 0;
  double bytes = 0;
};

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

/// A table, one line per operation name: calls, total time, share, GFLOP/s, GB/s.
std::string table();
/// The events in the format of chrome://tracing and Perfetto.
std::string chrome_json();

}  // namespace trace
}  // namespace atto
