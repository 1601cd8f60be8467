// The fused operations of this folder from simpler ones: what they mean, and what the tests hold them against.

#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/message.hpp"
#include "ops/index/index.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/reduce/reduce.hpp"
#include "ops/shape/shape.hpp"

namespace atto {
namespace {

// w_ij x_j as an edge tensor, the weights stretched over the sizes that they lack.
Var messages(const Graph& g, const Var& weights, const Var& x) {
  const Var copies = edge_add(g, x, {});
  if (!weights.defined()) return copies;
  Shape shape = copies.shape();
  for (int d = weights.rank(); d < shape.rank(); ++d) shape = shape.with(d, 1);
  return reshape(weights, shape) * copies;
}

}  // namespace

Var edge_dot_reference(const Graph& g, const Var& q, const Var& k) {
  return sum(edge_mul(g, k, q), -1);
}

Var edge_softmax_reference(const Graph& g, const Var& logits) {
  const Var shift = edge_max(g, logits).detach();  // any shift gives the same softmax, so it needs no gradient
  const Var raised = exp(logits - edge_add(g, {}, shift));
  return raised / edge_add(g, {}, edge_sum(g, raised));
}

Var spmm_reference(const Graph& g, const Var& weights, const Var& x) {
  return edge_sum(g, messages(g, weights, x));
}
Var spmm_mean_reference(const Graph& g, const Var& weights, const Var& x) {
  return edge_mean(g, messages(g, weights, x));
}
Var spmm_max_reference(const Graph& g, const Var& weights, const Var& x) {
  return edge_max(g, messages(g, weights, x));
}
Var spmm_min_reference(const Graph& g, const Var& weights, const Var& x) {
  return edge_min(g, messages(g, weights, x));
}

Var gated_sum_reference(const Graph& g, const Var& gates, const Var& x, double epsilon) {
  return edge_sum(g, gates * edge_add(g, x, {})) / (edge_sum(g, gates) + epsilon);
}

Var gine_sum_reference(const Graph& g, const Var& x, const Var& e, const Tensor& kind) {
  return edge_sum(g, relu(edge_add(g, x, {}) + (kind.defined() ? embedding(e, kind) : e)));
}

}  // namespace atto
