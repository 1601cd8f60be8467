#pragma once
// Losses as values that a training loop can hold. The functions themselves are operations: ops/loss/loss.hpp.

#include <functional>

#include "autograd/var.hpp"

namespace atto {

/// From the outputs of a model and the targets of its batch to one number, the mean over the samples that count.
using Loss = std::function<Var(const Var& outputs, const Tensor& targets)>;

namespace losses {

// Classes: outputs [N,C], targets [N] of any integer type.

Loss cross_entropy();
/// Fixed weights [C], one per class.
Loss weighted_cross_entropy(const Tensor& class_weights);
/// Weights from the classes of the batch itself, w_c = (V - n_c) / V; 0 for a batch of a single class.
Loss balanced_cross_entropy();

// Numbers: targets of any type with as many elements as the outputs ([N] stands for [N,1]); NaN marks a missing target.

Loss l1();
Loss mse();
Loss bce_with_logits();

}  // namespace losses
}  // namespace atto
