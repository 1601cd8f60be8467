#pragma once
// Adapters of a frozen language model, side by side: LoRA and Sparse-GIN with as many trained parameters each.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "examples/common/language_settings.hpp"
#include "examples/common/language_text.hpp"
#include "nn/adapters/lora.hpp"
#include "nn/adapters/sparse_gin.hpp"
#include "nn/language/task.hpp"
#include "nn/train/trainer.hpp"

namespace atto::examples {

/// The settings of LanguageSettings are those of the model and of the text to adapt to.
struct FinetuneSettings : LanguageSettings {
  std::string pretrain_text;
  bool new_words = false;
  std::optional<int> pretrain_epochs;
  std::string methods = "frozen,lora,intended,literal";
  std::optional<int> seeds;
  std::optional<double> adapter_lr;
  std::int64_t rank = 8;
  double alpha = 16;
  double lora_dropout = 0;
  double sharpness = 10;
  double threshold = 0.1;
  double gate = 0.6;
  double first_scale = 0;
  double last_scale = 0.5;

  // Words are what attention is drawn between; neither adapter is trained with dropout.
  FinetuneSettings() { tokens = "pairs", gin_dropout = 0; }

  template <class Self, class Visitor>
  static void visit_fields(Self& s, Visitor&& visit) {
    visit("pretrain_text", s.pretrain_text, "Text file to pre-train on; goes with --text");
    visit("new_words", s.new_words, "Of the second grammar: half of the nouns and verbs are new");
    visit("pretrain_epochs", s.pretrain_epochs, "Epochs of pre-training");
    visit("methods", s.methods, "What to compare, of frozen, lora, intended, literal, with commas between");
    visit("seeds", s.seeds, "Runs of everything, with seeds from --seed on");
    visit("adapter_lr", s.adapter_lr, "Learning rate of the adapters; --lr is that of pre-training");
    visit("rank", s.rank, "LoRA on queries and values: rank; Sparse-GIN gets as many parameters");
    visit("alpha", s.alpha, "LoRA: the addend is scaled by this / rank");
    visit("lora_dropout", s.lora_dropout, "LoRA: dropout of its input");
    visit("sharpness", s.sharpness, "Sparse graph: sharpness of the sigmoid over the summed attention");
    visit("threshold", s.threshold, "Sparse graph: the summed attention at which the sigmoid is 1/2");
    visit("gate", s.gate, "Sparse graph: pairs whose sigmoid is at or below this are dropped");
    visit("first_scale", s.first_scale, "Sparse-GIN: scale of the first layer's graph term in the beginning");
    visit("last_scale", s.last_scale, "Sparse-GIN: the same of the last layer");
    LanguageSettings::visit_fields(s, [&](const char* name, auto& field, const char* help) {
      const std::string_view key = name;
      visit(name, field,
            key == "gin_dropout" ? "Sparse-GIN: dropout (as published: 0.1)"
            : key == "text"      ? "Text file to adapt to; goes with --pretrain-text; without both, two grammars"
            : key == "epochs"    ? "Epochs of adaptation"
                                 : help);
    });
  }
};

const char* group_of_finetune(const std::string& name);
void choose_finetune_defaults(FinetuneSettings& settings);

/// The texts of both domains, with one tokeniser.
struct Domains {
  LanguageText pretrain, target;
};
Domains load_domains(const FinetuneSettings& settings);

enum class Method { frozen, lora, intended, literal };
const char* name_of(Method method);
/// "lora,literal" to its methods; ValueError for a name that is not known or comes twice, or for none.
std::vector<Method> methods_of(const std::string& names);

/// The GIN whose adapter has as many parameters per layer as `target`, or nearly: r is the largest whose square layers
/// have no more, and the rest goes into the width between the two linear maps of its perceptron. The counts differ by
/// at most r + 1/2 per layer. ValueError when `target` is too small for r = 1.
GinStackOptions matched_gin(std::int64_t target, std::int64_t channels);
/// Parameters of Sparse-GIN at one layer: 2 D r + 2 r m + 2 r + m + 2 D + 3, m = int(rho r) (with the PReLU's slope,
/// the norm's gain and lambda).
std::int64_t gin_parameter_count(const GinStackOptions& options, std::int64_t channels);

/// A pre-trained model, frozen, with an adapter and its trainer.
class AdaptedModel {
 public:
  /// `weights` are those of the pre-trained model, as save_weights() wrote them.
  AdaptedModel(const FinetuneSettings& settings, Method method, const std::filesystem::path& weights,
               const LanguageText& text, std::uint64_t seed);

  Model& root() { return root_; }
  const LanguageModel& model() const { return model_; }
  Trainer& trainer() { return *trainer_; }
  std::int64_t adapter_parameters() const;
  std::vector<double> scales() const { return gin_ ? gin_->scales() : std::vector<double>{}; }
  /// The adapter in a file of its own; nothing for Method::frozen.
  void save_adapter(const std::filesystem::path& path) const;

 private:
  Model root_;
  LanguageModel model_;
  std::unique_ptr<Lora> lora_;
  std::unique_ptr<SparseGin> gin_;
  std::unique_ptr<Trainer> trainer_;
};

/// The model of both domains: a decoder with softmax attention.
LanguageModelOptions finetune_model(const FinetuneSettings& settings, std::int64_t vocabulary);

}  // namespace atto::examples
