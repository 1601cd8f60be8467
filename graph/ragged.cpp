#include "graph/ragged.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace atto {

Ragged::Ragged() {
  static const auto empty = std::make_shared<const Data>();
  data_ = empty;
}

Ragged::Ragged(std::vector<std::int64_t> offsets) {
  if (offsets.empty() || offsets.front() != 0)
    throw ValueError({.op = "Ragged",
                      .argument = "offsets",
                      .got = offsets.empty() ? "none" : std::to_string(offsets.front()) + " first",
                      .expected = "0 first"});
  Data data;
  for (std::size_t s = 1; s < offsets.size(); ++s) {
    if (offsets[s] < offsets[s - 1])
      throw ValueError({.op = "Ragged",
                        .argument = "offsets[" + std::to_string(s) + "]",
                        .got = std::to_string(offsets[s]),
                        .expected = "at least " + std::to_string(offsets[s - 1]),
                        .hint = "offsets never decrease"});
    data.longest = std::max(data.longest, offsets[s] - offsets[s - 1]);
  }
  data.offsets = std::move(offsets);
  data_ = std::make_shared<const Data>(std::move(data));
}

Ragged Ragged::from_sizes(std::span<const std::int64_t> sizes) {
  std::vector<std::int64_t> offsets{0};
  offsets.reserve(sizes.size() + 1);
  for (const std::int64_t size : sizes) offsets.push_back(offsets.back() + size);
  return Ragged(std::move(offsets));
}

Ragged Ragged::single(std::int64_t total) {
  return Ragged({0, total});
}

Tensor Ragged::ids() const {
  if (count() > std::numeric_limits<std::int32_t>::max())
    throw ShapeError(
        {.op = "Ragged::ids", .argument = "segments", .got = std::to_string(count()), .expected = "at most 2^31 - 1"});
  const Tensor ids = Tensor::empty({total()}, DType::int32);
  std::int32_t* out = ids.data<std::int32_t>();
  for (std::int64_t s = 0; s < count(); ++s) std::fill(out + begin(s), out + end(s), static_cast<std::int32_t>(s));
  return ids;
}

}  // namespace atto
