#include "nn/losses.hpp"

#include "core/error.hpp"
#include "ops/loss/loss.hpp"

namespace atto::losses {
namespace {

Tensor class_indices(const Tensor& targets) {
  if (is_floating(targets.dtype()))
    throw TypeError({.op = "cross_entropy",
                     .argument = "targets",
                     .got = targets.str(),
                     .expected = "class numbers of an integer type",
                     .hint = {}});
  return targets.to(DType::int64);
}

// A column of outputs and a list of targets mean the same; only the number of elements must agree.
Loss of_pairs(Var (*loss)(const Var&, const Tensor&), const char* name) {
  return [=](const Var& outputs, const Tensor& targets) {
    const bool column =
        outputs.rank() == 2 && outputs.size(1) == 1 && targets.rank() == 1 && targets.size(0) == outputs.size(0);
    if (!column && targets.shape() != outputs.shape())
      throw ShapeError({.op = name,
                        .argument = "targets",
                        .got = targets.str(),
                        .expected = "the shape of the outputs, " + outputs.value().str(),
                        .hint = {}});
    return loss(outputs, targets.to(outputs.dtype()).reshape(outputs.shape()));
  };
}

}  // namespace

Loss cross_entropy() {
  return [](const Var& outputs, const Tensor& targets) { return atto::cross_entropy(outputs, class_indices(targets)); };
}

Loss weighted_cross_entropy(const Tensor& class_weights) {
  return [class_weights](const Var& outputs, const Tensor& targets) {
    return atto::cross_entropy(outputs, class_indices(targets), {.class_weights = class_weights.to(outputs.dtype())});
  };
}

Loss balanced_cross_entropy() {
  return [](const Var& outputs, const Tensor& targets) {
    const Tensor classes = class_indices(targets);
    return atto::cross_entropy(outputs, classes,
                               {.class_weights = class_balance_weights(classes, outputs.size(-1), outputs.dtype())});
  };
}

Loss l1() {
  return of_pairs(l1_loss, "l1");
}
Loss mse() {
  return of_pairs(mse_loss, "mse");
}
Loss bce_with_logits() {
  return of_pairs(atto::bce_with_logits, "bce_with_logits");
}

}  // namespace atto::losses
