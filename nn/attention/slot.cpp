#include "nn/attention/slot.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "ops/arithmetic/arithmetic.hpp"
#include "ops/shape/shape.hpp"

namespace atto {
namespace {

Var first_buckets(const Var& table, std::int64_t count) {
  return !table.defined() || table.size(1) == count ? table : slice(table, 1, 0, count);
}

}  // namespace

Var repeat_heads(const Var& x, std::int64_t heads) {
  const std::int64_t rows = x.size(0), given = x.size(1), width = x.size(2);
  if (heads == given) return x;
  const Var repeated =
      reshape(x, Shape{rows, given, 1, width}) * Var(Tensor::full(Shape{heads / given, 1}, 1.0, x.dtype()));
  return reshape(repeated, Shape{rows, heads, width});
}

std::string_view name_of(FusedOp op) {
  switch (op) {
    case FusedOp::ragged_attention:
      return "ragged_attention";
    case FusedOp::edge_attention:
      return "edge_attention";
    case FusedOp::gat:
      return "gat";
    case FusedOp::gatv2:
      break;
  }
  return "gatv2";
}

void RaggedForm::add(const Var& table) {
  if (!tables.add.defined()) {
    tables.add = table;
    return;
  }
  const std::int64_t count = std::min(tables.add.size(1), table.size(1));
  tables.add = first_buckets(tables.add, count) + first_buckets(table, count);
}

AttentionTables RaggedForm::fitted() const {
  std::int64_t count = std::numeric_limits<std::int64_t>::max();
  for (const Var& table : {tables.multiply, tables.add, tables.gate})
    if (table.defined()) count = std::min(count, table.size(1));
  return {.multiply = first_buckets(tables.multiply, count),
          .add = first_buckets(tables.add, count),
          .gate = first_buckets(tables.gate, count)};
}

}  // namespace atto
