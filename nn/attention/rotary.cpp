#include "nn/attention/rotary.hpp"

#include <algorithm>
#include <mutex>

namespace atto {

struct RotaryEmbedding::State {
  std::int64_t width;
  RotaryOptions options;
  Tensor frequencies;
  std::mutex mutex;
  Tensor table;

  Tensor rows(std::int64_t count, DType dtype) {
    const std::lock_guard lock(mutex);
    const bool fits = table.defined() && table.dtype() == dtype;
    if (!fits || table.size(0) < count)
      table = rotary_table(fits ? std::max(count, 2 * table.size(0)) : count, frequencies, dtype);
    return table;
  }
};

RotaryEmbedding::RotaryEmbedding(std::int64_t width, const RotaryOptions& options) : state_(std::make_shared<State>()) {
  state_->width = width;
  state_->options = options;
  state_->frequencies = rotary_frequencies(width, options.theta, options.scaling);
}

Var RotaryEmbedding::operator()(const Var& x, const Tensor& positions, std::int64_t count) const {
  return rotary(x, positions, state_->rows(count, x.dtype()), state_->options.pairs);
}

std::int64_t RotaryEmbedding::width() const {
  return state_->width;
}
const RotaryOptions& RotaryEmbedding::options() const {
  return state_->options;
}

Tensor key_positions(const Ragged& keys) {
  return query_positions(keys, keys);
}

Tensor query_positions(const Ragged& queries, const Ragged& keys) {
  Tensor positions = Tensor::empty(Shape{queries.total()}, DType::int64);
  std::int64_t* to = positions.data<std::int64_t>();
  for (std::int64_t s = 0; s < queries.count(); ++s)
    for (std::int64_t i = queries.begin(s); i < queries.end(s); ++i) to[i] = i - queries.end(s) + keys.size(s);
  return positions;
}

}  // namespace atto
