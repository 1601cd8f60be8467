#include "ops/gat/gat.hpp"

#include <optional>

#include "core/error.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/csr_views.hpp"
#include "ops/dispatch.hpp"
#include "ops/dropout/dropout.hpp"
#include "ops/edge/edge.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/reduce/reduce.hpp"

namespace atto {

const Schema gat_schema{{
    .name = "gat",
    .signature = "x[N,H,D], src[N,H], dst[M,H], edge?[E,H] -> y[M,H,D]",
    .formula = "y_i = sum_e a_e x_j, a = softmax over the edges into i of LeakyReLU(src_j + dst_i + edge_e)",
    .gradient = "dz_e = a_e (da_e - sum a da) LeakyReLU', da_e = dy_i . x_j; dx_j = sum a_e dy_i; dsrc, ddst, dedge = "
                "sums of dz",
    .cost =
        "2 E H D + 15 E H FLOP, (E + M) H D + (E + M) H values and E indices moved; a term per edge adds E H values",
}};
const Schema gatv2_schema{{
    .name = "gatv2",
    .signature = "src[N,H,D], dst[M,H,D], vector[H,D], edge?[E,H,D] -> y[M,H,D]",
    .formula = "y_i = sum_e a_e src_j, a = softmax over the edges into i of vector . LeakyReLU(src_j + dst_i + edge_e)",
    .gradient = "dz_e = a_e (da_e - sum a da), dh_e = dz_e vector LeakyReLU'; dsrc_j = sum a_e dy_i + dh_e, ddst, "
                "dedge = sums of dh",
    .cost = "6 E H D + 15 E H FLOP, (E + 2 M) H D values and E indices moved; a term per edge adds E H D values",
}};

namespace {

class GatOp final : public Op {
 public:
  GatOp(const Graph& graph, const GatOptions& options, bool dynamic)
      : graph_(graph), options_(options), dynamic_(dynamic) {}

  const Schema& schema() const override { return dynamic_ ? gatv2_schema : gat_schema; }
  void bind(Dims& dims) const override {
    dims.set("N", graph_.num_src());
    dims.set("M", graph_.num_dst());
    dims.set("E", graph_.num_edges());
  }

  Tensor forward(Inputs in) override {
    for (std::size_t i = 0; i < 4; ++i) inputs_[i] = in[i];
    heads_ = inputs_[0].size(1);
    depth_ = inputs_[0].size(2);
    Tensor y = Tensor::empty(Shape{graph_.num_dst(), heads_, depth_}, inputs_[0].dtype(), inputs_[0].device());
    dispatch(y, schema().name(), [&]<class T>(auto device) { kernels::gat_forward(device, call<T>(), y.data<T>()); });
    element_bytes_ = static_cast<double>(size_of(y.dtype()));
    has_edge_term_ = inputs_[3].defined();
    if (!recording())
      for (Tensor& input : inputs_) input = {};
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    const auto like = [&](std::size_t i) {
      return inputs_[i].defined() && gradients.wants(i)
                 ? Tensor::empty(inputs_[i].shape(), gradient.dtype(), gradient.device())
                 : Tensor();
    };
    const Tensor results[4] = {like(0), like(1), like(2), like(3)};
    const Shape per_edge{graph_.num_edges(), heads_};
    const Tensor weight = Tensor::empty(per_edge, gradient.dtype(), gradient.device());
    // The gradient of a GAT's edge term is that of the logits.
    const Tensor dlogit =
        !dynamic_ && results[3].defined() ? results[3] : Tensor::empty(per_edge, gradient.dtype(), gradient.device());
    dispatch(gradient, schema().name(), [&]<class T>(auto device) {
      const auto pointer = [](const Tensor& tensor) { return tensor.defined() ? tensor.data<T>() : nullptr; };
      const kernels::GatGradients<T> out{.value = pointer(results[0]),
                                         .source = dynamic_ ? nullptr : pointer(results[1]),
                                         .destination = pointer(results[dynamic_ ? 1 : 2]),
                                         .vector = dynamic_ ? pointer(results[2]) : nullptr,
                                         .edge = pointer(results[3]),
                                         .weight = weight.data<T>(),
                                         .dlogit = dlogit.data<T>()};
      kernels::gat_backward(device, call<T>(), gradient.data<T>(), out);
    });
    for (std::size_t i = 0; i < 4; ++i)
      if (results[i].defined()) gradients.add(i, results[i]);
  }

