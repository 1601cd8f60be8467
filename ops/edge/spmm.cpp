#include <algorithm>

#include "core/error.hpp"
#include "ops/csr_views.hpp"
#include "ops/dispatch.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/kernels.hpp"
#include "ops/rows.hpp"

namespace atto {
namespace {

constexpr Schema::Text spmm_text(std::string_view name, std::string_view formula, std::string_view gradient) {
  return {.name = name,
          .signature = "weights?[E,...], x[N_src,...] -> y[N_dst,...]",
          .formula = formula,
          .gradient = gradient,
          .cost = "2 E H D FLOP, E H (D + 1) + N_dst H D values and E indices moved"};
}

}  // namespace

const Schema spmm_schema{spmm_text("spmm", "y_i = sum of w_ij x_j over the edges j -> i",
                                   "dx_j = sum of w_ij dy_i over the edges from j, dw_ij,h = <dy_i,h, x_j,h>")};
const Schema spmm_mean_schema{spmm_text("spmm_mean", "y_i = (1 / edges into i) sum of w_ij x_j over the edges j -> i",
                                        "as spmm with dy_i / (edges into i)")};
const Schema spmm_max_schema{
    spmm_text("spmm_max", "y_ic = max of w_ij x_jc over the edges j -> i",
              "as spmm with, for every channel c of i, only the first edge that attains the maximum")};
const Schema spmm_min_schema{
    spmm_text("spmm_min", "y_ic = min of w_ij x_jc over the edges j -> i",
              "as spmm with, for every channel c of i, only the first edge that attains the minimum")};

namespace {

template <class T>
const T* data_or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

// What the four have in common: weights [E, heads] against features [N, heads, depth].
class SpmmBase : public Op {
 public:
  SpmmBase(const Graph& g, const Schema& schema) : graph_(g), schema_(&schema) {}
  const Schema& schema() const override { return *schema_; }
  void bind(Dims& dims) const override {
    dims.set("E", graph_.num_edges());
    dims.set("N_src", graph_.num_src());
  }
  Cost cost() const override {
    const double edges = static_cast<double>(graph_.num_edges()), width = static_cast<double>(heads_ * depth_);
    const double values = edges * (width + (w_.defined() ? static_cast<double>(heads_) : 0.0)) +
                          static_cast<double>(graph_.num_dst()) * width;
    return {.flops = 2 * edges * width,
            .bytes = values * static_cast<double>(size_of(x_.dtype())) + kIndexBytes * edges};
  }
  // One such product for dx, and one for dw where there are weights.
  double backward_factor() const override { return w_.defined() ? 2 : 1; }

 protected:
  Tensor prepare(const Inputs& in) {
    w_ = in[0];
    x_ = in[1];
    heads_ = w_.defined() ? row_size(w_.shape()) : 1;
    if (w_.defined() &&
        (w_.rank() > x_.rank() || !std::equal(w_.shape().begin() + 1, w_.shape().end(), x_.shape().begin() + 1)))
      throw ShapeError({.op = std::string(schema_->name()),
                        .argument = "weights",
                        .got = w_.shape().str(),
                        .expected = "[E] or the first further sizes of x " + x_.shape().str(),
                        .hint = "[E,H] goes with x [N,H,D]"});
    depth_ = heads_ > 0 ? row_size(x_.shape()) / heads_ : 0;
    return Tensor::empty(x_.shape().with(0, graph_.num_dst()), x_.dtype(), x_.device());
  }

  // Only dw reads x, which still tells its sizes.
  void let_go_of_unread() {
    if (!will_want(0)) x_.let_go();
  }

  Graph graph_;
  const Schema* schema_;
  Tensor w_, x_;
  std::int64_t heads_ = 0, depth_ = 0;
};

class SpmmSum final : public SpmmBase {
 public:
  SpmmSum(const Graph& g, bool mean) : SpmmBase(g, mean ? spmm_mean_schema : spmm_schema), mean_(mean) {}

