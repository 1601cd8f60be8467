// One object per call of an operation serves every suite: values, gradients, references, threads, instruction sets,
// guards.
//
//     const RegisterCases cases([] { return std::vector<OpCase>{{.op = "row_scale", .name = "3x4", ...}}; });
//     const RegisterErrors errors([] { return std::vector<OpError>{{.op = "row_scale", .name = "rank", ...}}; });
//
// An operation in op_table() without a case or without an error case fails the suite (tests/ops/suite.cpp).
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "autograd/var.hpp"

namespace atto::test {

struct OpCase {
  std::string op;                   ///< name in op_table()
  std::string name;                 ///< "3x4", "no edges", ...
  std::vector<Tensor> inputs = {};  ///< float64; all become leaves. What is not differentiable is captured by `run`.
  std::function<Var(std::span<const Var>)> run = {};  ///< the public function; float32 and float64
  /// An independent float64 loop over the definition.
  std::function<Tensor(std::span<const Tensor>)> expected = {};
  /// Sum of |terms| of every element of the result; |expected| when not given.
  std::function<Tensor(std::span<const Tensor>)> magnitude = {};
  double k = 4;  ///< float32 error <= k 2^-23 magnitude; of gradients <= 32 k 2^-23 (largest gradient + 0.01)
  std::function<Var(std::span<const Var>)> reference = {};  ///< x_reference(): values and gradients must agree
  bool differentiable = true;
  double gradient_tolerance = 1e-7;  ///< of gradcheck; keep inputs at least 0.001 away from kinks
};

/// A call that must throw an atto::Error whose what() contains `text`.
struct OpError {
  std::string op;
  std::string name;
  std::function<void()> call = {};
  std::string text = {};
};

/// Everything registered, in order of registration. The environment variable ATTO_OP=name selects one operation.
const std::vector<OpCase>& op_cases();
const std::vector<OpError>& op_errors();

struct RegisterCases {
  explicit RegisterCases(std::function<std::vector<OpCase>()> make);
};
struct RegisterErrors {
  explicit RegisterErrors(std::function<std::vector<OpError>()> make);
};

/// Uniform float64 numbers that float32 represents exactly, a function of the seed.
Tensor uniform(const Shape& shape, double low = -1, double high = 1, std::uint64_t seed = 1);

/// float64, element i (row-major) = f(i).
Tensor tabulate(const Shape& shape, const std::function<double(std::int64_t)>& f);

/// Empty when |got - expected| <= relative magnitude for every element (NaN and infinities must be the same), else a
/// description of the worst one. `got` may be float32; the others are float64, an undefined magnitude stands for
/// |expected|.
std::string mismatch(const Tensor& got, const Tensor& expected, const Tensor& magnitude, double relative);

}  // namespace atto::test
