#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dispatch.hpp"
#include "ops/gat/gat.hpp"
#include "ops/reduce/reduce.hpp"

namespace atto {

const Schema gat_self_schema{{
    .name = "gat_self",
    .signature = "x[N,H,D], source[H,D], destination[H,D], edge?[E,H], bias?[H,D] -> y[N,H,D]",
    .formula =
        "y_i = bias + sum_e a_e x_j, a = softmax over the edges into i of LeakyReLU(<source, x_j> + <destination, x_i> "
        "+ edge_e)",
    .gradient = "dz_e = a_e (da_e - sum a da) LeakyReLU', da_e = dy_i . x_j; dx_j = sum a_e dy_i + (sum dz) source + "
                "(sum of dz into j) destination; dsource, ddestination = sums of dz x; dbias = sum dy_i",
    .cost = "2 E H D + 15 E H + 4 N H D FLOP, (E + 2 N) H D + 3 E H values moved",
}};

namespace {

class GatSelfOp final : public Op {
 public:
  GatSelfOp(const Graph& graph, const GatOptions& options) : graph_(graph), options_(options) {}

  const Schema& schema() const override { return gat_self_schema; }
  void bind(Dims& dims) const override {
    dims.set("N", graph_.num_src());
    dims.set("E", graph_.num_edges());
  }

  Tensor forward(Inputs in) override {
    for (std::size_t i = 0; i < 5; ++i) inputs_[i] = in[i];
    heads_ = inputs_[0].size(1);
    depth_ = inputs_[0].size(2);
    const Tensor y = Tensor::empty(inputs_[0].shape(), inputs_[0].dtype(), inputs_[0].device());
    if (recording()) kept_ = Tensor::empty(Shape{graph_.num_edges(), heads_}, y.dtype(), y.device());
    dispatch(y, schema().name(), [&]<class T>(auto device) {
      kernels::gat_self_forward(device, call<T>(), y.data<T>(), pointer<T>(kept_));
    });
    element_bytes_ = static_cast<double>(size_of(y.dtype()));
    if (!recording())
      for (Tensor& input : inputs_) input = {};
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor results[5];
    for (std::size_t i = 0; i < 5; ++i)
      if (inputs_[i].defined() && gradients.wants(i))
        results[i] = Tensor::empty(inputs_[i].shape(), gradient.dtype(), gradient.device());
    dispatch(gradient, schema().name(), [&]<class T>(auto device) {
      kernels::gat_self_backward(device, call<T>(), pointer<T>(kept_), gradient.data<T>(),
                                 {.x = pointer<T>(results[0]),
                                  .source = pointer<T>(results[1]),
                                  .destination = pointer<T>(results[2]),
                                  .edge = pointer<T>(results[3]),
                                  .bias = pointer<T>(results[4])});
    });
    for (std::size_t i = 0; i < 5; ++i)
      if (results[i].defined()) gradients.add(i, results[i]);
  }

  Cost cost() const override {
    const auto e = static_cast<double>(graph_.num_edges()), n = static_cast<double>(graph_.num_dst());
    const auto h = static_cast<double>(heads_), d = static_cast<double>(depth_);
    return {.flops = 2 * e * h * d + 15 * e * h + 4 * n * h * d,
            .bytes = element_bytes_ * ((e + 2 * n) * h * d + 3 * e * h)};
  }
  double backward_factor() const override { return 3; }

 private:
  template <class T>
  static T* pointer(const Tensor& tensor) {
    return tensor.defined() ? tensor.data<T>() : nullptr;
  }
  template <class T>
  kernels::GatSelfCall<T> call() const {
    return {.graph = graph_,
            .heads = heads_,
            .depth = depth_,
            .options = options_,
            .x = pointer<T>(inputs_[0]),
            .source = pointer<T>(inputs_[1]),
            .destination = pointer<T>(inputs_[2]),
            .edge = pointer<T>(inputs_[3]),
            .bias = pointer<T>(inputs_[4])};
  }

  Graph graph_;
  GatOptions options_;
  std::int64_t heads_ = 0, depth_ = 0;
  double element_bytes_ = 0;
  Tensor inputs_[5], kept_;
};

}  // namespace

Var gat_self(const Graph& graph, const Var& x, const Var& source, const Var& destination, const Var& edge,
             const Var& bias, const GatOptions& options) {
  detail::check_gat_options(options, "gat_self");
  if (graph.num_src() != graph.num_dst())
    throw ShapeError(
        {.op = "gat_self",
         .argument = "graph",
         .got = std::to_string(graph.num_src()) + " sources and " + std::to_string(graph.num_dst()) + " destinations",
         .expected = "edges among the nodes of one set",
         .hint = "gat() joins two sets"});
  return apply<GatSelfOp>({x, source, destination, edge, bias}, graph, options);
}

Var gat_self_reference(const Graph& graph, const Var& x, const Var& source, const Var& destination, const Var& edge,
                       const Var& bias, const GatOptions& options) {
  const Var y = gat_reference(graph, x, sum(x * source, -1), sum(x * destination, -1), edge, options);
  return bias.defined() ? y + bias : y;
}

}  // namespace atto
