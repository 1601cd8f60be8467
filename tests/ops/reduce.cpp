#include "ops/reduce/reduce.hpp"

#include <cmath>
#include <limits>

#include "autograd/tape.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

using Fold = std::function<double(const std::vector<double>&)>;

// The result of one dimension (or of all: rank as dimension) by walking over its elements.
Tensor reduced(const Tensor& x, int dimension, bool keep, const Fold& fold) {
  const double* values = x.data<double>();
  if (dimension == x.rank()) return tabulate({}, [&](std::int64_t) { return fold({values, values + x.numel()}); });
  std::vector<std::int64_t> sizes;
  std::int64_t inner = 1;
  for (int d = 0; d < x.rank(); ++d) {
    if (d != dimension) sizes.push_back(x.size(d));
    else if (keep) sizes.push_back(1);
    if (d > dimension) inner *= x.size(d);
  }
  return tabulate(Shape(sizes), [&](std::int64_t i) {
    std::vector<double> elements;
    for (std::int64_t m = 0; m < x.size(dimension); ++m)
      elements.push_back(values[(i / inner * x.size(dimension) + m) * inner + i % inner]);
    return fold(elements);
  });
}

double sum_of(const std::vector<double>& x) {
  long double sum = 0;
  for (const double value : x) sum += value;
  return static_cast<double>(sum);
}
double size_of_terms(const std::vector<double>& x) {
  double sum = 0;
  for (const double value : x) sum += std::abs(value);
  return sum;
}
double mean_of(const std::vector<double>& x) {
  return x.empty() ? 0 : sum_of(x) / static_cast<double>(x.size());
}
double mean_of_terms(const std::vector<double>& x) {
  return x.empty() ? 0 : size_of_terms(x) / static_cast<double>(x.size());
}
double max_of(const std::vector<double>& x) {
  return *std::max_element(x.begin(), x.end());
}

OpCase reduce_case(const std::string& op, const Shape& shape, int dimension, bool keep) {
  const bool all = dimension == shape.rank();
  Tensor x = uniform(shape, -3, 3, 3);
  if (op == "max")  // no two elements closer than a gradient check moves them
    for (std::int64_t i = 0; i < x.numel(); ++i) x.data<double>()[i] = static_cast<double>(i * 7919 % 100003) / 256;
  const auto run = [=](std::span<const Var> in) {
    if (op == "sum") return all ? sum(in[0]) : sum(in[0], dimension, keep);
    if (op == "mean") return all ? mean(in[0]) : mean(in[0], dimension, keep);
    return all ? max(in[0]) : max(in[0], dimension, keep);
  };
  const Fold fold = op == "sum" ? sum_of : op == "mean" ? mean_of : max_of;
  const Fold terms = op == "sum" ? size_of_terms : op == "mean" ? mean_of_terms : max_of;
  return {.op = op,
          .name = shape.str() + (all ? " over all" : " over dimension " + std::to_string(dimension)) +
                  (keep ? ", kept" : ""),
          .inputs = {x},
          .run = run,
          .expected = [=](std::span<const Tensor> in) { return reduced(in[0], dimension, keep, fold); },
          .magnitude = [=](std::span<const Tensor> in) { return reduced(in[0], dimension, keep, terms); },
          .k = op == "max" ? 0.0 : 2.0};
}

const RegisterCases cases([] {
  std::vector<OpCase> list;
  for (const std::string op : {"sum", "mean", "max"}) {
    for (const bool keep : {false, true})
      for (int d = 0; d < 3; ++d) list.push_back(reduce_case(op, {3, 4, 5}, d, keep));
    for (const auto& [shape, dimension] : std::vector<std::pair<Shape, int>>{{{}, 0},
                                                                             {{3, 4, 5}, 3},
                                                                             {{0, 4}, 1},
                                                                             {{4, 0}, 0},
                                                                             {{1}, 0},
                                                                             {{100, 3}, 0},
                                                                             {{17, 100}, 1},
                                                                             {{2, 130, 7}, 1},
                                                                             {{50001}, 1},
                                                                             {{50001, 2}, 0},
                                                                             {{3, 40001}, 1},
                                                                             {{700, 65}, 0},
                                                                             {{300, 300}, 1}})
      list.push_back(reduce_case(op, shape, dimension, false));
    if (op == "max") continue;
    list.push_back(reduce_case(op, {0, 4}, 0, false));
    list.push_back(reduce_case(op, {0, 4}, 2, false));
    list.push_back(reduce_case(op, {4, 0}, 1, true));
  }
  return list;
});

const RegisterErrors errors([] {
  return std::vector<OpError>{
      {.op = "sum",
       .name = "dimension",
       .call =
           [] {
             sum(uniform({3, 4}), 2);
           },
       .text = "sum: dimension: got 2, expected a dimension of [3,4]"},
      {.op = "mean",
       .name = "dimension",
       .call =
           [] {
             mean(uniform({3, 4}), -3);
           },
       .text = "mean: dimension: got -3"},
      {.op = "max",
       .name = "empty",
       .call =
           [] {
             max(uniform({0, 4}), 0);
           },
       .text = "max: x: got no elements in [0,4]"},
  };
});

}  // namespace

TEST_CASE("max: the first of equals gets the gradient, and a NaN wins") {
  const Var x = Var::leaf(Tensor::from({1.0, 3.0, 3.0, 2.0}, {4}));
  backward(max(x));
  CHECK(bit_equal(x.grad(), Tensor::from({0.0, 1.0, 0.0, 0.0}, {4})));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isnan(max(Tensor::from({1.0, nan, 3.0}, {3})).item()));
  CHECK(std::isnan(max(Tensor::from({nan, 1.0}, {2})).item()));
}

// Ten million ones: a sum that adds them one after the other would stop at 2^24 in float.
TEST_CASE("long float sums keep their digits") {
  const Tensor x = Tensor::full({20'000'000}, 1);
  CHECK(sum(x).item() == 20'000'000);
  CHECK(sum(x.reshape({10'000'000, 2}), 0).value().data<float>()[1] == 10'000'000);
  CHECK(mean(Tensor::full({1'000'003}, 0.1)).item() == Approx(0.1).epsilon(1e-6));
}

}  // namespace atto::test
