#include "core/error.hpp"
#include "ops/csr_views.hpp"
#include "ops/dispatch.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/kernels.hpp"
#include "ops/rows.hpp"

namespace atto {

const Schema edge_dot_schema{{
    .name = "edge_dot",
    .signature = "q[N_dst,...], k[N_src,...] -> e[E,...]",
    .formula = "e_ij,h = sum_d q_i,h,d k_j,h,d for every edge j -> i",
    .gradient =
        "dq_i,h = sum of de_ij,h k_j,h over the edges into i, dk_j,h = sum of de_ij,h q_i,h over the edges from j",
    .cost = "2 E H D FLOP, (E + N_dst) H D + E H values and E indices moved",
}};

namespace {

class EdgeDot final : public Op {
 public:
  explicit EdgeDot(const Graph& g) : graph_(g) {}
  const Schema& schema() const override { return edge_dot_schema; }
  void bind(Dims& dims) const override {
    dims.set("N_src", graph_.num_src());
    dims.set("N_dst", graph_.num_dst());
  }

  Tensor forward(Inputs in) override {
    q_ = in[0];
    k_ = in[1];
    if (q_.rank() < 2 || q_.shape().with(0, 0) != k_.shape().with(0, 0))
      throw ShapeError({.op = "edge_dot",
                        .argument = "k",
                        .got = k_.shape().str(),
                        .expected = "the further sizes of q " + q_.shape().str() + ", at least one",
                        .hint = {}});
    depth_ = q_.size(-1);
    Shape shape = q_.shape();
    shape = Shape(std::span(shape.begin(), shape.end() - 1)).with(0, graph_.num_edges());
    heads_ = row_size(shape);
    Tensor e = Tensor::empty(shape, q_.dtype(), q_.device());
    dispatch(q_, "edge_dot", [&]<class T>(auto device) {
      kernels::edge_dot(device, by_destination(graph_), heads_, depth_, q_.data<T>(), k_.data<T>(), e.data<T>());
    });
    if (!will_want(0)) k_.let_go();
    if (!will_want(1)) q_.let_go();
    return e;
  }

  void backward(const Tensor& de, Gradients& gradients) override {
    if (gradients.wants(0)) gradients.add(0, weighted(de, k_, by_destination(graph_)));
    if (gradients.wants(1)) gradients.add(1, weighted(de, q_, by_source(graph_)));
  }

  Cost cost() const override {
    const auto edges = static_cast<double>(graph_.num_edges()), rows = static_cast<double>(graph_.num_dst()),
               heads = static_cast<double>(heads_), depth = static_cast<double>(depth_);
    const double values = (edges + rows) * heads * depth + edges * heads;
    return {.flops = 2 * edges * heads * depth,
            .bytes = values * static_cast<double>(size_of(q_.dtype())) + kIndexBytes * edges};
  }

 private:
  Tensor weighted(const Tensor& de, const Tensor& x, const Csr& rows) const {
    Tensor y = Tensor::empty(x.shape().with(0, rows.rows), x.dtype(), x.device());
    dispatch(x, "edge_dot", [&]<class T>(auto device) {
      kernels::spmm<T>(device, rows, heads_, depth_, de.data<T>(), x.data<T>(), false, y.data<T>());
    });
    return y;
  }

  Graph graph_;
  Tensor q_, k_;
  std::int64_t heads_ = 0, depth_ = 0;
};

}  // namespace

Var edge_dot(const Graph& g, const Var& q, const Var& k) {
  return apply<EdgeDot>({q, k}, g);
}

}  // namespace atto
