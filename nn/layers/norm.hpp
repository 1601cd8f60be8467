#pragma once

#include "nn/module.hpp"
#include "ops/norm/norm.hpp"

namespace atto {

/// Layer norm over the last dimension (ops/norm). Parameters weight [width] = 1, bias [width] = 0.
class LayerNorm : public Module {
 public:
  LayerNorm(const Scope& scope, std::int64_t width, double epsilon = 1e-5);
  Var operator()(const Var& x) const;

 private:
  double epsilon_;
  Parameter weight_, bias_;
};

/// Root-mean-square norm over the last dimension. Parameter weight [width] = 1.
class RmsNorm : public Module {
 public:
  RmsNorm(const Scope& scope, std::int64_t width, double epsilon = 1e-6);
  Var operator()(const Var& x) const;

 private:
  double epsilon_;
  Parameter weight_;
};

struct BatchNormOptions {
  double epsilon = 1e-5;
  double momentum = 0.1;  ///< running <- (1 - momentum) running + momentum batch
};

/// Batch norm over the rows of x [N,width], every node of a ragged batch counted once. In training the statistics are
/// those of the batch (biased variance), and the running ones move towards them (unbiased variance); in evaluation the
/// running ones serve. A batch of fewer than two rows leaves the running ones alone, and so does one with a mean or
/// variance that is not finite: whoever gives up the step for its NaN finds the model as it was. Parameters weight = 1,
/// bias = 0; buffers running_mean = 0, running_var = 1. Residuals around it are added on the way.
class BatchNorm : public Module {
 public:
  BatchNorm(const Scope& scope, std::int64_t width, BatchNormOptions options = {});
  Var operator()(const Var& x, const Residuals& residuals = {}) const;

 private:
  BatchNormOptions options_;
  Parameter weight_, bias_;
  Buffer running_mean_, running_var_;
};

}  // namespace atto
