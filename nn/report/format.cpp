#include "nn/report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace atto::report {

std::string number(double value, int significant) {
  if (std::isnan(value)) return "-";
  // -0 and +0 are the same result to a reader.
  if (value == 0) return "0";
  return fmt::format("{:.{}g}", value, std::max(significant, 1));
}

std::string fixed(double value, int decimals) {
  if (std::isnan(value)) return "-";
  return fmt::format("{:.{}f}", value, std::max(decimals, 0));
}

std::string mean_std(double mean, double deviation, int decimals) {
  if (std::isnan(mean) || std::isnan(deviation)) return fixed(mean, decimals);
  return fixed(mean, decimals) + " ± " + fixed(deviation, decimals);
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  // 1023.5 and above would print as "1024", so it already belongs to the next unit.
  while (value >= 1023.5 && unit + 1 < units.size()) value /= 1024, ++unit;
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, units[unit]);
}

std::string human_seconds(double seconds) {
  if (std::isnan(seconds)) return "-";
  if (std::isinf(seconds)) return seconds < 0 ? "-inf" : "inf";
  if (seconds < 0) return "-" + human_seconds(-seconds);
  if (seconds == 0) return "0 s";
  if (seconds < 0.9995e-3) return fmt::format("{:.3g} µs", seconds * 1e6);
  if (seconds < 0.9995) return fmt::format("{:.3g} ms", seconds * 1e3);
  if (seconds < 9.995) return fmt::format("{:.2f} s", seconds);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  // From here on whole units, rounded once at the smaller one so that "1 min 60 s" cannot appear.
  if (seconds < 3599.5) {
    const auto s = std::llround(seconds);
    return fmt::format("{} min {:02} s", s / 60, s % 60);
  }
  if (seconds < 86400 - 30) {
    const auto minutes = std::llround(seconds / 60);
    return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
  }
  if (seconds > 1e12) return fmt::format("{:.3g} d", seconds / 86400);
  const auto hours = std::llround(seconds / 3600);
  return fmt::format("{} d {:02} h", hours / 24, hours % 24);
}

std::string with_thousands(std::int64_t count) {
  // Not fmt's "L": that would take the separator from the locale of the process.
  std::string digits = fmt::format("{}", count);
  const std::size_t first = count < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, ",");
  return digits;
}

}  // namespace atto::report
