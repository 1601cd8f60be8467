#include <string>

#include "core/error.hpp"
#include "ops/dispatch.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/kernels.hpp"

namespace atto {

const Schema edge_bucket_schema{{
    .name = "edge_bucket",
    .signature = "table[H,B] -> y[E,H]",
    .formula = "y_eh = table_h,b(e) for the bucket b(e) of edge e",
    .gradient = "dtable_hb = sum of dy_eh over the edges e of bucket b",
    .cost = "E H values and E bytes moved",
}};

namespace {

class EdgeBucket final : public Op {
 public:
  explicit EdgeBucket(const Tensor& buckets) : buckets_(buckets) {
    if (!buckets.defined() || buckets.dtype() != DType::uint8 || buckets.rank() != 1)
      throw TypeError({.op = "edge_bucket",
                       .argument = "buckets",
                       .got = buckets.defined() ? buckets.str() : "an undefined tensor",
                       .expected = "uint8[E]",
                       .hint = {}});
  }
  const Schema& schema() const override { return edge_bucket_schema; }

  Tensor forward(Inputs in) override {
    shape_ = in[0].shape();
    const std::int64_t edges = buckets_.numel();
    for (std::int64_t e = 0; e < edges; ++e)
      if (bucket()[e] >= shape_[1])
        throw IndexError({.op = "edge_bucket",
                          .argument = "bucket of edge " + std::to_string(e),
                          .got = std::to_string(bucket()[e]),
                          .expected = "0 <= bucket < " + std::to_string(shape_[1]),
                          .hint = {}});
    Tensor y = Tensor::empty(Shape{edges, shape_[0]}, in[0].dtype(), in[0].device());
    dispatch(y, "edge_bucket", [&]<class T>(auto device) {
      kernels::edge_bucket(device, edges, shape_[0], shape_[1], in[0].data<T>(), bucket(), y.data<T>());
    });
    bytes_ = static_cast<double>(y.bytes() + edges);
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    Tensor dtable = Tensor::empty(shape_, gradient.dtype(), gradient.device());
    dispatch(gradient, "edge_bucket", [&]<class T>(auto device) {
      kernels::edge_bucket_gradient(device, buckets_.numel(), shape_[0], shape_[1], bucket(), gradient.data<T>(),
                                    dtable.data<T>());
    });
    gradients.add(0, dtable);
  }

  Cost cost() const override { return {.flops = 0, .bytes = bytes_}; }
  double backward_factor() const override { return 1; }

 private:
  const std::uint8_t* bucket() const { return buckets_.data<std::uint8_t>(); }

  Tensor buckets_;
  Shape shape_;
  double bytes_ = 0;
};

}  // namespace

Var edge_bucket(const Var& table, const Tensor& buckets) {
  return apply<EdgeBucket>({table}, buckets);
}

}  // namespace atto
