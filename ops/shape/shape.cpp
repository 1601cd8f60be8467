#include "ops/shape/shape.hpp"

#include <cstring>
#include <string>

#include "core/error.hpp"
#include "core/parallel.hpp"

namespace atto {

const Schema reshape_schema{{
    .name = "reshape",
    .signature = "x[...] -> y[...]",
    .formula = "y = x under other sizes",
    .gradient = "dx = dy under the sizes of x",
    .cost = "none: the memory is shared",
}};
const Schema concat_schema{{
    .name = "concat",
    .signature = "parts*[...] -> y[...]",
    .formula = "y = parts one after another along a dimension",
    .gradient = "every part takes its range of dy",
    .cost = "every value moved once",
}};
const Schema slice_schema{{
    .name = "slice",
    .signature = "x[...] -> y[...]",
    .formula = "y_i = x_(begin + i) along a dimension",
    .gradient = "dx = dy in the range, 0 elsewhere",
    .cost = "every value of the result moved once; along the leading dimension nothing",
}};

namespace {

int checked_dimension(int dimension, int rank, const char* op) {
  const int d = dimension < 0 ? dimension + rank : dimension;
  if (d < 0 || d >= rank)
    throw IndexError({.op = op,
                      .argument = "dimension",
                      .got = std::to_string(dimension),
                      .expected = "a dimension of a tensor of rank " + std::to_string(rank),
                      .hint = {}});
  return d;
}

// A tensor seen as [outer, middle, inner] around one dimension.
struct Around {
  std::int64_t outer = 1, middle = 0, inner = 1;
  Around(const Shape& shape, int dimension) : middle(shape[dimension]) {
    for (int d = 0; d < dimension; ++d) outer *= shape[d];
    for (int d = dimension + 1; d < shape.rank(); ++d) inner *= shape[d];
  }
};

// Copies `width` places of the middle dimension between two tensors that agree in the other dimensions. Bytes, so any
// dtype.
void copy_range(const Tensor& from, std::int64_t from_begin, const Tensor& to, std::int64_t to_begin,
                std::int64_t width, int dimension) {
  const Around source(from.shape(), dimension), target(to.shape(), dimension);
  const auto item = static_cast<std::int64_t>(size_of(from.dtype())) * source.inner;
  if (width == 0 || item == 0) return;
  parallel_for(source.outer, width * item / 8 + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o)
      std::memcpy(to.raw() + (o * target.middle + to_begin) * item,
                  from.raw() + (o * source.middle + from_begin) * item, static_cast<std::size_t>(width * item));
  });
}

class Reshape final : public Op {
 public:
  explicit Reshape(const Shape& shape) : shape_(shape) {}
  const Schema& schema() const override { return reshape_schema; }
  Tensor forward(Inputs in) override {
    from_ = in[0].shape();
    return in[0].reshape(shape_);
  }
  void backward(const Tensor& gradient, Gradients& gradients) override { gradients.add(0, gradient.reshape(from_)); }
  Cost cost() const override { return {}; }

 private:
  Shape shape_, from_;
};

class Concat final : public Op {
 public:
  explicit Concat(int dimension) : dimension_(dimension) {}
  const Schema& schema() const override { return concat_schema; }
  Tensor forward(Inputs in) override {
    const Shape& first = in[0].shape();
    dimension_ = checked_dimension(dimension_, first.rank(), "concat");
    std::int64_t total = 0;
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (in[i].rank() != first.rank() || in[i].shape().with(dimension_, 0) != first.with(dimension_, 0))
        throw ShapeError({.op = "concat",
                          .argument = "part " + std::to_string(i),
                          .got = in[i].shape().str(),
                          .expected = first.str() + " except along dimension " + std::to_string(dimension_),
                          .hint = {}});
      shapes_.push_back(in[i].shape());
      total += in[i].size(dimension_);
    }
    Tensor y = Tensor::empty(first.with(dimension_, total), in[0].dtype(), in[0].device());
    std::int64_t place = 0;
    for (std::size_t i = 0; i < in.size(); ++i) {
      copy_range(in[i], 0, y, place, in[i].size(dimension_), dimension_);
      place += in[i].size(dimension_);
    }
    bytes_ = 2.0 * static_cast<double>(y.bytes());
    return y;
  }
  void backward(const Tensor& gradient, Gradients& gradients) override {
    std::int64_t place = 0;
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      const std::int64_t width = shapes_[i][dimension_];
      if (gradients.wants(i)) {
        Tensor part = Tensor::empty(shapes_[i], gradient.dtype(), gradient.device());
        copy_range(gradient, place, part, 0, width, dimension_);
        gradients.add(i, part);
      }
      place += width;
    }
  }
  Cost cost() const override { return {.flops = 0, .bytes = bytes_}; }
  double backward_factor() const override { return 1; }

 private:
  int dimension_;
  std::vector<Shape> shapes_;
  double bytes_ = 0;
};

