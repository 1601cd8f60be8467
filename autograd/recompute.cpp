#include "autograd/recompute.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "autograd/tape.hpp"

namespace atto {

const Schema recompute_schema{{
    .name = "recompute",
    .signature = "inputs*[...] -> y[...]",
    .formula = "y = f(inputs)",
    .gradient = "that of f, from a second run",
    .cost = "none of its own: that of f is counted with f's operations",
}};

namespace {

class Recompute final : public Op {
 public:
  explicit Recompute(std::function<Var(std::span<const Var>)> function) : function_(std::move(function)) {}
  const Schema& schema() const override { return recompute_schema; }

  Tensor forward(Inputs in) override {
    std::vector<Var> values;
    for (std::size_t i = 0; i < in.size(); ++i) values.emplace_back(inputs_.emplace_back(in[i]));
    const NoGrad no_grad;
    return function_(values).value();
  }

  void backward(const Tensor& gradient, Gradients& gradients) override {
    std::vector<Var> leaves;
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      leaves.push_back(gradients.wants(i) ? Var::leaf(inputs_[i]) : Var(inputs_[i]));
    atto::backward(function_(leaves), gradient);
    for (std::size_t i = 0; i < leaves.size(); ++i)
      if (leaves[i].requires_grad() && leaves[i].grad().defined()) gradients.add(i, leaves[i].grad());
  }

  Cost cost() const override { return {}; }

 private:
  std::function<Var(std::span<const Var>)> function_;
  std::vector<Tensor> inputs_;
};

}  // namespace

Var recompute(std::function<Var(std::span<const Var>)> function, std::span<const Var> inputs) {
  const bool needed = grad_enabled() &&
                      std::any_of(inputs.begin(), inputs.end(), [](const Var& input) { return input.requires_grad(); });
  return needed ? apply<Recompute>(inputs, std::move(function)) : function(inputs);
}

}  // namespace atto