  Cost cost() const override {
    const auto e = static_cast<double>(graph_.num_edges()), h = static_cast<double>(heads_),
               d = static_cast<double>(depth_);
    const auto m = static_cast<double>(graph_.num_dst());
    const double per_edge = has_edge_term_ ? e * h * (dynamic_ ? d : 1) : 0;
    const double values = (e + m) * h * d + (dynamic_ ? m * h * d : (e + m) * h) + per_edge;
    return {.flops = (dynamic_ ? 6 : 2) * e * h * d + 15 * e * h, .bytes = element_bytes_ * values + kIndexBytes * e};
  }
  // A gather over the edges into a node, for da, and one over those from it, for dx. GATv2 computes its hidden rows
  // anew in both and needs those of the destinations, too.
  double backward_factor() const override { return dynamic_ ? 3 : 2; }

 private:
  template <class T>
  kernels::GatCall<T> call() const {
    const auto pointer = [](const Tensor& tensor) -> const T* { return tensor.defined() ? tensor.data<T>() : nullptr; };
    return {.graph = graph_,
            .heads = heads_,
            .depth = depth_,
            .options = options_,
            .value = pointer(inputs_[0]),
            .source = dynamic_ ? nullptr : pointer(inputs_[1]),
            .destination = pointer(inputs_[dynamic_ ? 1 : 2]),
            .vector = dynamic_ ? pointer(inputs_[2]) : nullptr,
            .edge = pointer(inputs_[3])};
  }

  Graph graph_;
  GatOptions options_;
  bool dynamic_;
  std::int64_t heads_ = 0, depth_ = 0;
  double element_bytes_ = 0;
  bool has_edge_term_ = false;
  Tensor inputs_[4];
};

Var dropped(const Var& weights, const GatOptions& options) {
  return options.dropout > 0 ? dropout(weights, options.dropout, options.random) : weights;
}

}  // namespace

void detail::check_gat_options(const GatOptions& options, const char* op) {
  if (!(options.dropout >= 0 && options.dropout < 1))
    throw ValueError({.op = op,
                      .argument = "dropout",
                      .got = std::to_string(options.dropout),
                      .expected = "0 <= dropout < 1",
                      .hint = {}});
}

Var gat(const Graph& graph, const Var& x, const Var& src, const Var& dst, const Var& edge, const GatOptions& options) {
  detail::check_gat_options(options, "gat");
  return apply<GatOp>({x, src, dst, edge}, graph, options, false);
}

Var gatv2(const Graph& graph, const Var& src, const Var& dst, const Var& vector, const Var& edge,
          const GatOptions& options) {
  detail::check_gat_options(options, "gatv2");
  return apply<GatOp>({src, dst, vector, edge}, graph, options, true);
}

Var gat_reference(const Graph& graph, const Var& x, const Var& src, const Var& dst, const Var& edge,
                  const GatOptions& options) {
  Var z = edge_add(graph, src, dst);
  if (edge.defined()) z = z + edge;
  return spmm(graph, dropped(edge_softmax(graph, leaky_relu(z, options.slope)), options), x);
}

Var gatv2_reference(const Graph& graph, const Var& src, const Var& dst, const Var& vector, const Var& edge,
                    const GatOptions& options) {
  Var hidden = edge_add(graph, src, dst);
  if (edge.defined()) hidden = hidden + edge;
  const Var z = sum(leaky_relu(hidden, options.slope) * vector, -1);
  return spmm(graph, dropped(edge_softmax(graph, z), options), src);
}

}  // namespace atto
