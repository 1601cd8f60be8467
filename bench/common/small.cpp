// An optimiser step and the price of recording an operation.

#include <deque>

#include "autograd/tape.hpp"
#include "bench/common/made.hpp"
#include "bench/common/workload.hpp"
#include "nn/optim/optimiser.hpp"
#include "ops/arithmetic/arithmetic.hpp"

namespace atto::bench {
namespace {

// 60 matrices of 64 x 64 under AdamW; the gradients stay as they are.
class AdamStep final : public Workload {
 public:
  AdamStep() : root_({.seed = 3}) {
    for (std::int64_t i = 0; i < 60; ++i)
      parameters_.emplace_back(root_ / "tensor" / i, "weight", Shape{64, 64}, init::normal());
    optimiser_.emplace(root_, AdamOptions{.learning_rate = 1e-3, .weight_decay = 1e-2});
    root_.flatten().gradients.copy_from(random_tensor(root_.flatten().gradients.shape(), 5));
    // The optimiser never writes into gradients, so the values of the first step serve for all.
    for (const NamedParameter& parameter : root_.parameters())
      start_.push_back({parameter.name, parameter.value.value().clone()});
  }
  void repeat() override { optimiser_->step(); }
  std::vector<double> check(int steps) override {
    std::vector<double> numbers;
    for (int step = 0; step < steps; ++step) {
      optimiser_->step();
      double sum = 0;
      for (const NamedParameter& parameter : root_.parameters()) sum += norm(parameter.value.value());
      numbers.push_back(sum);
    }
    return numbers;
  }
  std::vector<NamedTensor> inputs() const override {
    std::vector<NamedTensor> all = start_;
    for (const NamedParameter& parameter : root_.parameters())
      all.push_back({"gradient." + parameter.name, parameter.value.grad()});
    return all;
  }

 private:
  Model root_;
  std::deque<Parameter> parameters_;
  std::optional<AdamW> optimiser_;
  std::vector<NamedTensor> start_;
};

// A chain of 100 products of 8 x 8 numbers, forward and backward.
class Tape final : public Workload {
 public:
  void repeat() override {
    x_.zero_grad();
    backward(chain(), seed_);
  }
  int parts() const override { return kOperations; }
  std::vector<double> check(int) override {
    x_.zero_grad();
    const Var y = chain();
    backward(y, seed_);
    return {dot(y.value(), seed_), norm(x_.grad())};
  }
  std::vector<NamedTensor> inputs() const override {
    return {{"x", x_.value()}, {"factor", factor_.value()}, {"seed", seed_}};
  }

 private:
  static constexpr int kOperations = 100;
  Var chain() const {
    Var y = x_;
    for (int i = 0; i < kOperations; ++i) y = y * factor_;
    return y;
  }

  Var x_ = Var::leaf(random_tensor({8, 8}, 1));
  Var factor_ = random_tensor({8, 8}, 2, 0.99);  // near 1, so that a hundred of them leave something
  Tensor seed_ = random_tensor({8, 8}, 3);
};

}  // namespace

std::unique_ptr<Workload> make_small(const std::string& name, const WorkloadOptions&) {
  if (name == "adamw") return std::make_unique<AdamStep>();
  if (name == "tape") return std::make_unique<Tape>();
  return nullptr;
}

}  // namespace atto::bench
