// Training steps of a decoder language model on text that is made.

#include <vector>

#include "bench/common/workload.hpp"
#include "core/random.hpp"
#include "nn/language/model.hpp"
#include "nn/losses.hpp"
#include "nn/optim/optimiser.hpp"

namespace atto::bench {
namespace {

struct Size {
  std::int64_t sequences, length, channels, layers, heads;
};

class LanguageStep final : public Workload {
 public:
  LanguageStep(const Size& size, DType dtype)
      : root_({.seed = 3, .dtype = dtype}),
        // Wide enough that attention is far from even: a wrong mask or rotation on one side shows in the losses.
        model_(root_, {.vocabulary = 256,
                       .channels = size.channels,
                       .layers = size.layers,
                       .heads = size.heads,
                       .deviation = 0.1}),
        optimiser_(root_, {.learning_rate = 1e-3, .weight_decay = 1e-2}),
        sequences_(
            Ragged::from_sizes(std::vector<std::int64_t>(static_cast<std::size_t>(size.sequences), size.length))),
        tokens_(Tensor::empty({sequences_.total()}, DType::int64)) {
    Generator generator(5);
    for (std::int64_t& token : tokens_.values<std::int64_t>()) token = generator.below(256);
    targets_ = next_tokens(tokens_, sequences_);
  }

  void repeat() override { step(); }
  int parts() const override { return static_cast<int>(sequences_.total()); }
  const Model* model() const override { return &root_; }
  std::vector<double> check(int steps) override {
    std::vector<double> losses;
    for (int s = 0; s < steps; ++s) losses.push_back(step());
    return losses;
  }
  std::vector<NamedTensor> inputs() const override {
    const std::int64_t heads = model_.options().heads;
    const Shape shape{sequences_.count(), sequences_.total() / sequences_.count()};
    return {{"tokens", tokens_.reshape(shape)},
            {"targets", targets_.reshape(shape)},
            {"heads", Tensor::from<std::int64_t>({heads}, {1})}};
  }

 private:
  double step() {
    root_.zero_grad();
    const Var loss = losses::cross_entropy()(model_(tokens_, sequences_), targets_);
    const double value = loss.item();
    loss.backward();
    optimiser_.step();
    return value;
  }

  Model root_;
  LanguageModel model_;
  AdamW optimiser_;
  Ragged sequences_;
  Tensor tokens_, targets_;
};

}  // namespace

std::unique_ptr<Workload> make_language(const std::string& name, const WorkloadOptions& options) {
  if (name != "language") return nullptr;
  return std::make_unique<LanguageStep>(options.quick ? Size{2, 16, 32, 2, 4} : Size{8, 256, 256, 4, 8}, options.dtype);
}

}  // namespace atto::bench
