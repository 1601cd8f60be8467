#include "examples/common/finetune.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <sstream>

#include "core/error.hpp"
#include "core/file.hpp"
#include "examples/common/language_variants.hpp"
#include "examples/common/object_grammar.hpp"
#include "examples/common/refuse.hpp"
#include "nn/checkpoint.hpp"

namespace atto::examples {
namespace {

constexpr std::array<const char*, 4> kNames{"frozen", "lora", "intended", "literal"};

std::string text_of(const Sentences& sentences) {
  std::string text = sentences.text();
  for (const Grammar::Text& sentence : sentences.valid) text += sentence.text;  // may hold letters that training lacks
  return text;
}

std::string file_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

}  // namespace

const char* group_of_finetune(const std::string& name) {
  static const std::set<std::string> adapters{"methods",      "adapter_lr", "rank",       "alpha",
                                              "lora_dropout", "sharpness",  "threshold",  "gate",
                                              "first_scale",  "last_scale", "gin_dropout"};
  return adapters.count(name)                             ? "Adapters"
         : name == "pretrain_text" || name == "new_words" ? "Data"
         : name == "pretrain_epochs" || name == "seeds"   ? "Training"
                                                          : group_of(name);
}

void choose_finetune_defaults(FinetuneSettings& s) {
  if (!s.pretrain_epochs) s.pretrain_epochs = s.full ? 10 : 6;
  if (!s.epochs) s.epochs = s.full ? 10 : 6;
  if (!s.seeds) s.seeds = s.full ? 5 : 3;
  if (!s.adapter_lr) s.adapter_lr = s.full ? 1e-3 : 3e-3;
  if (!s.characters && !s.full) s.characters = 300'000;
  if (!s.batch && !s.full) s.batch = 4;
  if (*s.seeds < 1) refuse("--seeds", std::to_string(*s.seeds), "at least 1");
  if (s.rank < 1) refuse("--rank", std::to_string(s.rank), "at least 1");
  if (s.text.empty() != s.pretrain_text.empty())
    refuse("--text, --pretrain-text", "one of them", "both (two texts) or neither (two grammars)");
  methods_of(s.methods);
  choose_defaults(s);
}

Domains load_domains(const FinetuneSettings& s) {
  if (!s.text.empty()) {
    const std::string first = read_file(s.pretrain_text), second = read_file(s.text);
    const Tokenizer tokenizer = make_tokenizer(s, first + second);
    return {.pretrain = text_of_file(file_name(s.pretrain_text), first, tokenizer, s),
            .target = text_of_file(file_name(s.text), second, tokenizer, s)};
  }
  const Grammar subjects = agreement_grammar(s.depth, s.relative),
                objects = object_grammar(s.depth, s.relative, s.new_words);
  const Sentences first = draw_sentences(subjects, *s.characters, s.seed),
                  second = draw_sentences(objects, *s.characters, s.seed);
  const Tokenizer tokenizer = make_tokenizer(s, text_of(first) + text_of(second));
  return {.pretrain = text_of_grammar("grammar of subjects", subjects, first, tokenizer, s),
          .target = text_of_grammar("grammar of objects", objects, second, tokenizer, s)};
}

const char* name_of(Method method) {
  return kNames[static_cast<std::size_t>(method)];
}

std::vector<Method> methods_of(const std::string& names) {
  std::vector<Method> methods;
  std::istringstream stream(names);
  for (std::string name; std::getline(stream, name, ',');) {
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) refuse("--methods", name, "frozen, lora, intended, literal");
    methods.push_back(static_cast<Method>(found - kNames.begin()));
    if (std::count(methods.begin(), methods.end(), methods.back()) > 1) refuse("--methods", name + " twice", "it once");
  }
  if (methods.empty()) refuse("--methods", "nothing", "frozen, lora, intended, literal");
  return methods;
}

std::int64_t gin_parameter_count(const GinStackOptions& o, std::int64_t channels) {
  const auto inside = static_cast<std::int64_t>(o.multiplier * static_cast<double>(o.hidden));
  return 2 * channels * o.hidden + 2 * o.hidden * inside + 2 * o.hidden + inside + 2 * channels + 3;
}

GinStackOptions matched_gin(std::int64_t target, std::int64_t channels) {
  const auto with = [](std::int64_t hidden, std::int64_t inside) {
    // Half of one more, so that int(rho r) does not fall below m by rounding.
    return GinStackOptions{.hidden = hidden,
                           .multiplier = (static_cast<double>(inside) + 0.5) / static_cast<double>(hidden)};
  };
  const auto count = [&](std::int64_t hidden, std::int64_t inside) {
    return gin_parameter_count(with(hidden, inside), channels);
  };
  if (target < count(1, 1))
    refuse("--rank", std::to_string(target) + " parameters per layer",
           "at least " + std::to_string(count(1, 1)) + ", those of the smallest Sparse-GIN");
  std::int64_t hidden = 1;
  // At r = D the projections would be left out.
  while (hidden + 1 < channels && count(hidden + 1, hidden + 1) <= target) ++hidden;
  const std::int64_t reached = count(hidden, hidden), each = 2 * hidden + 1;
  return with(hidden, hidden + (2 * (target - reached) + each) / (2 * each));
}

LanguageModelOptions finetune_model(const FinetuneSettings& s, std::int64_t vocabulary) {
  return model_options(s, language_variant("reference"), vocabulary);
}

AdaptedModel::AdaptedModel(const FinetuneSettings& s, Method method, const std::filesystem::path& weights,
                           const LanguageText& text, std::uint64_t seed)
    : root_({.seed = seed}), model_(root_, finetune_model(s, text.tokenizer.vocabulary_size())) {
  load_weights(root_, weights);
  root_.freeze("*");
  const std::int64_t channels = *s.channels;
  if (method == Method::lora)
    lora_ = std::make_unique<Lora>(root_, LoraOptions{.rank = s.rank,
                                                      .alpha = s.alpha,
                                                      .dropout = s.lora_dropout,
                                                      .targets = {"*.attention.query", "*.attention.value"}});
  if (method == Method::intended || method == Method::literal) {
    SparseGinOptions options{.map = {.sharpness = s.sharpness, .threshold = s.threshold, .gate = s.gate},
                             .gin = matched_gin(4 * s.rank * channels, channels),
                             .first_scale = s.first_scale,
                             .last_scale = s.last_scale};
    options.gin.dropout = s.gin_dropout;
    options.gin.direction = method == Method::literal ? EdgeDirection::literal : EdgeDirection::intended;
    gin_ = std::make_unique<SparseGin>(root_, channels, options);
  }
  TrainerOptions training = trainer_options(s, seed);
  training.learning_rate = *s.adapter_lr;
  if (method == Method::frozen) training.epochs = 0, training.warmup = 0, training.cosine = false;
  trainer_ = std::make_unique<Trainer>(root_, std::make_shared<LanguageTask>(model_, text.data), text.data.split(),
                                       Objective::next_token(), training);
}

std::int64_t AdaptedModel::adapter_parameters() const {
  return lora_ ? lora_->parameter_count() : gin_ ? gin_->parameter_count() : 0;
}

void AdaptedModel::save_adapter(const std::filesystem::path& path) const {
  if (lora_) lora_->save(path);
  if (gin_) gin_->save(path);
}

}  // namespace atto::examples
