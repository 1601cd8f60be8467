#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

/// The arithmetic of an axis: which range it spans, where ticks stand and what they say.
namespace atto::report {

enum class Scale { linear, log };

/// One axis as the caller describes it. What is not given follows from the data.
struct Axis {
  std::string title{};
  Scale scale = Scale::linear;
  std::optional<double> low{}, high{};
  bool whole_numbers = false;  ///< ticks at integers only: epochs, hops
  bool pad = true;             ///< leave a little air between the data and the ends
};

/// A closed interval with low < high.
struct Range {
  double low = 0, high = 1;
};

/// Ticks and their labels, in ascending order.
struct Ticks {
  std::vector<double> at;
  std::vector<std::string> labels;
};

/// True where the axis can show `value`: finite, and positive on a log axis.
bool drawable(double value, Scale scale);

/// The range that shows all drawable `values` on `axis`. A constant is given air on both sides; without any value the
/// range is [0, 1] ([1, 10] on a log axis).
Range axis_range(std::span<const double> values, const Axis& axis);

/// At most about `count` ticks at round numbers (1, 2, 2.5, 5 times a power of ten; powers of ten and their 2, 5 on a
/// log axis) inside `range`, with labels that tell neighbours apart.
Ticks nice_ticks(Range range, int count, const Axis& axis);

/// Place of `value` in `range`, 0 at the low and 1 at the high end.
double axis_position(double value, Range range, Scale scale);

}  // namespace atto::report
