#include "ops/segment/cummax.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/tape.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

Ragged ragged(std::initializer_list<std::int64_t> sizes) {
  return Ragged::from_sizes(std::vector<std::int64_t>(sizes));
}

// Numbers far enough apart for finite differences, in an order that has nothing to do with their size.
Tensor apart(const Shape& shape) {
  const std::int64_t count = std::max<std::int64_t>(1, shape.numel());
  return tabulate(shape, [&](std::int64_t i) { return static_cast<double>((i * 7919 + 13) % count) / 64; });
}

OpCase cummax_case(const std::string& name, const Ragged& segments, std::int64_t columns) {
  return {
      .op = "segment_cummax",
      .name = name,
      .inputs = {apart({segments.total(), columns})},
      .run = [=](std::span<const Var> in) { return segment_cummax(in[0], segments); },
      .expected =
          [=](std::span<const Tensor> in) {
            Tensor y = in[0].clone();
            for (std::int64_t s = 0; s < segments.count(); ++s)
              for (std::int64_t n = segments.begin(s); n < segments.end(s); ++n)
                for (std::int64_t m = segments.begin(s); m < n; ++m)
                  for (std::int64_t c = 0; c < columns; ++c)
                    y.data<double>()[n * columns + c] =
                        std::max(y.data<double>()[n * columns + c], in[0].data<double>()[m * columns + c]);
            return y;
          },
      .k = 1,
      .reference = [=](std::span<const Var> in) { return segment_cummax_reference(in[0], segments); },
  };
}

const RegisterCases cases([] {
  return std::vector<OpCase>{
      cummax_case("three segments", ragged({2, 5, 1}), 3),          cummax_case("no segments", Ragged(), 3),
      cummax_case("empty segments", ragged({0, 3, 0, 0, 2, 0}), 2), cummax_case("no columns", ragged({2, 1}), 0),
      cummax_case("several threads", ragged({90, 1, 60}), 150),
  };
});

const RegisterErrors errors([] {
  return std::vector<OpError>{{.op = "segment_cummax",
                               .name = "other rows",
                               .call =
                                   [] {
                                     segment_cummax(uniform({4, 2}), Ragged::single(3));
                                   },
                               .text = "segment_cummax: x: got [4,2], expected [N,...] with N = 3"}};
});

}  // namespace

TEST_CASE("segment_cummax: the first of equal rows gets the gradient, and a NaN wins") {
  const Var x = Var::leaf(Tensor::from({2.0, 1.0, 2.0, 3.0, 3.0}, Shape{5, 1}));
  backward(segment_cummax(x, Ragged::single(5)), Tensor::full(Shape{5, 1}, 1, DType::float64));
  const Tensor g = x.grad();
  CHECK(std::vector<double>(g.values<double>().begin(), g.values<double>().end()) ==
        std::vector<double>{3, 0, 0, 2, 0});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor y = segment_cummax(Tensor::from({1.0, nan, 5.0}, Shape{3, 1}), Ragged::single(3)).value();
  CHECK(y.data<double>()[0] == 1);
  CHECK(std::isnan(y.data<double>()[1]));
  CHECK(std::isnan(y.data<double>()[2]));
}

}  // namespace atto::test
