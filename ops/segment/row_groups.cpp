#include "ops/segment/row_groups.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "ops/dispatch.hpp"
#include "ops/edge/kernels.hpp"
#include "ops/rows.hpp"

namespace atto {
namespace {

constexpr std::int32_t kPiece = 1024;  // rows

void check_limit(std::int64_t count, const char* op) {
  if (count > std::numeric_limits<std::int32_t>::max())
    throw ShapeError(
        {.op = op, .argument = "rows", .got = std::to_string(count), .expected = "at most 2^31 - 1", .hint = {}});
}

}  // namespace

RowGroups::RowGroups(const Ragged& segments, const char* op) {
  check_limit(segments.total(), op);
  offsets_.assign(segments.offsets().begin(), segments.offsets().end());
  if (segments.longest() > kPiece) cut();
}

RowGroups::RowGroups(const Tensor& index, std::int64_t rows, const char* op) {
  check_limit(std::max(rows, index.numel()), op);  // before memory of that size is asked for
  offsets_.assign(static_cast<std::size_t>(rows) + 1, 0);
  members_.resize(static_cast<std::size_t>(index.numel()));
  const auto values = index.values<std::int64_t>();
  for (const std::int64_t i : values)
    if (i >= 0) ++offsets_[static_cast<std::size_t>(i) + 1];
  const bool any_long = std::any_of(offsets_.begin(), offsets_.end(), [](std::int32_t size) { return size > kPiece; });
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) offsets_[r + 1] += offsets_[r];
  std::vector<std::int32_t> next(offsets_.begin(), offsets_.end() - 1);
  for (std::size_t m = 0; m < values.size(); ++m)
    if (values[m] >= 0)
      members_[static_cast<std::size_t>(next[static_cast<std::size_t>(values[m])]++)] = static_cast<std::int32_t>(m);
  if (any_long) cut();
}

void RowGroups::cut() {
  piece_offsets_ = {0};
  first_piece_ = {0};
  for (std::size_t r = 0; r + 1 < offsets_.size(); ++r) {
    for (std::int32_t begin = offsets_[r]; begin < offsets_[r + 1]; begin += std::min(kPiece, offsets_[r + 1] - begin))
      piece_offsets_.push_back(begin + std::min(kPiece, offsets_[r + 1] - begin));
    first_piece_.push_back(static_cast<std::int32_t>(piece_offsets_.size()) - 1);
  }
}

Csr RowGroups::csr() const noexcept {
  const std::int64_t columns = members_.empty() ? total() : static_cast<std::int64_t>(members_.size());
  return {.rows = count(),
          .columns = columns,
          .entries = total(),
          .offsets = offsets_.data(),
          .column = members_.empty() ? nullptr : members_.data()};
}

Tensor RowGroups::sum(const Tensor& x, bool mean) const {
  Tensor y = Tensor::empty(x.shape().with(0, count()), x.dtype(), x.device());
  dispatch(x, "sum of rows", [&]<class T>(auto device) {
    const std::int64_t width = row_size(x.shape());
    if (piece_offsets_.empty()) {
      kernels::spmm<T>(device, csr(), 1, width, nullptr, x.data<T>(), mean, y.data<T>());
      return;
    }
    Csr pieces = csr();
    pieces.rows = static_cast<std::int64_t>(piece_offsets_.size()) - 1;
    pieces.offsets = piece_offsets_.data();
    Tensor partial = Tensor::empty(x.shape().with(0, pieces.rows), x.dtype(), x.device());
    kernels::spmm<T>(device, pieces, 1, width, nullptr, x.data<T>(), false, partial.data<T>());
    const Csr whole{.rows = count(), .columns = pieces.rows, .entries = pieces.rows, .offsets = first_piece_.data()};
    kernels::spmm<T>(device, whole, 1, width, nullptr, partial.data<T>(), false, y.data<T>());
    if (mean) kernels::divide_by_count(device, csr(), width, y.data<T>(), y.data<T>());
  });
  return y;
}

}  // namespace atto
