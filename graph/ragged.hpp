// The borders of consecutive segments of different lengths: the nodes of each graph of a batch, the tokens of each
// text.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/tensor.hpp"

namespace atto {

/// Segment s holds the items begin(s) <= i < end(s) of 0..total()-1. Segments may be empty, and there may be none.
/// Immutable; copying copies a handle.
class Ragged {
 public:
  /// No segments.
  Ragged();
  /// offsets[s] is where segment s begins, the last offset the total. ValueError unless they begin with 0 and never
  /// decrease.
  explicit Ragged(std::vector<std::int64_t> offsets);
  /// From lengths; ValueError when one is negative.
  static Ragged from_sizes(std::span<const std::int64_t> sizes);
  /// One segment over everything.
  static Ragged single(std::int64_t total);

  /// Number of segments.
  std::int64_t count() const noexcept { return static_cast<std::int64_t>(data_->offsets.size()) - 1; }
  std::int64_t total() const noexcept { return data_->offsets.back(); }
  std::int64_t begin(std::int64_t s) const noexcept { return data_->offsets[s]; }
  std::int64_t end(std::int64_t s) const noexcept { return data_->offsets[s + 1]; }
  std::int64_t size(std::int64_t s) const noexcept { return end(s) - begin(s); }
  /// Length of the longest segment, 0 when there are none.
  std::int64_t longest() const noexcept { return data_->longest; }
  /// [count + 1]
  std::span<const std::int64_t> offsets() const noexcept { return data_->offsets; }
  /// int32 [total]: the segment of each item. ShapeError when there are more than 2^31 - 1 segments.
  Tensor ids() const;

  friend bool operator==(const Ragged& a, const Ragged& b) {
    return a.data_ == b.data_ || a.data_->offsets == b.data_->offsets;
  }

 private:
  struct Data {
    std::vector<std::int64_t> offsets{0};
    std::int64_t longest = 0;
  };
  std::shared_ptr<const Data> data_;
};

}  // namespace atto
