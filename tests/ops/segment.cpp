#include "ops/segment/segment.hpp"

#include <cmath>
#include <limits>

#include "autograd/tape.hpp"
#include "tests/ops/graphs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

using Values = std::span<const Tensor>;
using Vars = std::span<const Var>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::int64_t width_of(const Tensor& x) {
  std::int64_t width = 1;
  for (int d = 1; d < x.rank(); ++d) width *= x.size(d);
  return width;
}

Ragged ragged(std::initializer_list<std::int64_t> sizes) {
  return Ragged::from_sizes(std::vector<std::int64_t>(sizes));
}

// y[S,...] with y(s, c) built up from the rows of s: y = step(y, x_nc, first row?, rows of s).
template <class Step>
Tensor pooled(const Ragged& segments, const Tensor& x, Step&& step) {
  const std::int64_t width = width_of(x);
  Tensor y = Tensor::zeros(x.shape().with(0, segments.count()), DType::float64);
  for (std::int64_t s = 0; s < segments.count(); ++s)
    for (std::int64_t n = segments.begin(s); n < segments.end(s); ++n)
      for (std::int64_t c = 0; c < width; ++c) {
        double& to = y.data<double>()[s * width + c];
        to = step(to, at(x, n, c, width), n == segments.begin(s), static_cast<double>(segments.size(s)));
      }
  return y;
}

Tensor spread(const Ragged& segments, const Tensor& x) {
  const std::int64_t width = width_of(x);
  Tensor y = Tensor::zeros(x.shape().with(0, segments.total()), DType::float64);
  for (std::int64_t s = 0; s < segments.count(); ++s)
    for (std::int64_t n = segments.begin(s); n < segments.end(s); ++n)
      for (std::int64_t c = 0; c < width; ++c) y.data<double>()[n * width + c] = at(x, s, c, width);
  return y;
}

std::vector<OpCase> cases_for(const std::string& name, const Ragged& segments, const Shape& row) {
  const auto with_rows = [&](std::int64_t rows) {
    std::vector<std::int64_t> sizes{rows};
    sizes.insert(sizes.end(), row.begin(), row.end());
    return Shape(sizes);
  };
  const Shape many = with_rows(segments.total()), few = with_rows(segments.count());
  const auto add = [](double y, double x, bool, double) { return y + x; };
  const auto add_size = [](double y, double x, bool, double) { return y + std::abs(x); };
  const auto average = [](double y, double x, bool, double size) { return y + x / size; };
  const auto average_size = [](double y, double x, bool, double size) { return y + std::abs(x) / size; };
  const auto largest = [](double y, double x, bool first, double) { return first || x > y ? x : y; };
  const auto normalised = [=](const Tensor& z) {
    const Tensor top = spread(segments, pooled(segments, z, largest));
    Tensor a =
        tabulate(z.shape(), [&](std::int64_t i) { return std::exp(z.data<double>()[i] - top.data<double>()[i]); });
    const Tensor sum = spread(segments, pooled(segments, a, add));
    for (std::int64_t i = 0; i < a.numel(); ++i) a.data<double>()[i] /= sum.data<double>()[i];
    return a;
  };
  return {
      {.op = "segment_sum",
       .name = name,
       .inputs = {uniform(many)},
       .run = [=](Vars in) { return segment_sum(in[0], segments); },
       .expected = [=](Values in) { return pooled(segments, in[0], add); },
       .magnitude = [=](Values in) { return pooled(segments, in[0], add_size); },
       .k = 2},
      {.op = "segment_mean",
       .name = name,
       .inputs = {uniform(many)},
       .run = [=](Vars in) { return segment_mean(in[0], segments); },
       .expected = [=](Values in) { return pooled(segments, in[0], average); },
       .magnitude = [=](Values in) { return pooled(segments, in[0], average_size); },
       .k = 2},
      {.op = "segment_max",
       .name = name,
       .inputs = {spaced(many, 1.0 / 64, 5)},
       .run = [=](Vars in) { return segment_max(in[0], segments); },
       .expected = [=](Values in) { return pooled(segments, in[0], largest); },
       .k = 1},
      {.op = "segment_softmax",
       .name = name,
       .inputs = {uniform(many, -3, 3)},
       .run = [=](Vars in) { return segment_softmax(in[0], segments); },
       .expected = [=](Values in) { return normalised(in[0]); },
       .k = 12,
       .reference = [=](Vars in) { return segment_softmax_reference(in[0], segments); }},
      {.op = "segment_broadcast",
       .name = name,
       .inputs = {uniform(few)},
       .run = [=](Vars in) { return segment_broadcast(in[0], segments); },
       .expected = [=](Values in) { return spread(segments, in[0]); },
       .k = 4},
  };
}

