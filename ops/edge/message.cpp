#include "ops/edge/message.hpp"

#include "ops/csr_views.hpp"
#include "ops/dispatch.hpp"
#include "ops/edge/kernels.hpp"
#include "ops/edge/kinds.hpp"
#include "ops/index/index.hpp"

namespace atto {

const Schema gated_sum_schema{{
    .name = "gated_sum",
    .signature = "gates[E,D], x[N_src,D] -> y[N_dst,D]",
    .formula = "y_i = sum_j s_ij x_j / (sum_j s_ij + epsilon) over the edges j -> i, channel by channel",
    .gradient = "with g_i = dy_i / (sum_j s_ij + epsilon): ds_ij = g_i (x_j - y_i), dx_j = sum of s_ij g_i over the "
                "edges from j",
    .cost = "3 E D FLOP, 2 (E + N_dst) D values and E indices moved",
}};
const Schema gine_sum_schema{{
    .name = "gine_sum",
    .signature = "x[N_src,D], e[R,D] -> y[N_dst,D]",
    .formula = "y_i = sum of relu(x_j + e_ij) over the edges j -> i",
    .gradient = "de_ij = dy_i where x_j + e_ij > 0, else 0; dx_j = sum of the same over the edges from j",
    .cost = "3 E D FLOP, (2 E + N_dst) D values and E indices moved",
}};

namespace {

// Bytes that an aggregation moves: two rows and an index per edge, and `per_node` rows per destination.
double bytes_moved(const Graph& g, std::int64_t width, DType dtype, std::int64_t per_node) {
  return static_cast<double>((2 * g.num_edges() + per_node * g.num_dst()) * width) *
             static_cast<double>(size_of(dtype)) +
         kIndexBytes * static_cast<double>(g.num_edges());
}

class GatedSum final : public Op {
 public:
  GatedSum(const Graph& g, double epsilon) : graph_(g), epsilon_(epsilon) {}
  const Schema& schema() const override { return gated_sum_schema; }
  void bind(Dims& dims) const override {
    dims.set("E", graph_.num_edges());
    dims.set("N_src", graph_.num_src());
  }

  Tensor forward(Inputs in) override {
    gates_ = in[0];
    x_ = in[1];
    y_ = Tensor::empty(Shape{graph_.num_dst(), x_.size(1)}, x_.dtype(), x_.device());
    inverse_ = Tensor::empty(y_.shape(), y_.dtype(), y_.device());
    dispatch(x_, "gated_sum", [&]<class T>(auto device) {
      kernels::gated_sum(device, by_destination(graph_), x_.size(1), gates_.data<T>(), x_.data<T>(),
                         static_cast<T>(epsilon_), y_.data<T>(), inverse_.data<T>());
    });
    return y_;
  }

  void backward(const Tensor& dy, Gradients& gradients) override {
    dispatch(x_, "gated_sum", [&]<class T>(auto device) {
      Tensor g = Tensor::empty(y_.shape(), y_.dtype(), y_.device());
      kernels::multiply(device, y_.numel(), dy.data<T>(), inverse_.data<T>(), g.data<T>());
      if (gradients.wants(0)) {
        Tensor ds = Tensor::empty(gates_.shape(), gates_.dtype(), gates_.device());
        kernels::gated_sum_ds(device, by_destination(graph_), x_.size(1), x_.data<T>(), y_.data<T>(), g.data<T>(),
                              ds.data<T>());
        gradients.add(0, ds);
      }
      if (gradients.wants(1)) {
        Tensor dx = Tensor::empty(x_.shape(), x_.dtype(), x_.device());
        kernels::spmm<T>(device, by_source(graph_), x_.size(1), 1, gates_.data<T>(), g.data<T>(), false, dx.data<T>());
        gradients.add(1, dx);
      }
    });
  }

  Cost cost() const override {
    return {.flops = 3.0 * static_cast<double>(gates_.numel()),
            .bytes = bytes_moved(graph_, x_.size(1), x_.dtype(), 2)};
  }

 private:
  Graph graph_;
  double epsilon_;
  Tensor gates_, x_, y_, inverse_;
};

class GineSum final : public Op {
 public:
  GineSum(const Graph& g, const Tensor& kind) : graph_(g), kind_(kind) {}
  const Schema& schema() const override { return gine_sum_schema; }
  void bind(Dims& dims) const override {
    if (!kind_.defined()) dims.set("R", graph_.num_edges());
    dims.set("N_src", graph_.num_src());
  }

  Tensor forward(Inputs in) override {
    x_ = in[0];
    e_ = in[1];
    kind_ = checked_kinds(kind_, graph_.num_edges(), e_.size(0), "gine_sum");
    Tensor y = Tensor::empty(Shape{graph_.num_dst(), x_.size(1)}, x_.dtype(), x_.device());
    dispatch(x_, "gine_sum", [&]<class T>(auto device) {
      kernels::gine_sum(device, EdgeKinds(graph_, kind_).by_destination(), x_.size(1), x_.data<T>(), e_.data<T>(),
                        y.data<T>());
    });
    return y;
  }

  void backward(const Tensor& dy, Gradients& gradients) override {
    EdgeKinds kinds(graph_, kind_);
    dispatch(x_, "gine_sum", [&]<class T>(auto device) {
      if (gradients.wants(0)) {
        Tensor dx = Tensor::empty(x_.shape(), x_.dtype(), x_.device());
        kernels::gine_sum_dx(device, kinds.by_source(), x_.size(1), x_.data<T>(), e_.data<T>(), dy.data<T>(),
                             dx.data<T>());
        gradients.add(0, dx);
      }
      if (gradients.wants(1)) {
        Tensor de = Tensor::empty(e_.shape(), e_.dtype(), e_.device());
        if (kinds.defined())
          kernels::gine_sum_dkinds(device, kinds.by_destination(), graph_.in_blocks(), x_.size(1), e_.size(0),
                                   x_.data<T>(), e_.data<T>(), dy.data<T>(), de.data<T>());
        else
          kernels::gine_sum_de(device, by_destination(graph_), x_.size(1), x_.data<T>(), e_.data<T>(), dy.data<T>(),
                               de.data<T>());
        gradients.add(1, de);
      }
    });
  }

  Cost cost() const override {
    const double values = static_cast<double>(graph_.num_edges()) * static_cast<double>(x_.size(1));
    return {.flops = 3 * values, .bytes = bytes_moved(graph_, x_.size(1), x_.dtype(), 1)};
  }
  double backward_factor() const override { return 2.5; }  // de reads x, e and writes; dx reads e and gathers dy

 private:
  Graph graph_;
  Tensor x_, e_, kind_;
};

}  // namespace

Var gated_sum(const Graph& g, const Var& gates, const Var& x, double epsilon) {
  return apply<GatedSum>({gates, x}, g, epsilon);
}
Var gine_sum(const Graph& g, const Var& x, const Var& e, const Tensor& kind) {
  if (kind.defined() && e.size(0) > kMostKinds) return gine_sum(g, x, embedding(e, kind));
  return apply<GineSum>({x, e}, g, kind);
}

}  // namespace atto
