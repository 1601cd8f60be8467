#include "ops/edge_attention/edge_attention.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/csr_views.hpp"
#include "ops/dispatch.hpp"
#include "ops/dropout/dropout.hpp"
#include "ops/edge/edge.hpp"
#include "ops/pointwise/pointwise.hpp"

namespace atto {

const Schema edge_attention_schema{{
    .name = "edge_attention",
    .signature = "q[M,H,D], k[N,H,D], v[N,H,D], multiply?[H,B], add?[H,B], bias?[E,H] -> y[M,H,D]",
    .formula = "z_e = clip(scale q_i.k_j) multiply[b_e] + add[b_e] + bias_e; a = softmax of z over the edges into i; "
               "y_i = sum_e dropout(a_e) v_j",
    .gradient = "dz_e = a_e (da_e - sum a da), da_e = dropout(dy_i.v_j); ds = scale dz multiply within the clip; dq_i "
                "= sum ds_e k_j, dk_j = sum ds_e q_i, dv_j = sum dropout(a_e) dy_i; dmultiply[b] = sum dz score, "
                "dadd[b] = sum dz, dbias = dz",
    .cost = "4 E H D + 15 E H FLOP, 2 (E + M) H D + M H values and E indices moved; tables add E bytes, a bias E H "
            "values",
}};

namespace {

constexpr const char* kName = "edge_attention";

double scale_of(const EdgeAttentionOptions& options, std::int64_t depth) {
  return options.scale.value_or(1 / std::sqrt(static_cast<double>(std::max<std::int64_t>(1, depth))));
}

class EdgeAttention final : public Op {
 public:
  EdgeAttention(const Graph& graph, const Tensor& buckets, const EdgeAttentionOptions& options)
      : graph_(graph), buckets_(buckets), options_(options) {}

  const Schema& schema() const override { return edge_attention_schema; }
  void bind(Dims& dims) const override {
    dims.set("N", graph_.num_src());
    dims.set("M", graph_.num_dst());
    dims.set("E", graph_.num_edges());
  }

  Tensor forward(Inputs in) override {
    for (std::size_t i = 0; i < in_.size(); ++i) in_[i] = in[i];
    check_buckets();
    const Tensor& q = in_[0];
    Tensor y = Tensor::empty(q.shape(), q.dtype(), q.device());
    if (recording()) lse_ = Tensor::empty(Shape{q.size(0), q.size(1)}, q.dtype(), q.device());
    dispatch(q, kName, [&]<class T>(auto device) {
      kernels::edge_attention_forward(device, call<T>(), y.data<T>(), lse_.defined() ? lse_.data<T>() : nullptr);
    });
    cost_ = forward_cost();
    if (!recording()) in_ = {};
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    std::array<Tensor, 6> results;
    for (std::size_t i = 0; i < in_.size(); ++i)
      if (in_[i].defined() && gradients.wants(i))
        results[i] = Tensor::empty(in_[i].shape(), gradient.dtype(), gradient.device());
    dispatch(gradient, kName, [&]<class T>(auto device) {
      const auto to = [&](std::size_t i) { return results[i].defined() ? results[i].template data<T>() : nullptr; };
      kernels::edge_attention_backward(
          device, call<T>(), lse_.data<T>(), gradient.data<T>(),
          kernels::EdgeAttentionGradients<T>{
              .q = to(0), .k = to(1), .v = to(2), .multiply = to(3), .add = to(4), .bias = to(5)});
    });
    for (std::size_t i = 0; i < in_.size(); ++i)
      if (results[i].defined()) gradients.add(i, results[i]);
  }

  Cost cost() const override { return cost_; }
  // Five products in place of two: scores once more, da, dq, dk, dv.
  double backward_factor() const override { return 2.5; }

 private:
  template <class T>
  kernels::EdgeAttentionCall<T> call() const {
    const auto at = [&](std::size_t i) -> const T* { return in_[i].defined() ? in_[i].data<T>() : nullptr; };
    return {.graph = graph_,
            .heads = in_[0].size(1),
            .depth = in_[0].size(2),
            .buckets = table_size(),
            .scale = scale_of(options_, in_[0].size(2)),
            .clip = options_.clip,
            .dropout = options_.dropout,
            .random = options_.random,
            .q = at(0),
            .k = at(1),
            .v = at(2),
            .multiply = at(3),
            .add = at(4),
            .bias = at(5),
            .bucket = table_size() > 0 ? buckets_.data<std::uint8_t>() : nullptr};
  }

