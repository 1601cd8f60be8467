#pragma once
// Losses: from outputs and targets to one number. Sums run in float64 over fixed chunks, in order.

#include <cstdint>

#include "autograd/var.hpp"
#include "core/device.hpp"
#include "ops/loss/loss_simd.hpp"

namespace atto {

extern const Schema cross_entropy_schema, l1_loss_schema, mse_loss_schema, bce_with_logits_schema;

struct CrossEntropyOptions {
  Tensor class_weights = {};         ///< [C] of the logits' dtype; undefined = ones
  std::int64_t ignore_index = -100;  ///< rows with this target do not count
  bool sum = false;                  ///< the weighted sum instead of the weighted mean
};

/// sum_n w_(t_n) (lse(z_n) - z_n,t_n) / sum_n w_(t_n), lse being the logarithm of the sum of exponentials: softmax and
/// logarithm in one, and stable. logits[N,C], target int64 [N] -> a number. Rows of weight 0 count nothing, whatever
/// their logits; when all weights add up to 0 (no rows, a single class under class_balance_weights) the loss and its
/// gradient are 0. IndexError naming the row whose target lies outside 0..C-1. Cost: 25 N C FLOP; nothing of size [N,C]
/// is kept.
Var cross_entropy(const Var& logits, const Tensor& target, const CrossEntropyOptions& options = {});
/// The same from log_softmax and a product with the one-hot targets.
Var cross_entropy_reference(const Var& logits, const Tensor& target, const CrossEntropyOptions& options = {});

/// w_c = (V - n_c) / V for the classes that occur among the V targets, n_c times, else 0 (Dwivedi et al. 2020, the loss
/// of PATTERN and CLUSTER). int64 [V] -> [C].
Tensor class_balance_weights(const Tensor& target, std::int64_t classes, DType dtype);

// Means over all elements; the target has the shape of x. Targets that are NaN (missing labels) do not count; when none
// is left the loss is 0. Cost: 1 to 30 FLOP per element.

/// mean |x - t|; derivative 0 where x = t.
Var l1_loss(const Var& x, const Tensor& target);
/// mean (x - t)^2
Var mse_loss(const Var& x, const Tensor& target);
/// mean of -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)) = log(1 + e^x) - x t, without overflow; targets in [0, 1].
Var bce_with_logits(const Var& x, const Tensor& target);
// The same from pointwise operations; missing targets are NaN here.
Var l1_loss_reference(const Var& x, const Tensor& target);
Var mse_loss_reference(const Var& x, const Tensor& target);
Var bce_with_logits_reference(const Var& x, const Tensor& target);

namespace kernels {

/// Rows: loss_n = w_(t_n) (lse_n - z_n,t_n) with lse_n = largest_n + log_sum_n; rows of weight 0 give 0.
template <class T>
void cross_entropy(Cpu, std::int64_t rows, std::int64_t classes, const T* logits, const std::int64_t* target,
                   const T* weights, std::int64_t ignore, T* loss, T* largest, T* log_sum);
/// dz_nc = factor w_(t_n) (exp(z_nc - lse_n) - [c = t_n])
template <class T>
void cross_entropy_gradient(Cpu, std::int64_t rows, std::int64_t classes, const T* logits, const std::int64_t* target,
                            const T* weights, std::int64_t ignore, const T* largest, const T* log_sum, T factor, T* dz);
/// The loss of each element, 0 for a missing target.
template <class T>
void pair_loss(Cpu, PairLoss kind, std::int64_t size, const T* x, const T* target, T* loss);
/// dx = factor times the derivative, 0 for a missing target.
template <class T>
void pair_loss_gradient(Cpu, PairLoss kind, std::int64_t size, const T* x, const T* target, T factor, T* dx);

}  // namespace kernels
}  // namespace atto