class Slice final : public Op {
 public:
  Slice(int dimension, std::int64_t begin, std::int64_t end) : dimension_(dimension), begin_(begin), end_(end) {}
  const Schema& schema() const override { return slice_schema; }
  Tensor forward(Inputs in) override {
    from_ = in[0].shape();
    dimension_ = checked_dimension(dimension_, from_.rank(), "slice");
    if (begin_ < 0 || end_ < begin_ || end_ > from_[dimension_])
      throw IndexError({.op = "slice",
                        .argument = "range",
                        .got = std::to_string(begin_) + ".." + std::to_string(end_),
                        .expected = "a range of dimension " + std::to_string(dimension_) + " of " + from_.str(),
                        .hint = {}});
    Tensor y = dimension_ == 0 ? in[0].rows(begin_, end_)
                               : Tensor::empty(from_.with(dimension_, end_ - begin_), in[0].dtype(), in[0].device());
    if (dimension_ > 0) {
      copy_range(in[0], begin_, y, 0, end_ - begin_, dimension_);
      bytes_ = 2.0 * static_cast<double>(y.bytes());
    }
    return y;
  }
  void backward(const Tensor& gradient, Gradients& gradients) override {
    gradients.add_slice(0, dimension_, begin_, gradient);
  }
  Cost cost() const override { return {.flops = 0, .bytes = bytes_}; }
  double backward_factor() const override { return 1; }

 private:
  int dimension_;
  std::int64_t begin_, end_;
  Shape from_;
  double bytes_ = 0;
};

}  // namespace

Var reshape(const Var& x, const Shape& shape) {
  return x.shape() == shape ? x : apply<Reshape>({x}, shape);
}
Var reshape(const Var& x, std::initializer_list<std::int64_t> sizes) {
  return reshape(x, x.value().reshape(sizes).shape());
}

Var concat(std::span<const Var> parts, int dimension) {
  if (parts.empty())
    throw ShapeError({.op = "concat", .argument = "parts", .got = "none", .expected = "at least one", .hint = {}});
  if (parts.size() > 1) return apply<Concat>(parts, dimension);
  checked_dimension(dimension, parts[0].rank(), "concat");
  return parts[0];
}

Var slice(const Var& x, int dimension, std::int64_t begin, std::int64_t end) {
  return apply<Slice>({x}, dimension, begin, end);
}
Var rows(const Var& x, std::int64_t begin, std::int64_t end) {
  return slice(x, 0, begin, end);
}

std::vector<Var> split(const Var& x, std::span<const std::int64_t> sizes, int dimension) {
  const int d = checked_dimension(dimension, x.rank(), "split");
  std::int64_t total = 0;
  for (const std::int64_t size : sizes) {
    if (size < 0)
      throw ValueError(
          {.op = "split", .argument = "sizes", .got = std::to_string(size), .expected = "at least 0", .hint = {}});
    total += size;
  }
  if (total != x.size(d))
    throw ShapeError({.op = "split",
                      .argument = "sizes",
                      .got = "a sum of " + std::to_string(total),
                      .expected = std::to_string(x.size(d)) + ", the size of dimension " + std::to_string(d),
                      .hint = {}});
  std::vector<Var> parts;
  std::int64_t begin = 0;
  for (const std::int64_t size : sizes) {
    parts.push_back(slice(x, d, begin, begin + size));
    begin += size;
  }
  return parts;
}

}  // namespace atto