  Tensor forward(Inputs in) override {
    Tensor y = prepare(in);
    dispatch(x_, schema_->name(), [&]<class T>(auto device) {
      kernels::spmm(device, by_destination(graph_), heads_, depth_, data_or_null<T>(w_), x_.data<T>(), mean_,
                    y.data<T>());
    });
    let_go_of_unread();
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    dispatch(x_, schema_->name(), [&]<class T>(auto device) {
      Tensor dy = gradient;
      if (mean_) {
        dy = Tensor::empty(gradient.shape(), gradient.dtype(), gradient.device());
        kernels::divide_by_count(device, by_destination(graph_), heads_ * depth_, gradient.data<T>(), dy.data<T>());
      }
      if (w_.defined() && heads_ == 1 && gradients.wants(0) && gradients.wants(1)) {
        Tensor dw = Tensor::empty(w_.shape(), w_.dtype(), dy.device());
        Tensor dx = Tensor::empty(x_.shape(), x_.dtype(), dy.device());
        kernels::spmm_gradient(device, by_source(graph_), depth_, w_.data<T>(), x_.data<T>(), dy.data<T>(),
                               dx.data<T>(), dw.data<T>());
        gradients.add(0, dw);
        gradients.add(1, dx);
        return;
      }
      if (gradients.wants(0)) {
        Tensor dw = Tensor::empty(w_.shape(), w_.dtype(), dy.device());
        kernels::edge_dot(device, by_destination(graph_), heads_, depth_, dy.data<T>(), x_.data<T>(), dw.data<T>());
        gradients.add(0, dw);
      }
      if (gradients.wants(1)) {
        Tensor dx = Tensor::empty(x_.shape(), x_.dtype(), dy.device());
        kernels::spmm(device, by_source(graph_), heads_, depth_, data_or_null<T>(w_), dy.data<T>(), false,
                      dx.data<T>());
        gradients.add(1, dx);
      }
    });
  }

 private:
  bool mean_;
};

class SpmmExtreme final : public SpmmBase {
 public:
  SpmmExtreme(const Graph& g, bool largest)
      : SpmmBase(g, largest ? spmm_max_schema : spmm_min_schema), largest_(largest) {}

  Tensor forward(Inputs in) override {
    Tensor y = prepare(in);
    winner_ = Tensor::empty(y.shape(), DType::int32, y.device());
    dispatch(x_, schema_->name(), [&]<class T>(auto device) {
      kernels::spmm_extreme(device, by_destination(graph_), heads_, depth_, data_or_null<T>(w_), x_.data<T>(), largest_,
                            y.data<T>(), winner_.data<std::int32_t>());
    });
    let_go_of_unread();
    return y;
  }

  void backward(const Tensor& dy, Gradients& gradients) override {
    dispatch(x_, schema_->name(), [&]<class T>(auto device) {
      if (gradients.wants(0)) {
        Tensor dw = Tensor::empty(w_.shape(), w_.dtype(), dy.device());
        kernels::spmm_extreme_dw(device, by_destination(graph_), heads_, depth_, x_.data<T>(), dy.data<T>(),
                                 winner_.data<std::int32_t>(), dw.data<T>());
        gradients.add(0, dw);
      }
      if (gradients.wants(1)) {
        Tensor dx = Tensor::empty(x_.shape(), x_.dtype(), dy.device());
        kernels::spmm_extreme_dx(device, by_source(graph_), heads_, depth_, data_or_null<T>(w_), dy.data<T>(),
                                 winner_.data<std::int32_t>(), dx.data<T>());
        gradients.add(1, dx);
      }
    });
  }

 private:
  bool largest_;
  Tensor winner_;
};

}  // namespace

Var spmm(const Graph& g, const Var& weights, const Var& x) {
  return apply<SpmmSum>({weights, x}, g, false);
}
Var spmm_mean(const Graph& g, const Var& weights, const Var& x) {
  return apply<SpmmSum>({weights, x}, g, true);
}
Var spmm_max(const Graph& g, const Var& weights, const Var& x) {
  return apply<SpmmExtreme>({weights, x}, g, true);
}
Var spmm_min(const Graph& g, const Var& weights, const Var& x) {
  return apply<SpmmExtreme>({weights, x}, g, false);
}

}  // namespace atto
