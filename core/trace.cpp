#include "core/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>

#include "core/roofline.hpp"

namespace atto::trace {
namespace {

std::mutex mutex;
std::vector<Event>& list() {
  static std::vector<Event> events;
  return events;
}

struct Row {
  std::int64_t calls = 0;
  std::int64_t nanoseconds = 0;
  Cost cost;
  double least = 0;  // seconds that the machine needs
};

std::string label(const Event& event) {
  return std::string(event.name) + (event.backward ? " (backward)" : "");
}

}  // namespace

namespace detail {
std::atomic<bool> enabled{false};
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void start() {
  std::lock_guard lock(mutex);
  list().clear();
  detail::enabled.store(true);
}

void stop() {
  detail::enabled.store(false);
}

void record(const Event& event) {
  std::lock_guard lock(mutex);
  list().push_back(event);
}

std::vector<Event> events() {
  std::lock_guard lock(mutex);
  return list();
}

std::string table(const Roofline* roofline) {
  std::map<std::string, Row> rows;
  std::int64_t total = 0;
  for (const Event& event : events()) {
    Row& row = rows[label(event)];
    ++row.calls;
    row.nanoseconds += event.duration_ns;
    row.cost.flops += event.cost.flops;
    row.cost.bytes += event.cost.bytes;
    if (roofline != nullptr) row.least += roofline->seconds(event.cost);
    total += event.duration_ns;
  }
  std::vector<std::pair<std::string, Row>> sorted(rows.begin(), rows.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.second.nanoseconds > b.second.nanoseconds; });
  std::string text = fmt::format("{:<32}{:>9}{:>12}{:>8}{:>10}{:>10}{:>9}{:>8}", "operation", "calls", "ms", "share",
                                 "GFLOP", "GB", "GFLOP/s", "GB/s");
  text += roofline != nullptr ? "  roofline\n" : "\n";
  for (const auto& [name, row] : sorted) {
    const double ns = std::max<double>(1.0, static_cast<double>(row.nanoseconds));
    fmt::format_to(std::back_inserter(text), "{:<32}{:>9}{:>12.3f}{:>7.1f}%{:>10.4g}{:>10.4g}{:>9.2f}{:>8.2f}", name,
                   row.calls, ns * 1e-6, 100.0 * ns / std::max<double>(1.0, static_cast<double>(total)),
                   row.cost.flops * 1e-9, row.cost.bytes * 1e-9, row.cost.flops / ns, row.cost.bytes / ns);
    if (roofline != nullptr) fmt::format_to(std::back_inserter(text), "{:>9.1f}%", 100.0 * row.least / (ns * 1e-9));
    text += '\n';
  }
  return text;
}

std::string chrome_json() {
  std::string text = "{\"traceEvents\":[";
  bool first = true;
  for (const Event& event : events()) {
    fmt::format_to(std::back_inserter(text),
                   "{}\n{{\"name\":\"{}\",\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":{:.3f},\"dur\":{:.3f},"
                   "\"args\":{{\"flops\":{},\"bytes\":{}}}}}",
                   first ? "" : ",", label(event), static_cast<double>(event.start_ns) * 1e-3,
                   static_cast<double>(event.duration_ns) * 1e-3, event.cost.flops, event.cost.bytes);
    first = false;
  }
  return text + "\n]}\n";
}

}  // namespace atto::trace
