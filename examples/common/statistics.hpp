#pragma once
// Numbers over several runs, and of the process.

#include <sys/resource.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

namespace atto::examples {

/// NaN where there is nothing to compute it from.
struct Statistics {
  double mean = std::numeric_limits<double>::quiet_NaN();
  double deviation = std::numeric_limits<double>::quiet_NaN();  ///< of a sample; NaN for fewer than two
};

/// Of get(value) over the values.
template <class Values, class Get>
Statistics statistics(const Values& values, Get get) {
  Statistics result;
  if (values.empty()) return result;
  double sum = 0, squares = 0;
  for (const auto& value : values) sum += get(value);
  const double n = static_cast<double>(values.size());
  result.mean = sum / n;
  for (const auto& value : values) squares += (get(value) - result.mean) * (get(value) - result.mean);
  if (values.size() > 1) result.deviation = std::sqrt(squares / (n - 1));
  return result;
}

/// JSON has no NaN: what was not measured is null.
inline nlohmann::ordered_json json_number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}
inline nlohmann::ordered_json to_json(const Statistics& s) {
  return {{"mean", json_number(s.mean)}, {"deviation", json_number(s.deviation)}};
}

/// Most memory that the process has held, in bytes.
inline std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace atto::examples
