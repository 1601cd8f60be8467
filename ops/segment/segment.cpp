#include "ops/segment/segment.hpp"

#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dispatch.hpp"
#include "ops/edge/kernels.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/rows.hpp"
#include "ops/segment/row_groups.hpp"

namespace atto {

const Schema segment_sum_schema{{
    .name = "segment_sum",
    .signature = "x[N,...] -> y[S,...]",
    .formula = "y_s = sum of x_n over the rows n of segment s",
    .gradient = "dx_n = dy_s",
    .cost = "N W FLOP, (N + S) W values moved, for rows of W values",
}};
const Schema segment_mean_schema{{
    .name = "segment_mean",
    .signature = "x[N,...] -> y[S,...]",
    .formula = "y_s = (1/|s|) sum of x_n over the rows n of segment s",
    .gradient = "dx_n = dy_s / |s|",
    .cost = "N W FLOP, (N + S) W values moved, for rows of W values",
}};
const Schema segment_max_schema{{
    .name = "segment_max",
    .signature = "x[N,...] -> y[S,...]",
    .formula = "y_sc = max of x_nc over the rows n of segment s",
    .gradient = "dx_nc = dy_sc for the first n that attains it, else 0",
    .cost = "N W FLOP, (N + S) W values moved, for rows of W values",
}};
const Schema segment_softmax_schema{{
    .name = "segment_softmax",
    .signature = "logits[N,...] -> alpha[N,...]",
    .formula =
        "alpha_n = exp(z_n - max) / sum_m exp(z_m - max) over the rows m of the segment of n; 0 where all z_m = -inf",
    .gradient = "dz_n = alpha_n (dalpha_n - sum_m alpha_m dalpha_m)",
    .cost = "15 N W FLOP, 2 N W values moved, for rows of W values",
}};
const Schema segment_broadcast_schema{{
    .name = "segment_broadcast",
    .signature = "x[S,...] -> y[N,...]",
    .formula = "y_n = x_s for the rows n of segment s",
    .gradient = "dx_s = sum of dy_n over the rows n of segment s",
    .cost = "(N + S) W values moved, for rows of W values",
}};

namespace {

Tensor spread(const Tensor& x, const RowGroups& segments) {
  Tensor y = Tensor::empty(x.shape().with(0, segments.total()), x.dtype(), x.device());
  dispatch(x, "segment_broadcast", [&]<class T>(auto device) {
    kernels::segment_broadcast(device, segments.csr(), row_size(x.shape()), x.data<T>(), y.data<T>());
  });
  return y;
}

// What pooling and its inverse have in common.
class SegmentOp : public Op {
 public:
  SegmentOp(const Schema& schema, const Ragged& segments)
      : schema_(&schema), segments_(segments, schema.text().name.data()) {}
  const Schema& schema() const override { return *schema_; }
  void bind(Dims& dims) const override { dims.set("N", segments_.total()); }
  Cost cost() const override { return cost_; }
  double backward_factor() const override { return 1; }

 protected:
  void set_cost(const Tensor& x, double flops_per_value) {
    const double width = static_cast<double>(row_size(x.shape()));
    cost_ = {.flops = flops_per_value * static_cast<double>(segments_.total()) * width,
             .bytes = static_cast<double>(segments_.total() + segments_.count()) * width *
                      static_cast<double>(size_of(x.dtype()))};
  }

  const Schema* schema_;
  RowGroups segments_;
  Cost cost_;
};

class SegmentSum final : public SegmentOp {
 public:
  SegmentSum(const Ragged& segments, bool mean)
      : SegmentOp(mean ? segment_mean_schema : segment_sum_schema, segments), mean_(mean) {}

  Tensor forward(Inputs in) override {
    set_cost(in[0], 1);
    return segments_.sum(in[0], mean_);
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor dy = gradient;
    if (mean_) {
      dy = Tensor::empty(gradient.shape(), gradient.dtype(), gradient.device());
      dispatch(gradient, "segment_mean", [&]<class T>(auto device) {
        kernels::divide_by_count(device, segments_.csr(), row_size(dy.shape()), gradient.data<T>(), dy.data<T>());
      });
    }
    gradients.add(0, spread(dy, segments_));
  }

