#include "ops/index/index.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "core/error.hpp"
#include "ops/dispatch.hpp"
#include "ops/rows.hpp"
#include "ops/segment/row_groups.hpp"

namespace atto {

const Schema gather_rows_schema{{
    .name = "gather_rows",
    .signature = "x[N,...] -> y[...]",
    .formula = "y_m = x_(index_m)",
    .gradient = "dx_n = sum of dy_m over all m with index_m = n",
    .cost = "2 M W values moved, for rows of W values",
}};
const Schema scatter_add_rows_schema{{
    .name = "scatter_add_rows",
    .signature = "x[M,...] -> y[N,...]",
    .formula = "y_n = sum of x_m over all m with index_m = n",
    .gradient = "dx_m = dy_(index_m)",
    .cost = "M W FLOP, (M + N) W values moved, for rows of W values",
}};
const Schema embedding_schema{{
    .name = "embedding",
    .signature = "table[V,D] -> y[...,D]",
    .formula = "y_m = table_(index_m)",
    .gradient = "dtable_v = sum of dy_m over all m with index_m = v",
    .cost = "2 M D values moved",
}};

namespace {

// As int64, every value in lowest..rows-1.
Tensor checked_index(const Tensor& index, std::int64_t lowest, std::int64_t rows, std::string_view op) {
  if (!index.defined() || (index.dtype() != DType::int32 && index.dtype() != DType::int64))
    throw TypeError({.op = std::string(op),
                     .argument = "index",
                     .got = index.defined() ? index.str() : "an undefined tensor",
                     .expected = "int32 or int64",
                     .hint = {}});
  Tensor wide =
      index.dtype() == DType::int64 ? index.clone() : index.to(DType::int64);  // of our own: backward reads it again
  const auto values = wide.values<std::int64_t>();
  const auto outside =
      std::find_if(values.begin(), values.end(), [&](std::int64_t i) { return i < lowest || i >= rows; });
  if (outside != values.end())
    throw IndexError({.op = std::string(op),
                      .argument = "index " + std::to_string(outside - values.begin()),
                      .got = std::to_string(*outside),
                      .expected = std::to_string(lowest) + " <= index < " + std::to_string(rows),
                      .hint = {}});
  return wide;
}

// [M...] and the further sizes of x.
Shape gathered_shape(const Shape& index, const Shape& x, std::string_view op) {
  const int rank = index.rank() + x.rank() - 1;
  if (rank > Shape::kMaxRank)
    throw ShapeError(
        {.op = std::string(op),
         .argument = "index",
         .got = index.str(),
         .expected = "a result of at most " + std::to_string(Shape::kMaxRank) + " dimensions with rows of x " + x.str(),
         .hint = {}});
  std::array<std::int64_t, Shape::kMaxRank> sizes{};
  std::copy(x.begin() + 1, x.end(), std::copy(index.begin(), index.end(), sizes.begin()));
  return Shape(std::span(sizes.data(), static_cast<std::size_t>(rank)));
}

Tensor gathered(const Tensor& x, const Tensor& index, const Shape& shape) {
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  dispatch(x, "gather_rows", [&]<class T>(auto device) {
    kernels::gather_rows(device, index.numel(), row_size(x.shape()), x.data<T>(), index.data<std::int64_t>(),
                         y.data<T>());
  });
  return y;
}

class GatherRows final : public Op {
 public:
  GatherRows(const Schema& schema, const Tensor& index, const GatherOptions& options)
      : schema_(&schema), index_(index), options_(options) {}
  const Schema& schema() const override { return *schema_; }

  Tensor forward(Inputs in) override {
    shape_ = in[0].shape();
    index_ = checked_index(index_, options_.missing ? -1 : 0, shape_[0], schema_->name());
    Tensor y = gathered(in[0], index_, gathered_shape(index_.shape(), shape_, schema_->name()));
    bytes_ = static_cast<double>(2 * y.bytes() + index_.bytes());
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    const RowGroups places(index_, shape_[0], schema_->text().name.data());
    gradients.add(0, places.sum(gradient.reshape(shape_.with(0, index_.numel()))));
  }

  Cost cost() const override { return {.flops = 0, .bytes = bytes_}; }
  double backward_factor() const override { return 1; }

 private:
  const Schema* schema_;
  Tensor index_;
  GatherOptions options_;
  Shape shape_;
  double bytes_ = 0;
};

class ScatterAddRows final : public Op {
 public:
  ScatterAddRows(const Tensor& index, std::int64_t rows)
      : index_(checked_index(index, 0, rows, "scatter_add_rows")), rows_(rows) {
    if (rows < 0)
      throw ValueError({.op = "scatter_add_rows",
                        .argument = "rows",
                        .got = std::to_string(rows),
                        .expected = "at least 0",
                        .hint = {}});
    if (index_.rank() != 1)
      throw ShapeError(
          {.op = "scatter_add_rows", .argument = "index", .got = index_.shape().str(), .expected = "[M]", .hint = {}});
  }
  const Schema& schema() const override { return scatter_add_rows_schema; }
  void bind(Dims& dims) const override { dims.set("M", index_.numel()); }

  Tensor forward(Inputs in) override {
    shape_ = in[0].shape();
    Tensor y = RowGroups(index_, rows_, "scatter_add_rows").sum(in[0]);
    cost_ = {.flops = static_cast<double>(in[0].numel()),
             .bytes = static_cast<double>(in[0].bytes() + y.bytes() + index_.bytes())};
    return y;
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    gradients.add(0, gathered(gradient, index_, shape_));
  }

  Cost cost() const override { return cost_; }
  double backward_factor() const override { return 1; }

 private:
  Tensor index_;
  std::int64_t rows_;
  Shape shape_;
  Cost cost_;
};

}  // namespace

Var gather_rows(const Var& x, const Tensor& index, const GatherOptions& options) {
  return apply<GatherRows>({x}, gather_rows_schema, index, options);
}
Var scatter_add_rows(const Var& x, const Tensor& index, std::int64_t rows) {
  return apply<ScatterAddRows>({x}, index, rows);
}
Var embedding(const Var& table, const Tensor& index) {
  return apply<GatherRows>({table}, embedding_schema, index, GatherOptions{});
}
Var embedding_reference(const Var& table, const Tensor& index) {
  return gather_rows(table, index);
}

}  // namespace atto
