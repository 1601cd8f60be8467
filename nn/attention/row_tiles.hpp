#pragma once
// A map of attention a block of rows at a time, so that one that nobody could store can still be looked through.

#include <cstdint>
#include <vector>

#include "nn/attention/slot.hpp"

namespace atto {

/// Consecutive receiving nodes, the senders that they see, and where both begin in the whole.
struct RowTile {
  std::int64_t first_row = 0, rows = 0;
  std::int64_t first_sender = 0, senders = 0;
  std::int64_t first_pair = 0, pairs = 0;  ///< in the order of support.graph()
  Support support;                         ///< of the tile alone; its numbers begin at 0
  Tensor buckets;                          ///< uint8 [pairs]; undefined without
};

/// Cuts a support into tiles of at most `pairs` pairs, or of one row where that has more. Nothing of the whole's size
/// is made. Rows without pairs are in tiles too. ValueError unless pairs > 0. Cost: linear in rows and segments, and
/// the copied edges of a support of edges.
std::vector<RowTile> row_tiles(const Support& support, std::int64_t pairs);

/// The part of a view that a tile is about, not listed as edges yet.
EdgeView rows_of(const EdgeView& view, const RowTile& tile);
/// Lists the edges of a tile in such a part; they go when the view does.
void list_rows(EdgeView& view, const RowTile& tile);

}  // namespace atto
