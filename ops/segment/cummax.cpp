#include "ops/segment/cummax.hpp"

#include "graph/support.hpp"
#include "ops/dispatch.hpp"
#include "ops/edge/edge.hpp"
#include "ops/rows.hpp"
#include "ops/segment/row_groups.hpp"

namespace atto {

const Schema segment_cummax_schema{{
    .name = "segment_cummax",
    .signature = "x[N,...] -> y[N,...]",
    .formula = "y_nc = max of x_mc over the rows m <= n of the segment of n",
    .gradient = "dx_mc = sum of dy_nc over the rows n whose maximum m is the first to attain",
    .cost = "N W FLOP, 2 N W values moved, for rows of W values",
}};

namespace {

class SegmentCummax final : public Op {
 public:
  explicit SegmentCummax(const Ragged& segments) : segments_(segments, "segment_cummax") {}
  const Schema& schema() const override { return segment_cummax_schema; }
  void bind(Dims& dims) const override { dims.set("N", segments_.total()); }

  Tensor forward(Inputs in) override {
    cost_ = {.flops = static_cast<double>(in[0].numel()), .bytes = 2 * static_cast<double>(in[0].bytes())};
    Tensor y = Tensor::empty(in[0].shape(), in[0].dtype(), in[0].device());
    winner_ = Tensor::empty(y.shape(), DType::int32, y.device());
    dispatch(y, "segment_cummax", [&]<class T>(auto device) {
      kernels::segment_cummax(device, segments_.csr(), row_size(y.shape()), in[0].data<T>(), y.data<T>(),
                              winner_.data<std::int32_t>());
    });
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor dx = Tensor::empty(gradient.shape(), gradient.dtype(), gradient.device());
    dispatch(gradient, "segment_cummax", [&]<class T>(auto device) {
      kernels::segment_cummax_gradient(device, segments_.csr(), row_size(dx.shape()), gradient.data<T>(),
                                       winner_.data<std::int32_t>(), dx.data<T>());
    });
    gradients.add(0, dx);
  }

  Cost cost() const override { return cost_; }
  double backward_factor() const override { return 1; }

 private:
  RowGroups segments_;
  Tensor winner_;
  Cost cost_;
};

}  // namespace

Var segment_cummax(const Var& x, const Ragged& segments) {
  return apply<SegmentCummax>({x}, segments);
}

Var segment_cummax_reference(const Var& x, const Ragged& segments) {
  const Support causal = Support::causal(segments);
  return edge_max(causal.graph(), edge_add(causal.graph(), x, {}));
}

}  // namespace atto
