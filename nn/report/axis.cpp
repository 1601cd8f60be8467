#include "nn/report/axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "nn/report/format.hpp"

namespace atto::report {
namespace {

// Beyond this a difference of two values overflows; such a value is shown as a gap, like an infinity.
constexpr double largest = 1e300;

/// mantissa * 10^exponent, with the rounding of the decimal literal (0.3, not 3 * 0.1 = 0.30000000000000004).
double decimal(double mantissa, int exponent) {
  return exponent < 0 ? mantissa / std::pow(10.0, -exponent) : mantissa * std::pow(10.0, exponent);
}

/// "1e-07" -> "1e-7".
std::string short_exponent(std::string text) {
  const std::size_t e = text.find('e');
  if (e == std::string::npos) return text;
  std::size_t digits = e + 1;
  if (text[digits] == '+') text.erase(digits, 1);
  else if (text[digits] == '-') ++digits;
  while (text[digits] == '0' && digits + 1 < text.size()) text.erase(digits, 1);
  return text;
}

std::string label_of(double value, int decimals, int significant) {
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size >= 1e7 || size < 1e-4 || decimals > 7) return short_exponent(fmt::format("{:.{}g}", value, significant));
  if (decimals <= 0) return with_thousands(std::llround(value));
  return fmt::format("{:.{}f}", value, decimals);
}

Ticks linear_ticks(Range range, int count, bool whole_numbers) {
  const double raw = (range.high - range.low) / std::max(count, 1);
  int exponent = static_cast<int>(std::floor(std::log10(raw)));
  double mantissa = 10;
  for (const double candidate : std::array{5.0, 2.5, 2.0, 1.0})
    if (decimal(candidate, exponent) >= raw * (1 - 1e-9)) mantissa = candidate;
  if (mantissa == 10) mantissa = 1, ++exponent;
  if (whole_numbers && exponent < 0) mantissa = 1, exponent = 0;
  if (whole_numbers && exponent == 0 && mantissa == 2.5) mantissa = 5;

  const double step = decimal(mantissa, exponent);
  // A tick that only rounding puts beyond an end belongs to it.
  const double slack = 1e-6 * std::min(1.0, (range.high - range.low) / step);
  const double first = std::ceil(range.low / step - slack), last = std::floor(range.high / step + slack);
  const int decimals = -exponent + (mantissa == 2.5 ? 1 : 0);
  const double top = std::max(std::abs(range.low), std::abs(range.high));
  const int significant = std::clamp(static_cast<int>(std::floor(std::log10(top))) + decimals + 1, 1, 17);
  Ticks ticks;
  // The bound on the number is for ranges so narrow that neighbours differ by rounding only.
  for (double k = first; k <= last && ticks.at.size() < 64; ++k) {
    const double value = decimal(k * mantissa, exponent);
    std::string label = label_of(value, decimals, significant);
    if (!ticks.labels.empty() && ticks.labels.back() == label) continue;
    ticks.at.push_back(value);
    ticks.labels.push_back(std::move(label));
  }
  return ticks;
}

/// The last tick count tried may be higher than asked for: an axis with one tick has no scale.
Ticks linear_ticks_at_least_two(Range range, int count, bool whole_numbers) {
  Ticks ticks = linear_ticks(range, count, whole_numbers);
  for (int more = count + 1; ticks.at.size() < 2 && more <= count + 4; ++more)
    ticks = linear_ticks(range, more, whole_numbers);
  return ticks;
}

Ticks log_ticks(Range range, int count) {
  const int first = static_cast<int>(std::floor(std::log10(range.low) + 1e-9));
  const int last = static_cast<int>(std::ceil(std::log10(range.high) - 1e-9));
  const auto inside = [&](double v) { return v >= range.low * (1 - 1e-9) && v <= range.high * (1 + 1e-9); };
  const auto collect = [&](std::initializer_list<double> mantissas, int stride) {
    Ticks ticks;
    for (int e = first; e <= last; ++e) {
      if (((e % stride) + stride) % stride != 0) continue;
      for (const double m : mantissas) {
        const double value = decimal(m, e);
        if (!inside(value)) continue;
        ticks.at.push_back(value);
        ticks.labels.push_back(e < -3 || e > 5 ? short_exponent(fmt::format("{:.0e}", value))
                                               : label_of(value, std::max(0, -e), 1));
      }
    }
    return ticks;
  };
  if (last - first <= count) {
    Ticks ticks = collect({1, 2, 5}, 1);
    if (ticks.at.size() >= 2 && static_cast<int>(ticks.at.size()) <= count) return ticks;
  }
  for (int stride = std::max(1, (last - first + count - 1) / count); stride >= 1; --stride) {
    Ticks ticks = collect({1}, stride);
    if (ticks.at.size() >= 2) return ticks;
  }
  // Less than two powers of ten: as on a linear axis, only without the zero that rounding may put below the low end.
  Ticks ticks = linear_ticks_at_least_two(range, count, false);
  if (!ticks.at.empty() && ticks.at[0] <= 0) ticks.at.erase(ticks.at.begin()), ticks.labels.erase(ticks.labels.begin());
  return ticks;
}

}  // namespace

bool drawable(double value, Scale scale) {
  return std::abs(value) <= largest && (scale == Scale::linear || value >= 1 / largest);
}

Range axis_range(std::span<const double> values, const Axis& axis) {
  const bool log = axis.scale == Scale::log;
  const auto given = [&](const std::optional<double>& end) { return end && drawable(*end, axis.scale); };
  double low = INFINITY, high = -INFINITY;
  for (const double v : values)
    if (drawable(v, axis.scale)) low = std::min(low, v), high = std::max(high, v);
  if (low > high) {
    low = log ? 1 : 0, high = log ? 10 : 1;
  } else if (high - low <= 1e-12 * std::max(std::abs(low), std::abs(high))) {
    // A spread that is only rounding noise is drawn as the constant that it is.
    const double centre = low, half = axis.whole_numbers ? 0.5 : centre == 0 ? 1 : std::abs(centre) * 0.1;
    low = log ? centre / 2 : centre - half;
    high = log ? centre * 2 : centre + half;
  } else if (axis.pad && log) {
    const double air = std::pow(high / low, 0.04);
    low /= air, high *= air;
  } else if (axis.pad) {
    const double air = 0.04 * (high - low);
    low = low >= 0 && low < air ? 0 : low - air;
    high += air;
  }
  if (given(axis.low)) low = *axis.low;
  if (given(axis.high)) high = *axis.high;
  if (low < high) return {low, high};
  // One given end lies beyond all data: keep it.
  const double span = std::max(1.0, std::abs(low));
  if (given(axis.low)) return {low, log ? low * 10 : low + span};
  return {log ? high / 10 : high - std::max(1.0, std::abs(high)), high};
}

Ticks nice_ticks(Range range, int count, const Axis& axis) {
  return axis.scale == Scale::log ? log_ticks(range, std::max(count, 2))
                                  : linear_ticks_at_least_two(range, std::max(count, 1), axis.whole_numbers);
}

double axis_position(double value, Range range, Scale scale) {
  if (scale == Scale::linear) return (value - range.low) / (range.high - range.low);
  return std::log(value / range.low) / std::log(range.high / range.low);
}

}  // namespace atto::report
