#include "ops/csr_views.hpp"
#include "ops/dispatch.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/kernels.hpp"
#include "ops/rows.hpp"

namespace atto {

const Schema edge_softmax_schema{{
    .name = "edge_softmax",
    .signature = "logits[E,...] -> alpha[E,...]",
    .formula = "alpha_ij = exp(z_ij - max_k z_ik) / sum_k exp(z_ik - max_k z_ik) over the edges k -> i; 0 where all "
               "z_ik = -inf",
    .gradient = "dz_ij = alpha_ij (dalpha_ij - sum_k alpha_ik dalpha_ik)",
    .cost = "15 E H FLOP, 2 E H values moved",
}};

namespace {

class EdgeSoftmax final : public Op {
 public:
  explicit EdgeSoftmax(const Graph& g) : graph_(g) {}
  const Schema& schema() const override { return edge_softmax_schema; }
  void bind(Dims& dims) const override { dims.set("E", graph_.num_edges()); }

  Tensor forward(Inputs in) override {
    alpha_ = Tensor::empty(in[0].shape(), in[0].dtype(), in[0].device());
    dispatch(alpha_, "edge_softmax", [&]<class T>(auto device) {
      kernels::edge_softmax(device, by_destination(graph_), row_size(alpha_.shape()), in[0].data<T>(),
                            alpha_.data<T>());
    });
    return alpha_;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor dz = Tensor::empty(alpha_.shape(), alpha_.dtype(), alpha_.device());
    dispatch(alpha_, "edge_softmax", [&]<class T>(auto device) {
      kernels::edge_softmax_gradient(device, by_destination(graph_), row_size(alpha_.shape()), alpha_.data<T>(),
                                     gradient.data<T>(), dz.data<T>());
    });
    gradients.add(0, dz);
  }

  Cost cost() const override {
    return {.flops = 15.0 * static_cast<double>(alpha_.numel()), .bytes = 2.0 * static_cast<double>(alpha_.bytes())};
  }
  double backward_factor() const override { return 1; }

 private:
  Graph graph_;
  Tensor alpha_;
};

}  // namespace

Var edge_softmax(const Graph& g, const Var& logits) {
  return apply<EdgeSoftmax>({logits}, g);
}

}  // namespace atto
