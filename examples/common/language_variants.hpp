#pragma once
// The language models that experiments compare: one decoder, several attentions, as many parameters in each.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "examples/common/language_settings.hpp"
#include "nn/language/model.hpp"

namespace atto::examples {

/// An attention of "Graph-aware isomorphic attention" (Buehler, arXiv 2501.02393) or one to compare it with.
struct LanguageVariant {
  const char* name;
  const char* description;
  /// Null for the attention that a language model has without it.
  void (*fill)(AttentionOptions& attention, const LanguageSettings& settings);
};

std::span<const LanguageVariant> language_variants();
/// ValueError listing the names there are.
const LanguageVariant& language_variant(std::string_view name);
/// "reference,gin" to its variants; ValueError for a name that is not known or comes twice, or for none.
std::vector<const LanguageVariant*> language_variants(const std::string& names);

/// The model of a variant with the settings' own width.
LanguageModelOptions model_options(const LanguageSettings& settings, const LanguageVariant& variant,
                                   std::int64_t vocabulary);

/// Parameters of a model, from two small ones: the count grows by the same number with every layer.
std::int64_t parameter_count(LanguageModelOptions options);

/// The same with the width that gives as many parameters as `target`: of the widths that suit the heads, with the
/// feed-forward blocks in proportion, the one whose count is nearest; what is left goes into the feed-forward blocks.
/// The count then differs by at most half of what one of their channels costs in all layers.
LanguageModelOptions matched_options(LanguageModelOptions options, std::int64_t target);

}  // namespace atto::examples
