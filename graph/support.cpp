#include "graph/support.hpp"

#include <algorithm>
#include <limits>

#include "core/error.hpp"
#include "graph/rows.hpp"

namespace atto {
namespace {

void require_same_count(const Ragged& queries, const Ragged& keys, const char* op) {
  if (queries.count() != keys.count())
    throw ShapeError({.op = op,
                      .argument = "keys",
                      .got = std::to_string(keys.count()) + " segments",
                      .expected = std::to_string(queries.count()) + ", one for each segment of queries",
                      .hint = {}});
}

// Keys that query i of a segment may see: the first so many.
std::int64_t visible(Support::Kind kind, std::int64_t i, std::int64_t num_queries, std::int64_t num_keys) {
  if (kind != Support::Kind::causal) return num_keys;
  return std::clamp<std::int64_t>(i + 1 + num_keys - num_queries, 0, num_keys);
}

}  // namespace

Support Support::pairs(const Ragged& queries, const Ragged& keys) {
  require_same_count(queries, keys, "Support::pairs");
  auto data = std::make_shared<Data>();
  data->queries = queries;
  data->keys = keys;
  return Support(std::move(data));
}

Support Support::causal(const Ragged& queries, const Ragged& keys) {
  require_same_count(queries, keys, "Support::causal");
  Support support = pairs(queries, keys);
  support.data_->kind = Kind::causal;
  return support;
}

Support Support::edges(const Graph& graph) {
  auto data = std::make_shared<Data>();
  data->kind = Kind::edges;
  data->graph = graph;
  return Support(std::move(data));
}

Support Support::unite(const std::vector<Graph>& graphs) {
  if (graphs.empty()) return edges(Graph());
  if (graphs.size() > 256)
    throw ShapeError({.op = "Support::unite",
                      .argument = "graphs",
                      .got = std::to_string(graphs.size()),
                      .expected = "at most 256",
                      .hint = {}});
  std::vector<std::int32_t> src, dst;
  std::vector<std::uint8_t> part;
  for (std::size_t p = 0; p < graphs.size(); ++p) {
    const Graph& graph = graphs[p];
    if (graph.num_src() != graphs[0].num_src() || graph.num_dst() != graphs[0].num_dst())
      throw ShapeError({.op = "Support::unite",
                        .argument = "graph " + std::to_string(p),
                        .got = graph.describe(),
                        .expected = "the nodes of the first graph",
                        .hint = {}});
    src.insert(src.end(), graph.in_src().begin(), graph.in_src().end());
    dst.insert(dst.end(), graph.edge_dst().begin(), graph.edge_dst().end());
    part.insert(part.end(), static_cast<std::size_t>(graph.num_edges()), static_cast<std::uint8_t>(p));
  }
  const Graph all = graphs[0].is_square() ? Graph::from_edges(graphs[0].num_nodes(), src, dst)
                                          : Graph::bipartite(graphs[0].num_src(), graphs[0].num_dst(), src, dst);
  return edges(all).with_buckets(take_rows(Tensor::from(part), all.edge_order()));
}

std::shared_ptr<Support::Data> Support::copy() const {
  auto data = std::make_shared<Data>();
  data->kind = data_->kind;
  data->queries = data_->queries;
  data->keys = data_->keys;
  data->planes = data_->planes;
  if (data_->kind == Kind::edges) {
    data->graph = data_->graph;
    data->edge_buckets = data_->edge_buckets;
  }
  return data;
}

Support Support::with_buckets(const BucketPlane& planes) const {
  bool fits = kind() != Kind::edges && planes.values.defined() && planes.values.dtype() == DType::uint8 &&
              static_cast<std::int64_t>(planes.offsets.size()) == queries().count() + 1 &&
              planes.offsets.front() == 0 && planes.offsets.back() == planes.values.numel();
  for (std::int64_t s = 0; fits && s < queries().count(); ++s)
    fits = planes.offsets[static_cast<std::size_t>(s) + 1] - planes.offsets[static_cast<std::size_t>(s)] ==
           queries().size(s) * keys().size(s);
  if (!fits)
    throw ShapeError({.op = "with_buckets",
                      .argument = "planes",
                      .got = planes.values.str() + " in " + std::to_string(std::ssize(planes.offsets) - 1) + " planes",
                      .expected = "uint8, one plane of queries x keys for each segment of a pairs or causal support",
                      .hint = {}});
  auto data = copy();
  data->planes = planes;
  return Support(std::move(data));
}

Support Support::with_buckets(const Tensor& edge_buckets) const {
  if (kind() != Kind::edges || edge_buckets.dtype() != DType::uint8 ||
      edge_buckets.shape() != Shape{data_->graph.num_edges()})
    throw ShapeError({.op = "with_buckets",
                      .argument = "edge_buckets",
                      .got = edge_buckets.str(),
                      .expected = "uint8 [E] for a support of edges",
                      .hint = {}});
  auto data = copy();
  data->edge_buckets = edge_buckets;
  return Support(std::move(data));
}

std::string Support::name() const {
  switch (kind()) {
    case Kind::pairs:
      return "pairs";
    case Kind::causal:
      return "causal";
    case Kind::edges:
      break;
  }
  return "edges";
}

std::int64_t Support::num_dst() const noexcept {
  return kind() == Kind::edges ? data_->graph.num_dst() : queries().total();
}
std::int64_t Support::num_src() const noexcept {
  return kind() == Kind::edges ? data_->graph.num_src() : keys().total();
}

const Graph& Support::graph() const {
  list();
  return data_->graph;
}

const Tensor& Support::edge_buckets() const {
  list();
  return data_->edge_buckets;
}

void Support::list() const {
  if (kind() == Kind::edges) return;
  std::call_once(data_->listed, [&] {
    const Ragged& q = queries();
    const Ragged& k = keys();
    std::int64_t edges = 0;
    for (std::int64_t s = 0; s < q.count(); ++s)
      for (std::int64_t i = 0; i < q.size(s); ++i) edges += visible(kind(), i, q.size(s), k.size(s));
    if (edges > std::numeric_limits<std::int32_t>::max())
      throw ShapeError({.op = "Support::graph",
                        .argument = "pairs",
                        .got = std::to_string(edges),
                        .expected = "at most 2^31 - 1",
                        .hint = "this many pairs can only run through a fused operation"});
    // Row-major planes and canonical order agree: by query, then by key.
    std::vector<std::int32_t> offsets{0}, src;
    std::vector<std::uint8_t> buckets;
    const bool with_buckets = data_->planes.values.defined();
    offsets.reserve(static_cast<std::size_t>(q.total()) + 1);
    src.reserve(static_cast<std::size_t>(edges));
    for (std::int64_t s = 0; s < q.count(); ++s) {
      for (std::int64_t i = 0; i < q.size(s); ++i) {
        const std::int64_t seen = visible(kind(), i, q.size(s), k.size(s));
        for (std::int64_t j = 0; j < seen; ++j) src.push_back(static_cast<std::int32_t>(k.begin(s) + j));
        offsets.push_back(static_cast<std::int32_t>(src.size()));
        if (!with_buckets) continue;
        const std::uint8_t* row = data_->planes.values.data<std::uint8_t>() +
                                  data_->planes.offsets[static_cast<std::size_t>(s)] + i * k.size(s);
        buckets.insert(buckets.end(), row, row + seen);
      }
    }
    data_->graph = Graph::from_in_csr(k.total(), std::move(offsets), std::move(src));
    if (with_buckets) data_->edge_buckets = Tensor::from(buckets);
  });
}

}  // namespace atto
