#pragma once
// Low-rank adaptation: what a frozen model learns beside its linear layers.

#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nn/layers/linear.hpp"
#include "nn/module.hpp"

namespace atto {

struct LoraOptions {
  std::int64_t rank = 8;                     ///< r
  double alpha = 16;                         ///< a: the addend is scaled by a / r
  double dropout = 0;                        ///< of the input of the addend, in training
  std::vector<std::string> targets = {"*"};  ///< patterns of the paths of linear layers; see matches()
  std::string name = "lora";                 ///< where the parameters are registered
};

/// y = x W^T + b + (a / r) Drop(x) A^T B^T on chosen linear layers (Hu et al. 2021, arXiv 2106.09685). A [r,in] begins
/// uniform in +-1/sqrt(in), B [out,r] at zero, so the model begins as it was. Parameters NAME.PATH.a and NAME.PATH.b
/// for a layer at PATH. The rest of the model is frozen by `model.freeze("*")` before, or by name afterwards.
///
///     model.freeze("*");
///     Lora lora(model, {.rank = 8, .targets = {"*.attention.query", "*.attention.value"}});
///
/// Takes itself off when it is destroyed, unmerged. ValueError when no layer matches; StateError when a layer has an
/// adapter already, or when the model is flattened. Cost: 2 r (in + out) FLOP per row and layer.
class Lora : public Module {
 public:
  Lora(const Model& model, const LoraOptions& options = {});
  ~Lora();

  /// Writes W + (a / r) B A into the weights, so that a call costs what it did before, and keeps the originals. For
  /// inference: while merged nothing is added and A and B get no gradient. StateError when it is merged.
  void merge();
  /// Puts the originals back, bit for bit. StateError when it is not merged.
  void unmerge();
  bool merged() const noexcept { return merged_; }

  /// The paths of the layers.
  std::vector<std::string> targets() const;
  std::int64_t parameter_count() const;

  /// A and B of all layers, in a file of their own; rank and alpha stand in its metadata.
  void save(const std::filesystem::path& path) const;
  /// FileError unless the file was saved with the same rank, alpha and layers; then nothing is changed. StateError while
  /// merged.
  void load(const std::filesystem::path& path);

 private:
  struct Target {
    Target(const Scope& scope, const LoraOptions& options, std::shared_ptr<LinearSocket> socket);
    std::shared_ptr<LinearSocket> socket;
    Parameter a, b;
    Tensor original;  // while merged
  };
  Var addend(const Target& target, const Var& x) const;

  const Model& model_;
  LoraOptions options_;
  double scale_;
  std::deque<Target> targets_;
  bool merged_ = false;
};

}  // namespace atto
