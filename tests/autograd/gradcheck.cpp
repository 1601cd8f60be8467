#include "autograd/gradcheck.hpp"

#include <limits>

#include "core/error.hpp"
#include "tests/autograd/simple_ops.hpp"
#include "tests/support/catch.hpp"

namespace atto::test {
namespace {

// exp(x) with a slope that is off by a factor.
Var exponential(const Var& x, double factor = 1) {
  return map(
      x, [](double v) { return std::exp(v); }, [factor](double v) { return factor * std::exp(v); });
}

}  // namespace

TEST_CASE("gradcheck: right gradients pass, to ten digits") {
  const GradcheckResult result = gradcheck([](std::span<const Var> in) { return times(exponential(in[0]), in[1]); },
                                           {numbers({0.1, -1, 2}), numbers({3, 4, -5})});
  CHECK(result.passed);
  CHECK(result.report == "");
  CHECK(result.worst_error < 1e-10);
  CHECK(result.worst_error > 0);
}

TEST_CASE("gradcheck: wrong gradients fail, and the report names the input") {
  const std::vector<Tensor> inputs{numbers({0.1, -1, 2}), numbers({3, 4, -5})};
  const auto scaled = [](double first, double second) {
    return [=](std::span<const Var> in) { return times(exponential(in[0], first), exponential(in[1], second)); };
  };
  CHECK_FALSE(gradcheck(scaled(1.00001, 1), inputs).passed);
  CHECK(gradcheck(scaled(1.00001, 1), inputs, {.tolerance = 1e-4}).passed);
  const std::string report = gradcheck(scaled(1, 2), inputs).report;
  CHECK(report.find("input 0") == std::string::npos);
  CHECK(report.find("input 1, direction 0: analytic ") != std::string::npos);
  CHECK(report.find("all inputs") != std::string::npos);
  CHECK_FALSE(gradcheck(scaled(1, std::numeric_limits<double>::quiet_NaN()), inputs).passed);
}

// The sum of y = x / (sum of x) is fixed, so ones as cotangent would find a gradient of zero right.
TEST_CASE("gradcheck: a cotangent of ones would be blind here") {
  const auto missing = [](std::span<const Var> in) {
    return map(
        in[0], [](double v) { return v; }, [](double) { return 0; });
  };
  CHECK_FALSE(gradcheck(missing, {numbers({1, 2, 3})}).passed);
  const auto cut = [](std::span<const Var> in) { return twice(in[0].detach()); };
  CHECK_FALSE(gradcheck(cut, {numbers({1, 2, 3})}).passed);
}

TEST_CASE("gradcheck: does not touch its inputs, and wants float64") {
  const Tensor x = numbers({1, 2});
  gradcheck([](std::span<const Var> in) { return twice(in[0]); }, {x});
  CHECK(x.data<double>()[0] == 1);
  CHECK_THROWS_AS(gradcheck([](std::span<const Var> in) { return in[0]; }, {Tensor::zeros({2})}), TypeError);
}

}  // namespace atto::test
