#include "core/error.hpp"
#include "ops/csr_views.hpp"
#include "ops/dispatch.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/kernels.hpp"
#include "ops/rows.hpp"

namespace atto {

const Schema edge_add_schema{{
    .name = "edge_add",
    .signature = "src?[N_src,...], dst?[N_dst,...] -> e[E,...]",
    .formula = "e_ij = src_j + dst_i for every edge j -> i",
    .gradient = "dsrc_j = sum of de_ij over the edges from j, ddst_i = sum of de_ij over the edges into i",
    .cost = "E W FLOP, (2 E + N_dst) W values and E indices moved, for rows of W values",
}};
const Schema edge_mul_schema{{
    .name = "edge_mul",
    .signature = "src[N_src,...], dst[N_dst,...] -> e[E,...]",
    .formula = "e_ij = src_j dst_i for every edge j -> i",
    .gradient = "dsrc_j = sum of de_ij dst_i over the edges from j, ddst_i = sum of de_ij src_j over the edges into i",
    .cost = "E W FLOP, (2 E + N_dst) W values and E indices moved, for rows of W values",
}};

namespace {

// Both sides have the same further sizes; returns the shape of the edge tensor.
Shape edge_shape(const char* op, const Graph& g, const Tensor& src, const Tensor& dst) {
  if (!src.defined() && !dst.defined())
    throw ShapeError({.op = op,
                      .argument = "src",
                      .got = "two undefined tensors",
                      .expected = "at least one of src and dst",
                      .hint = {}});
  const Shape shape = (src.defined() ? src : dst).shape().with(0, g.num_edges());
  if (dst.defined() && dst.shape().with(0, g.num_edges()) != shape)
    throw ShapeError({.op = op,
                      .argument = "dst",
                      .got = dst.shape().str(),
                      .expected = "the further sizes of src " + src.shape().str(),
                      .hint = {}});
  return shape;
}

Tensor joined(const char* op, const Graph& g, kernels::Join join, const Tensor& src, const Tensor& dst) {
  const Tensor& any = src.defined() ? src : dst;
  Tensor e = Tensor::empty(edge_shape(op, g, src, dst), any.dtype(), any.device());
  dispatch(any, op, [&]<class T>(auto device) {
    kernels::edge_join(device, by_destination(g), row_size(any.shape()), join, src.defined() ? src.data<T>() : nullptr,
                       dst.defined() ? dst.data<T>() : nullptr, e.data<T>());
  });
  return e;
}

// The rows of a source are gathered, those of a destination serve all its edges.
Cost cost_of_join(const Graph& g, bool src, bool dst, const Tensor& e) {
  const auto width = static_cast<double>(row_size(e.shape())), edges = static_cast<double>(g.num_edges()),
             rows = static_cast<double>(g.num_dst());
  const double values = (edges + (src ? edges : 0) + (dst ? rows : 0)) * width;
  return {.flops = src && dst ? edges * width : 0,
          .bytes = values * static_cast<double>(size_of(e.dtype())) + (src ? kIndexBytes * edges : 0)};
}

class EdgeAdd final : public Op {
 public:
  explicit EdgeAdd(const Graph& g) : graph_(g) {}
  const Schema& schema() const override { return edge_add_schema; }
  void bind(Dims& dims) const override {
    dims.set("N_src", graph_.num_src());
    dims.set("N_dst", graph_.num_dst());
  }

  Tensor forward(Inputs in) override {
    Tensor e = joined("edge_add", graph_, kernels::Join::add, in[0], in[1]);
    cost_ = cost_of_join(graph_, in[0].defined(), in[1].defined(), e);
    return e;
  }

  void backward(const Tensor& de, Gradients& gradients) override {
    if (gradients.wants(0)) gradients.add(0, summed(de, edges_by_source(graph_)));
    if (gradients.wants(1)) gradients.add(1, summed(de, edges_by_destination(graph_)));
  }

  Cost cost() const override { return cost_; }
  double backward_factor() const override { return 1; }

 private:
  static Tensor summed(const Tensor& de, const Csr& rows) {
    Tensor y = Tensor::empty(de.shape().with(0, rows.rows), de.dtype(), de.device());
    dispatch(de, "edge_add", [&]<class T>(auto device) {
      kernels::spmm<T>(device, rows, 1, row_size(de.shape()), nullptr, de.data<T>(), false, y.data<T>());
    });
    return y;
  }

  Graph graph_;
  Cost cost_;
};

class EdgeMul final : public Op {
 public:
  explicit EdgeMul(const Graph& g) : graph_(g) {}
  const Schema& schema() const override { return edge_mul_schema; }
  void bind(Dims& dims) const override {
    dims.set("N_src", graph_.num_src());
    dims.set("N_dst", graph_.num_dst());
  }

  Tensor forward(Inputs in) override {
    src_ = in[0];
    dst_ = in[1];
    Tensor e = joined("edge_mul", graph_, kernels::Join::multiply, src_, dst_);
    cost_ = cost_of_join(graph_, true, true, e);
    if (!will_want(0)) dst_.let_go();
    if (!will_want(1)) src_.let_go();
    return e;
  }

  void backward(const Tensor& de, Gradients& gradients) override {
    if (gradients.wants(0)) gradients.add(0, weighted(de, dst_, by_source(graph_)));
    if (gradients.wants(1)) gradients.add(1, weighted(de, src_, by_destination(graph_)));
  }

  Cost cost() const override { return cost_; }

 private:
  // A product of sparse and dense with a weight of its own for every channel.
  static Tensor weighted(const Tensor& de, const Tensor& x, const Csr& rows) {
    Tensor y = Tensor::empty(de.shape().with(0, rows.rows), de.dtype(), de.device());
    dispatch(de, "edge_mul", [&]<class T>(auto device) {
      kernels::spmm<T>(device, rows, row_size(de.shape()), 1, de.data<T>(), x.data<T>(), false, y.data<T>());
    });
    return y;
  }

  Graph graph_;
  Tensor src_, dst_;
  Cost cost_;
};

}  // namespace

Var edge_add(const Graph& g, const Var& src, const Var& dst) {
  return apply<EdgeAdd>({src, dst}, g);
}
Var edge_mul(const Graph& g, const Var& src, const Var& dst) {
  return apply<EdgeMul>({src, dst}, g);
}

}  // namespace atto
