#pragma once
// Gradients of the parameters of whole models against differences.

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autograd/tape.hpp"
#include "nn/module.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {

// Small enough that hardly any ReLU turns within a step, large enough for float64.
inline constexpr double kStep = 2e-7;

inline double dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) sum += a.data<double>()[i] * b.data<double>()[i];
  return sum;
}

// d<c, f>/d(parameters) along random directions against five-point differences, all parameters at once; the first that
// is wrong on its own is named. Empty when all is well.
inline std::string wrong_gradient(const Model& root, const std::function<Var()>& f, int directions = 2,
                                  double step_size = kStep) {
  root.zero_grad();
  const Var out = f();
  const Tensor cotangent = uniform(out.shape(), -1, 1, 77);
  backward(out, cotangent);
  const auto wrong = [&](const std::vector<NamedParameter>& moved, std::uint64_t seed) -> std::string {
    std::vector<Tensor> starts, directions_of;
    double analytic = 0;
    for (const NamedParameter& p : moved) {
      starts.push_back(p.value.value().clone());
      directions_of.push_back(uniform(p.value.shape(), -1, 1, ++seed));
      if (p.value.grad().defined()) analytic += dot(p.value.grad(), directions_of.back());
    }
    const auto at = [&](double step) {
      for (std::size_t k = 0; k < moved.size(); ++k)
        for (std::int64_t i = 0; i < starts[k].numel(); ++i)
          moved[k].value.value().data<double>()[i] =
              starts[k].data<double>()[i] + step * directions_of[k].data<double>()[i];
      const NoGrad no_grad;
      return dot(f().value(), cotangent);
    };
    const double numeric =
        (8 * (at(step_size) - at(-step_size)) - (at(2 * step_size) - at(-2 * step_size))) / (12 * step_size);
    at(0);
    const double error = std::abs(analytic - numeric) / std::max(1.0, std::abs(numeric));
    return error <= 1e-7 ? std::string()
                         : "analytic " + std::to_string(analytic) + ", numeric " + std::to_string(numeric);
  };
  const std::vector<NamedParameter> everything(root.parameters().begin(), root.parameters().end());
  for (int d = 0; d < directions; ++d) {
    const std::string together = wrong(everything, 1000 * static_cast<std::uint64_t>(d + 1));
    if (together.empty()) continue;
    for (const NamedParameter& p : everything)
      if (const std::string alone = wrong({p}, 5); !alone.empty()) return p.name + ": " + alone;
    return together;
  }
  return {};
}

}  // namespace atto::test
