#include "nn/attention/row_tiles.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "ops/shape/shape.hpp"

namespace atto {
namespace {

// Walks the rows of a support of pairs or a causal one.
class Rows {
 public:
  explicit Rows(const Support& support) : support_(support) { find_segment(); }
  bool more() const { return row_ < support_.num_dst(); }
  std::int64_t row() const { return row_; }
  std::int64_t segment() const { return segment_; }
  // Senders that the row sees: the first so many of its segment.
  std::int64_t seen() const {
    const std::int64_t keys = support_.keys().size(segment_);
    if (support_.kind() != Support::Kind::causal) return keys;
    const std::int64_t last = row_ - support_.queries().begin(segment_) + keys - support_.queries().size(segment_);
    return std::clamp<std::int64_t>(last + 1, 0, keys);
  }
  void step() {
    ++row_;
    find_segment();
  }

 private:
  void find_segment() {
    while (more() && row_ >= support_.queries().end(segment_)) ++segment_;
  }
  const Support& support_;
  std::int64_t row_ = 0, segment_ = 0;
};

RowTile next_tile(const Support& support, Rows& rows, std::int64_t limit, std::int64_t first_pair) {
  const Ragged& keys = support.keys();
  const std::int64_t first_row = rows.row(), first_segment = rows.segment();
  std::vector<std::int64_t> query_sizes, key_sizes;
  std::vector<std::uint8_t> buckets;
  const BucketPlane& planes = support.planes();
  std::int64_t pairs = 0;
  while (rows.more()) {
    const std::int64_t seen = rows.seen(), segment = rows.segment();
    if (rows.row() > first_row && pairs + seen > limit) break;
    while (first_segment + std::ssize(query_sizes) <= segment) {
      // Segments that were passed keep all their senders, so that numbers stay consecutive.
      if (!key_sizes.empty()) key_sizes.back() = keys.size(first_segment + std::ssize(key_sizes) - 1);
      query_sizes.push_back(0);
      key_sizes.push_back(0);
    }
    ++query_sizes.back();
    key_sizes.back() = std::max(key_sizes.back(), seen);
    if (planes.values.defined()) {
      const std::int64_t local = rows.row() - support.queries().begin(segment);
      const std::uint8_t* row = planes.values.data<std::uint8_t>() + planes.offsets[static_cast<std::size_t>(segment)] +
                                local * keys.size(segment);
      buckets.insert(buckets.end(), row, row + seen);
    }
    pairs += seen;
    rows.step();
  }
  const Ragged tile_queries = Ragged::from_sizes(query_sizes), tile_keys = Ragged::from_sizes(key_sizes);
  return {.first_row = first_row,
          .rows = tile_queries.total(),
          .first_sender = keys.begin(first_segment),
          .senders = tile_keys.total(),
          .first_pair = first_pair,
          .pairs = pairs,
          .support = support.kind() == Support::Kind::causal ? Support::causal(tile_queries, tile_keys)
                                                             : Support::pairs(tile_queries, tile_keys),
          .buckets = planes.values.defined() ? Tensor::from(buckets) : Tensor()};
}

RowTile tile_of_edges(const Support& support, std::int64_t begin, std::int64_t end) {
  const Graph& graph = support.graph();
  const auto offsets = graph.in_offsets();
  const std::int64_t first = offsets[static_cast<std::size_t>(begin)], last = offsets[static_cast<std::size_t>(end)];
  std::vector<std::int32_t> tile_offsets;
  for (std::int64_t i = begin; i <= end; ++i)
    tile_offsets.push_back(static_cast<std::int32_t>(offsets[static_cast<std::size_t>(i)] - first));
  const std::vector<std::int32_t> src(graph.in_src().begin() + first, graph.in_src().begin() + last);
  return {.first_row = begin,
          .rows = end - begin,
          .first_sender = 0,
          .senders = graph.num_src(),
          .first_pair = first,
          .pairs = last - first,
          .support = Support::edges(Graph::from_in_csr(graph.num_src(), std::move(tile_offsets), src)),
          .buckets = support.has_buckets() ? support.edge_buckets().rows(first, last) : Tensor()};
}

}  // namespace

std::vector<RowTile> row_tiles(const Support& support, std::int64_t pairs) {
  if (pairs < 1)
    throw ValueError(
        {.op = "row_tiles", .argument = "pairs", .got = std::to_string(pairs), .expected = "at least 1", .hint = {}});
  std::vector<RowTile> tiles;
  if (support.kind() == Support::Kind::edges) {
    const auto offsets = support.graph().in_offsets();
    for (std::int64_t begin = 0; begin < support.num_dst();) {
      std::int64_t end = begin + 1;
      while (end < support.num_dst() &&
             offsets[static_cast<std::size_t>(end) + 1] - offsets[static_cast<std::size_t>(begin)] <= pairs)
        ++end;
      tiles.push_back(tile_of_edges(support, begin, end));
      begin = end;
    }
    return tiles;
  }
  std::int64_t first_pair = 0;
  for (Rows rows(support); rows.more();) {
    tiles.push_back(next_tile(support, rows, pairs, first_pair));
    first_pair += tiles.back().pairs;
  }
  return tiles;
}

namespace {

// Without the listing that a support keeps once it was made.
Support unlisted(const Support& support) {
  if (support.kind() == Support::Kind::edges) return support;
  return support.kind() == Support::Kind::causal ? Support::causal(support.queries(), support.keys())
                                                 : Support::pairs(support.queries(), support.keys());
}

}  // namespace

EdgeView rows_of(const EdgeView& view, const RowTile& tile) {
  const auto part = [](const Var& x, std::int64_t first, std::int64_t count) {
    return x.defined() ? rows(x, first, first + count) : x;
  };
  EdgeView result;
  result.query = part(view.query, tile.first_row, tile.rows);
  result.self = part(view.self, tile.first_row, tile.rows);
  result.key = part(view.key, tile.first_sender, tile.senders);
  result.value = part(view.value, tile.first_sender, tile.senders);
  result.source = part(view.source, tile.first_sender, tile.senders);
  result.edge = part(view.edge, tile.first_pair, tile.pairs);
  return result;
}

void list_rows(EdgeView& view, const RowTile& tile) {
  view.support = unlisted(tile.support);
  view.graph = view.support->graph();
  view.buckets = tile.buckets;
}

}  // namespace atto
