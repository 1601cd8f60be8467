#include "graph/rows.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.hpp"

namespace atto {

Tensor take_rows(const Tensor& source, std::span<const std::int32_t> map, double fill) {
  if (!source.defined()) return {};
  if (source.rank() == 0)
    throw ShapeError(
        {.op = "take_rows", .argument = "source", .got = source.str(), .expected = "at least one dimension"});
  const std::int64_t rows = source.size(0);
  const Tensor result = Tensor::empty(source.shape().with(0, static_cast<std::int64_t>(map.size())), source.dtype());
  const std::int64_t row_bytes = source.shape().with(0, 1).numel() * static_cast<std::int64_t>(size_of(source.dtype()));
  for (std::size_t r = 0; r < map.size(); ++r) {
    const auto to = static_cast<std::int64_t>(r);
    if (map[r] == -1) {
      result.rows(to, to + 1).fill(fill);
      continue;
    }
    if (map[r] < 0 || map[r] >= rows)
      throw IndexError({.op = "take_rows",
                        .argument = "map[" + std::to_string(r) + "]",
                        .got = std::to_string(map[r]),
                        .expected = "-1 or a row of " + source.str()});
    std::memcpy(result.raw() + to * row_bytes, source.raw() + map[r] * row_bytes, static_cast<std::size_t>(row_bytes));
  }
  return result;
}

Tensor concatenate_rows(std::span<const Tensor> parts) {
  if (std::ranges::none_of(parts, &Tensor::defined)) return {};
  const Tensor& first = parts.front();
  std::int64_t rows = 0;
  for (const Tensor& part : parts) {
    const bool fits = part.defined() && first.defined() && part.rank() > 0 && part.dtype() == first.dtype() &&
                      part.rank() == first.rank() && part.shape().with(0, 0) == first.shape().with(0, 0);
    if (!fits)
      throw ShapeError({.op = "concatenate_rows",
                        .argument = "parts",
                        .got = first.str() + " and " + part.str(),
                        .expected = "tensors that differ in the first size only"});
    rows += part.size(0);
  }
  const Tensor result = Tensor::empty(first.shape().with(0, rows), first.dtype());
  std::byte* out = result.raw();
  for (const Tensor& part : parts) {
    if (part.bytes() > 0) std::memcpy(out, part.raw(), static_cast<std::size_t>(part.bytes()));
    out += part.bytes();
  }
  return result;
}

}  // namespace atto