  std::int64_t table_size() const { return in_[3].defined() ? in_[3].size(1) : in_[4].defined() ? in_[4].size(1) : 0; }

  // The kernels index the tables by what is checked here, once per call.
  void check_buckets() {
    if (!in_[3].defined() && !in_[4].defined()) {
      buckets_ = {};
      return;
    }
    const std::int64_t size = table_size();
    if (size < 1 || size > 256)
      throw ShapeError({.op = kName,
                        .argument = "tables",
                        .got = "B = " + std::to_string(size),
                        .expected = "1 <= B <= 256",
                        .hint = "buckets are stored in one byte"});
    if (!buckets_.defined() || buckets_.dtype() != DType::uint8 || buckets_.shape() != Shape{graph_.num_edges()})
      throw TypeError({.op = kName,
                       .argument = "buckets",
                       .got = buckets_.defined() ? buckets_.str() : "an undefined tensor",
                       .expected = "uint8[" + std::to_string(graph_.num_edges()) + "], the bucket of every edge",
                       .hint = "the tables are looked up by it"});
    for (std::int64_t e = 0; size < 256 && e < graph_.num_edges(); ++e)
      if (const std::uint8_t bucket = buckets_.data<std::uint8_t>()[e]; bucket >= size)
        throw IndexError({.op = kName,
                          .argument = "bucket of edge " + std::to_string(e),
                          .got = std::to_string(bucket),
                          .expected = "0 <= bucket < " + std::to_string(size),
                          .hint = {}});
  }

  Cost forward_cost() const {
    const auto e = static_cast<double>(graph_.num_edges()), m = static_cast<double>(graph_.num_dst()),
               h = static_cast<double>(in_[0].size(1)), d = static_cast<double>(in_[0].size(2));
    const double values = 2 * (e + m) * h * d + m * h + (in_[5].defined() ? e * h : 0);
    return {.flops = 4 * e * h * d + 15 * e * h,
            .bytes =
                values * static_cast<double>(size_of(in_[0].dtype())) + kIndexBytes * e + (buckets_.defined() ? e : 0)};
  }

  Graph graph_;
  Tensor buckets_;
  EdgeAttentionOptions options_;
  std::array<Tensor, 6> in_;  // q, k, v, multiply, add, bias
  Tensor lse_;
  Cost cost_;
};

void check_options(const EdgeAttentionOptions& options) {
  const auto refuse = [](const char* argument, double got, const char* expected) {
    throw ValueError({.op = kName, .argument = argument, .got = std::to_string(got), .expected = expected, .hint = {}});
  };
  if (!(options.dropout >= 0 && options.dropout < 1)) refuse("dropout", options.dropout, "0 <= dropout < 1");
  if (!(options.clip >= 0)) refuse("clip", options.clip, "a limit above 0, or 0 for none");
}

}  // namespace

Var edge_attention(const Graph& graph, const Var& q, const Var& k, const Var& v, const EdgeAttentionTerms& terms,
                   const EdgeAttentionOptions& options) {
  check_options(options);
  return apply<EdgeAttention>({q, k, v, terms.multiply, terms.add, terms.bias}, graph, terms.buckets, options);
}

Var edge_attention_reference(const Graph& graph, const Var& q, const Var& k, const Var& v,
                             const EdgeAttentionTerms& terms, const EdgeAttentionOptions& options) {
  check_options(options);
  Var z = edge_dot(graph, q, k) * scale_of(options, q.size(-1));
  if (options.clip > 0) z = clamp(z, -options.clip, options.clip);
  if (terms.multiply.defined()) z = z * edge_bucket(terms.multiply, terms.buckets);
  if (terms.add.defined()) z = z + edge_bucket(terms.add, terms.buckets);
  if (terms.bias.defined()) z = z + terms.bias;
  Var weights = edge_softmax(graph, z);
  if (options.dropout > 0) weights = dropout(weights, options.dropout, options.random);
  return spmm(graph, weights, v);
}

}  // namespace atto
