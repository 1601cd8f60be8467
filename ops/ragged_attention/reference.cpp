// Attention as its definition: every pair an edge, and the edge algebra on them.

#include <cmath>

#include "graph/support.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/index/index.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"
#include "ops/shape/shape.hpp"

namespace atto {
namespace {

// For every edge and head, in canonical order, its place in the blocks [H, n_q, n_k] of dense.
Tensor dense_places(const Graph& graph, const Ragged& queries, const Ragged& keys, std::int64_t heads) {
  Tensor places = Tensor::empty(Shape{graph.num_edges() * heads}, DType::int64);
  std::int64_t* to = places.data<std::int64_t>();
  std::int64_t block = 0;
  for (std::int64_t g = 0; g < queries.count(); block += heads * queries.size(g) * keys.size(g), ++g)
    for (std::int64_t i = queries.begin(g); i < queries.end(g); ++i)
      for (std::int64_t e = graph.in_offsets()[static_cast<std::size_t>(i)];
           e < graph.in_offsets()[static_cast<std::size_t>(i) + 1]; ++e)
        for (std::int64_t h = 0; h < heads; ++h)
          *to++ = block + (h * queries.size(g) + i - queries.begin(g)) * keys.size(g) +
                  graph.in_src()[static_cast<std::size_t>(e)] - keys.begin(g);
  return places;
}

// Heads of keys repeated for the query heads that share them.
Var for_query_heads(const Var& x, std::int64_t heads) {
  if (x.size(1) == heads || x.size(1) == 0) return x;
  const Shape one{x.size(0), x.size(1), 1, x.size(2)}, many{x.size(0), x.size(1), heads / x.size(1), x.size(2)};
  return reshape(reshape(x, one) * Var(Tensor::full(many, 1, x.dtype())), Shape{x.size(0), heads, x.size(2)});
}

}  // namespace

Var ragged_attention_reference(const Var& q, const Var& k, const Var& v, const Ragged& queries, const Ragged& keys,
                               const BucketPlane& buckets, const AttentionTables& tables, const Var& dense,
                               const RaggedAttentionOptions& options) {
  const std::int64_t heads = q.size(1);
  Support support = options.causal ? Support::causal(queries, keys) : Support::pairs(queries, keys);
  if (buckets.values.defined()) support = support.with_buckets(buckets);
  const Graph& graph = support.graph();
  const Tensor places = dense_places(graph, queries, keys, heads);
  const auto on_edges = [&](const Var& flat) {
    return reshape(gather_rows(reshape(flat, Shape{flat.size(0), 1}), places), Shape{graph.num_edges(), heads});
  };

  const double width = std::max<double>(1, static_cast<double>(q.size(2)));
  Var z = edge_dot(graph, q, for_query_heads(k, heads)) * options.scale.value_or(1 / std::sqrt(width));
  if (tables.multiply.defined()) z = z * edge_bucket(tables.multiply, support.edge_buckets());
  if (tables.add.defined()) z = z + edge_bucket(tables.add, support.edge_buckets());
  if (dense.defined()) z = z + on_edges(dense);
  Var p = edge_softmax(graph, z);
  if (tables.gate.defined()) p = p * edge_bucket(tables.gate, support.edge_buckets());
  if (options.dropout > 0) p = p * on_edges(ragged_attention_dropout_mask(queries, keys, heads, options).to(q.dtype()));
  return spmm(graph, p, for_query_heads(v, heads));
}

}  // namespace atto
