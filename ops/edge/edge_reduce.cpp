#include "ops/csr_views.hpp"
#include "ops/dispatch.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/kernels.hpp"
#include "ops/rows.hpp"

namespace atto {
namespace {

constexpr Schema::Text reduction(std::string_view name, std::string_view formula, std::string_view gradient) {
  return {.name = name,
          .signature = "e[E,...] -> y[N_dst,...]",
          .formula = formula,
          .gradient = gradient,
          .cost = "E W FLOP, (E + N_dst) W values moved, for rows of W values"};
}

}  // namespace

const Schema edge_sum_schema{reduction("edge_sum", "y_i = sum of e_ij over the edges into i", "de_ij = dy_i")};
const Schema edge_mean_schema{reduction("edge_mean", "y_i = (1 / edges into i) sum of e_ij over the edges into i",
                                        "de_ij = dy_i / (edges into i)")};
const Schema edge_max_schema{reduction("edge_max", "y_ic = max of e_ij,c over the edges into i",
                                       "de_ij,c = dy_ic for the first edge that attains the maximum, else 0")};
const Schema edge_min_schema{reduction("edge_min", "y_ic = min of e_ij,c over the edges into i",
                                       "de_ij,c = dy_ic for the first edge that attains the minimum, else 0")};

namespace {

class EdgeReduce : public Op {
 public:
  EdgeReduce(const Graph& g, const Schema& schema) : graph_(g), schema_(&schema) {}
  const Schema& schema() const override { return *schema_; }
  void bind(Dims& dims) const override { dims.set("E", graph_.num_edges()); }
  Cost cost() const override { return cost_; }
  double backward_factor() const override { return 1; }

 protected:
  Tensor prepare(const Tensor& e) {
    shape_ = e.shape();
    Tensor y = Tensor::empty(shape_.with(0, graph_.num_dst()), e.dtype(), e.device());
    cost_ = {.flops = static_cast<double>(e.numel()), .bytes = static_cast<double>(e.bytes() + y.bytes())};
    return y;
  }

  Graph graph_;
  const Schema* schema_;
  Shape shape_;
  Cost cost_;
};

class EdgeSum final : public EdgeReduce {
 public:
  EdgeSum(const Graph& g, bool mean) : EdgeReduce(g, mean ? edge_mean_schema : edge_sum_schema), mean_(mean) {}

  Tensor forward(Inputs in) override {
    Tensor y = prepare(in[0]);
    dispatch(y, schema_->name(), [&]<class T>(auto device) {
      kernels::spmm<T>(device, edges_by_destination(graph_), 1, row_size(shape_), nullptr, in[0].data<T>(), mean_,
                       y.data<T>());
    });
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor de = Tensor::empty(shape_, gradient.dtype(), gradient.device());
    dispatch(gradient, schema_->name(), [&]<class T>(auto device) {
      const Csr rows = edges_by_destination(graph_);
      Tensor dy = gradient;
      if (mean_) {
        dy = Tensor::empty(gradient.shape(), gradient.dtype(), gradient.device());
        kernels::divide_by_count(device, rows, row_size(shape_), gradient.data<T>(), dy.data<T>());
      }
      kernels::edge_join<T>(device, rows, row_size(shape_), kernels::Join::add, nullptr, dy.data<T>(), de.data<T>());
    });
    gradients.add(0, de);
  }

 private:
  bool mean_;
};

class EdgeExtreme final : public EdgeReduce {
 public:
  EdgeExtreme(const Graph& g, bool largest)
      : EdgeReduce(g, largest ? edge_max_schema : edge_min_schema), largest_(largest) {}

  Tensor forward(Inputs in) override {
    Tensor y = prepare(in[0]);
    winner_ = Tensor::empty(y.shape(), DType::int32, y.device());
    dispatch(y, schema_->name(), [&]<class T>(auto device) {
      kernels::spmm_extreme<T>(device, edges_by_destination(graph_), 1, row_size(shape_), nullptr, in[0].data<T>(),
                               largest_, y.data<T>(), winner_.data<std::int32_t>());
    });
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor de = Tensor::empty(shape_, gradient.dtype(), gradient.device());
    dispatch(gradient, schema_->name(), [&]<class T>(auto device) {
      kernels::spmm_extreme_dw<T>(device, edges_by_destination(graph_), row_size(shape_), 1, nullptr,
                                  gradient.data<T>(), winner_.data<std::int32_t>(), de.data<T>());
    });
    gradients.add(0, de);
  }

 private:
  bool largest_;
  Tensor winner_;
};

}  // namespace

Var edge_sum(const Graph& g, const Var& e) {
  return apply<EdgeSum>({e}, g, false);
}
Var edge_mean(const Graph& g, const Var& e) {
  return apply<EdgeSum>({e}, g, true);
}
Var edge_max(const Graph& g, const Var& e) {
  return apply<EdgeExtreme>({e}, g, true);
}
Var edge_min(const Graph& g, const Var& e) {
  return apply<EdgeExtreme>({e}, g, false);
}

}  // namespace atto
