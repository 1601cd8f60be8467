#include "ops/gated_conv/gated_conv.hpp"

#include <string>

#include "core/error.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/csr_views.hpp"
#include "ops/dispatch.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/kinds.hpp"
#include "ops/edge/message.hpp"
#include "ops/index/index.hpp"
#include "ops/pointwise/pointwise.hpp"

namespace atto {

const Schema gated_conv_schema{{
    .name = "gated_conv",
    .signature = "dst[M,D], src[N,D], value[N,D], edge?[R,D] -> y[M,D]",
    .formula = "y_i = sum_e s_e value_j / (sum_e s_e + epsilon), s_e = sigmoid(dst_i + src_j + edge_e) over the edges "
               "e = (j -> i)",
    .gradient = "with h_i = dy_i / (sum_e s_e + epsilon): dz_e = h_i (value_j - y_i) s_e (1 - s_e); ddst, dsrc, dedge "
                "= sums of dz; "
                "dvalue_j = sum of s_e h_i over the edges from j",
    .cost = "16 E D FLOP, 2 (E + M) D values and E indices moved; a row for every edge adds E D values",
}};

namespace {

class GatedConvOp final : public Op {
 public:
  GatedConvOp(const Graph& graph, const GatedConvOptions& options) : graph_(graph), options_(options) {}

  const Schema& schema() const override { return gated_conv_schema; }
  void bind(Dims& dims) const override {
    dims.set("M", graph_.num_dst());
    dims.set("N", graph_.num_src());
    if (!options_.kind.defined()) dims.set("R", graph_.num_edges());
  }

  Tensor forward(Inputs in) override {
    for (std::size_t i = 0; i < 4; ++i) inputs_[i] = in[i];
    kind_ =
        checked_kinds(options_.kind, graph_.num_edges(), inputs_[3].defined() ? inputs_[3].size(0) : 0, "gated_conv");
    y_ = Tensor::empty(inputs_[0].shape(), inputs_[0].dtype(), inputs_[0].device());
    inverse_ = Tensor::empty(y_.shape(), y_.dtype(), y_.device());
    dispatch(y_, "gated_conv", [&]<class T>(auto device) {
      kernels::gated_conv_forward(device, call<T>(), y_.data<T>(), inverse_.data<T>());
    });
    return y_;
  }

  void backward(const Tensor& g, Gradients& gradients) override {
    const auto like = [&](std::size_t i, bool wanted) {
      return wanted ? Tensor::empty(inputs_[i].shape(), g.dtype(), g.device()) : Tensor();
    };
    const bool by_source = gradients.wants(1) || gradients.wants(2);
    const Tensor results[4] = {like(0, gradients.wants(0)), like(1, by_source), like(2, by_source),
                               like(3, inputs_[3].defined() && gradients.wants(3))};
    const Tensor scaled = Tensor::empty(y_.shape(), g.dtype(), g.device());
    dispatch(g, "gated_conv", [&]<class T>(auto device) {
      const auto pointer = [](const Tensor& tensor) { return tensor.defined() ? tensor.data<T>() : nullptr; };
      kernels::gated_conv_backward(device, call<T>(), y_.data<T>(), inverse_.data<T>(), g.data<T>(),
                                   kernels::GatedConvGradients<T>{.dst = pointer(results[0]),
                                                                  .src = pointer(results[1]),
                                                                  .value = pointer(results[2]),
                                                                  .edge = pointer(results[3]),
                                                                  .scaled = scaled.data<T>()});
    });
    for (std::size_t i = 0; i < 4; ++i)
      if (results[i].defined() && gradients.wants(i)) gradients.add(i, results[i]);
  }

  Cost cost() const override {
    const auto width = static_cast<double>(y_.size(1)), edges = static_cast<double>(graph_.num_edges());
    const bool row_per_edge = inputs_[3].defined() && !kind_.defined();
    const double rows = 2 * (edges + static_cast<double>(graph_.num_dst())) + (row_per_edge ? edges : 0);
    return {.flops = 16 * edges * width,
            .bytes = rows * width * static_cast<double>(size_of(y_.dtype())) + kIndexBytes * edges};
  }
  double backward_factor() const override { return 3; }

 private:
  template <class T>
  kernels::GatedConvCall<T> call() const {
    return {.graph = graph_,
            .width = y_.size(1),
            .dst = inputs_[0].data<T>(),
            .src = inputs_[1].data<T>(),
            .value = inputs_[2].data<T>(),
            .edge = inputs_[3].defined() ? inputs_[3].data<T>() : nullptr,
            .rows = inputs_[3].defined() ? inputs_[3].size(0) : 0,
            .kind = kind_.defined() ? kind_.data<std::int32_t>() : nullptr,
            .epsilon = static_cast<T>(options_.epsilon)};
  }

  Graph graph_;
  GatedConvOptions options_;
  Tensor inputs_[4], kind_, y_, inverse_;
};

}  // namespace

Var gated_conv(const Graph& graph, const Var& dst, const Var& src, const Var& value, const Var& edge,
               const GatedConvOptions& options) {
  if (options.kind.defined() && !edge.defined())
    throw ValueError(
        {.op = "gated_conv", .argument = "edge", .got = "none", .expected = "a row for each kind of edge", .hint = {}});
  if (options.kind.defined() && edge.size(0) > kMostKinds)
    return gated_conv(graph, dst, src, value, embedding(edge, options.kind), {.epsilon = options.epsilon});
  return apply<GatedConvOp>({dst, src, value, edge}, graph, options);
}

Var gated_conv_reference(const Graph& graph, const Var& dst, const Var& src, const Var& value, const Var& edge,
                         const GatedConvOptions& options) {
  Var z = edge_add(graph, src, dst);
  if (edge.defined()) z = z + (options.kind.defined() ? embedding(edge, options.kind) : edge);
  return gated_sum(graph, sigmoid(z), value, options.epsilon);
}

}  // namespace atto
