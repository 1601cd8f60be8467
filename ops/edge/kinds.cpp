#include "ops/edge/kinds.hpp"

#include <string>

#include "core/error.hpp"
#include "ops/csr_views.hpp"

namespace atto {

Tensor checked_kinds(const Tensor& kind, std::int64_t edges, std::int64_t rows, const char* op) {
  if (!kind.defined()) return {};
  if (kind.dtype() != DType::int64 || kind.shape() != Shape{edges})
    throw TypeError({.op = op,
                     .argument = "kind",
                     .got = kind.str(),
                     .expected = "int64 [" + std::to_string(edges) + "]",
                     .hint = {}});
  Tensor narrow = Tensor::empty(Shape{edges}, DType::int32);
  for (std::int64_t e = 0; e < edges; ++e) {
    const std::int64_t row = kind.data<std::int64_t>()[e];
    if (row < 0 || row >= rows)
      throw IndexError({.op = op,
                        .argument = "kind of edge " + std::to_string(e),
                        .got = std::to_string(row),
                        .expected = "0 <= kind < " + std::to_string(rows),
                        .hint = "one row of edge features for each kind"});
    narrow.data<std::int32_t>()[e] = static_cast<std::int32_t>(row);
  }
  return narrow;
}

Csr EdgeKinds::by_destination() const {
  Csr csr = atto::by_destination(*graph_);
  if (defined()) csr.edge = kind_.data<std::int32_t>();
  return csr;
}

Csr EdgeKinds::by_source() {
  Csr csr = atto::by_source(*graph_);
  if (!defined()) return csr;
  if (!kind_by_source_.defined()) {
    kind_by_source_ = Tensor::empty(kind_.shape(), DType::int32);
    for (std::int64_t t = 0; t < csr.entries; ++t)
      kind_by_source_.data<std::int32_t>()[t] = kind_.data<std::int32_t>()[csr.edge[t]];
  }
  csr.edge = kind_by_source_.data<std::int32_t>();
  return csr;
}

}  // namespace atto