 private:
  bool mean_;
};

class SegmentMax final : public SegmentOp {
 public:
  explicit SegmentMax(const Ragged& segments) : SegmentOp(segment_max_schema, segments) {}

  Tensor forward(Inputs in) override {
    set_cost(in[0], 1);
    Tensor y = Tensor::empty(in[0].shape().with(0, segments_.count()), in[0].dtype(), in[0].device());
    winner_ = Tensor::empty(y.shape(), DType::int32, y.device());
    dispatch(y, "segment_max", [&]<class T>(auto device) {
      kernels::spmm_extreme<T>(device, segments_.csr(), 1, row_size(y.shape()), nullptr, in[0].data<T>(), true,
                               y.data<T>(), winner_.data<std::int32_t>());
    });
    return y;
  }

  void backward(const Tensor& dy, Gradients& gradients) override {
    Tensor dx = Tensor::empty(dy.shape().with(0, segments_.total()), dy.dtype(), dy.device());
    dispatch(dy, "segment_max", [&]<class T>(auto device) {
      kernels::segment_max_gradient(device, segments_.csr(), row_size(dy.shape()), dy.data<T>(),
                                    winner_.data<std::int32_t>(), dx.data<T>());
    });
    gradients.add(0, dx);
  }

 private:
  Tensor winner_;
};

// The softmax over the edges into a node, with segments for nodes.
class SegmentSoftmax final : public SegmentOp {
 public:
  explicit SegmentSoftmax(const Ragged& segments) : SegmentOp(segment_softmax_schema, segments) {}

  Tensor forward(Inputs in) override {
    set_cost(in[0], 15);
    alpha_ = Tensor::empty(in[0].shape(), in[0].dtype(), in[0].device());
    dispatch(alpha_, "segment_softmax", [&]<class T>(auto device) {
      kernels::edge_softmax(device, segments_.csr(), row_size(alpha_.shape()), in[0].data<T>(), alpha_.data<T>());
    });
    return alpha_;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor dz = Tensor::empty(alpha_.shape(), alpha_.dtype(), alpha_.device());
    dispatch(alpha_, "segment_softmax", [&]<class T>(auto device) {
      kernels::edge_softmax_gradient(device, segments_.csr(), row_size(alpha_.shape()), alpha_.data<T>(),
                                     gradient.data<T>(), dz.data<T>());
    });
    gradients.add(0, dz);
  }

 private:
  Tensor alpha_;
};

class SegmentBroadcast final : public SegmentOp {
 public:
  explicit SegmentBroadcast(const Ragged& segments) : SegmentOp(segment_broadcast_schema, segments) {}
  void bind(Dims& dims) const override { dims.set("S", segments_.count()); }

  Tensor forward(Inputs in) override {
    set_cost(in[0], 0);
    return spread(in[0], segments_);
  }
  void backward(const Tensor& gradient, Gradients& gradients) override { gradients.add(0, segments_.sum(gradient)); }
};

}  // namespace

Var segment_sum(const Var& x, const Ragged& segments) {
  return apply<SegmentSum>({x}, segments, false);
}
Var segment_mean(const Var& x, const Ragged& segments) {
  return apply<SegmentSum>({x}, segments, true);
}
Var segment_max(const Var& x, const Ragged& segments) {
  return apply<SegmentMax>({x}, segments);
}
Var segment_softmax(const Var& logits, const Ragged& segments) {
  return apply<SegmentSoftmax>({logits}, segments);
}
Var segment_broadcast(const Var& x, const Ragged& segments) {
  return apply<SegmentBroadcast>({x}, segments);
}

Var segment_softmax_reference(const Var& logits, const Ragged& segments) {
  const Var shift =
      segment_max(logits, segments).detach();  // any shift gives the same softmax, so it needs no gradient
  const Var raised = exp(logits - segment_broadcast(shift, segments));
  return raised / segment_broadcast(segment_sum(raised, segments), segments);
}

}  // namespace atto
