#pragma once
// Rows of a tensor in groups, each of which becomes one row: the segments of a batch, the places that name a row.

#include <cstdint>
#include <vector>

#include "core/tensor.hpp"
#include "graph/ragged.hpp"
#include "ops/csr.hpp"

namespace atto {

/// Group r holds the rows members[offsets[r]] .. members[offsets[r+1] - 1], or offsets[r] .. offsets[r+1] - 1 when
/// there are no members. Long groups are cut into pieces of a fixed length, which are summed on their own and then
/// together: so that one large graph, or an embedding table with few rows, keeps all threads busy, and long sums stay
/// exact.
class RowGroups {
 public:
  RowGroups() = default;
  /// ShapeError naming `op` when there are more than 2^31 - 1 rows.
  RowGroups(const Ragged& segments, const char* op);
  /// Group r = the places m with index[m] = r, in order of m. int64, index < rows; places with a negative index are in
  /// no group.
  RowGroups(const Tensor& index, std::int64_t rows, const char* op);

  std::int64_t count() const noexcept { return static_cast<std::int64_t>(offsets_.size()) - 1; }
  std::int64_t total() const noexcept { return offsets_.back(); }
  Csr csr() const noexcept;

  /// y_r = sum of the rows of x in group r, divided by their number for a mean: [count,...]. A group of nothing gives
  /// zeros.
  Tensor sum(const Tensor& x, bool mean = false) const;

 private:
  void cut();

  std::vector<std::int32_t> offsets_{0}, members_;
  std::vector<std::int32_t> piece_offsets_, first_piece_;  // empty when no group is long
};

}  // namespace atto
