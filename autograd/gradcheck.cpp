#include "autograd/gradcheck.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "core/random.hpp"

namespace atto {
namespace {

Tensor random_like(const Tensor& tensor, Generator& generator) {
  Tensor result = Tensor::empty(tensor.shape(), DType::float64);
  for (double& value : result.values<double>()) value = generator.normal();
  return result;
}

double inner(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) sum += a.data<double>()[i] * b.data<double>()[i];
  return sum;
}

double inner_magnitude(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) sum += std::abs(a.data<double>()[i] * b.data<double>()[i]);
  return sum;
}

Tensor shifted(const Tensor& x, const Tensor& direction, double step) {
  Tensor result = x.clone();
  for (std::int64_t i = 0; i < x.numel(); ++i) result.data<double>()[i] += step * direction.data<double>()[i];
  return result;
}

}  // namespace

GradcheckResult gradcheck(const std::function<Var(std::span<const Var>)>& f, const std::vector<Tensor>& inputs,
                          GradcheckOptions options) {
  for (const Tensor& input : inputs)
    if (input.dtype() != DType::float64)
      throw TypeError({.op = "gradcheck", .argument = "inputs", .got = input.str(), .expected = "float64", .hint = {}});
  Generator generator(options.seed);

  std::vector<Var> leaves;
  for (const Tensor& input : inputs) leaves.push_back(Var::leaf(input.clone()));
  const Var output = f(leaves);
  const Tensor cotangent = random_like(output.value(), generator);
  if (output.requires_grad()) backward(output, cotangent);

  GradcheckResult result;
  // which == inputs.size() moves all inputs at once.
  for (std::size_t which = 0; which <= inputs.size(); ++which) {
    for (int trial = 0; trial < options.directions; ++trial) {
      std::vector<Tensor> direction;
      double analytic = 0;
      double magnitude = 1;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const bool moves = which == i || which == inputs.size();
        direction.push_back(moves ? random_like(inputs[i], generator)
                                  : Tensor::zeros(inputs[i].shape(), DType::float64));
        if (!moves || !leaves[i].grad().defined()) continue;
        analytic += inner(leaves[i].grad(), direction[i]);
        magnitude = std::max(magnitude, inner_magnitude(leaves[i].grad(), direction[i]));
      }
      const auto value_at = [&](double step) {
        NoGrad no_grad;
        std::vector<Var> moved;
        for (std::size_t i = 0; i < inputs.size(); ++i) moved.emplace_back(shifted(inputs[i], direction[i], step));
        return inner(f(moved).value(), cotangent);
      };
      const double h = options.step;
      const double numeric = (8 * (value_at(h) - value_at(-h)) - (value_at(2 * h) - value_at(-2 * h))) / (12 * h);
      const double error = std::abs(analytic - numeric) / std::max(magnitude, std::abs(numeric));
      if (!(error <= result.worst_error)) result.worst_error = error;
      if (error <= options.tolerance) continue;  // a NaN fails
      result.passed = false;
      result.report += fmt::format("{}, direction {}: analytic {:.12g}, numeric {:.12g}, error {:.3g}\n",
                                   which == inputs.size() ? std::string("all inputs") : fmt::format("input {}", which),
                                   trial, analytic, numeric, error);
    }
  }
  return result;
}

}  // namespace atto