const RegisterCases cases([] {
  std::vector<OpCase> list;
  const auto add = [&](const std::string& name, const Ragged& segments, const Shape& row) {
    for (OpCase& c : cases_for(name, segments, row)) list.push_back(std::move(c));
  };
  add("three graphs", ragged({2, 3, 1}), {4});
  add("no segments", Ragged(), {4});
  add("segments without rows", ragged({0, 0}), {4});
  add("empty segments in between", ragged({0, 2, 0, 0, 3, 0}), {2});
  add("one segment", ragged({7}), {3});
  add("one row each", ragged({1, 1, 1}), {19});
  add("rank 1", ragged({2, 0, 4}), Shape{});
  add("rank 3", ragged({2, 0, 4}), {2, 5});
  add("no columns", ragged({2, 1}), {0});
  add("several threads", ragged({0, 300, 1, 0, 500, 200, 3, 700, 0}), {37});
  add("cut into pieces", ragged({3, 1024, 0, 2500, 1025, 1}), {11});
  return list;
});

const RegisterErrors errors([] {
  const Ragged segments = ragged({2, 1});
  std::vector<OpError> list;
  const auto pooling = [&](const std::string& op, Var (*f)(const Var&, const Ragged&)) {
    list.push_back({.op = op, .name = "other rows", .call = [=] { f(uniform({4, 2}), segments); }, .text = op + ": "});
    list.push_back({.op = op,
                    .name = "integers",
                    .call =
                        [=] {
                          f(Tensor::zeros({3, 2}, DType::int64), segments);
                        },
                    .text = "expected float32 or float64"});
  };
  pooling("segment_sum", segment_sum);
  pooling("segment_mean", segment_mean);
  pooling("segment_max", segment_max);
  pooling("segment_softmax", segment_softmax);
  pooling("segment_broadcast", segment_broadcast);
  list.push_back({.op = "segment_sum",
                  .name = "the text names the rows",
                  .call =
                      [=] {
                        segment_sum(uniform({4, 2}), segments);
                      },
                  .text = "segment_sum: x: got [4,2], expected [N,...] with N = 3"});
  return list;
});

}  // namespace

TEST_CASE("segments: of equal rows the first gets the gradient of a maximum, and a NaN wins") {
  const Ragged segments = ragged({3, 2});
  const Var x = Var::leaf(Tensor::from({2.0, 7.0, 7.0, 1.0, std::nan("")}, {5, 1}));
  const Var y = segment_max(x, segments);
  CHECK(y.value().data<double>()[0] == 7);
  CHECK(std::isnan(y.value().data<double>()[1]));
  backward(y, Tensor::from({3.0, 5.0}, {2, 1}));
  CHECK(bit_equal(x.grad(), Tensor::from({0.0, 3.0, 0.0, 0.0, 5.0}, {5, 1})));
}

TEST_CASE("segments: a segment that is masked altogether gets zero weights and sends a zero gradient") {
  const Ragged segments = ragged({2, 2});
  const Var z = Var::leaf(Tensor::from({-kInfinity, -kInfinity, 0.0, -kInfinity}, {4, 1}));
  const Var a = segment_softmax(z, segments);
  CHECK(bit_equal(a.value(), Tensor::from({0.0, 0.0, 1.0, 0.0}, {4, 1})));
  backward(a, Tensor::from({3.0, -1.0, 2.0, 4.0}, {4, 1}));
  for (const double value : z.grad().values<double>()) CHECK(value == 0);
}

TEST_CASE("segments: a long sum of float32 keeps its digits") {
  const std::int64_t rows = 1 << 20;
  const Tensor x = Tensor::full({rows, 1}, 0.1);
  const double got = segment_sum(x, ragged({rows})).item();
  CHECK(std::abs(got - static_cast<double>(rows) * static_cast<double>(0.1f)) <
        4);  // a single chain of additions is off by thousands
}

}  // namespace atto::test
