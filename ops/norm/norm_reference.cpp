#include "ops/arithmetic/arithmetic.hpp"
#include "ops/norm/norm.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/reduce/reduce.hpp"

namespace atto {
namespace {

// (x - mean) / sqrt(var + epsilon) over a dimension.
Var centred(const Var& x, int dimension, double epsilon) {
  const Var difference = x - mean(x, dimension, true);
  return difference * rsqrt(mean(square(difference), dimension, true) + epsilon);
}

}  // namespace

Var layer_norm_reference(const Var& x, const Var& weight, const Var& bias, double epsilon) {
  const Var y = centred(x, -1, epsilon) * weight;
  return bias.defined() ? y + bias : y;
}

Var rms_norm_reference(const Var& x, const Var& weight, double epsilon) {
  return x * rsqrt(mean(square(x), -1, true) + epsilon) * weight;
}

Var batch_norm_reference(const Var& x, const Var& weight, const Var& bias, double epsilon, const Residuals& residuals) {
  const Var y = centred(residuals.before.defined() ? x + residuals.before : x, 0, epsilon) * weight + bias;
  return residuals.after.defined() ? y + residuals.after : y;
}

}  // namespace atto
