#include "examples/common/language_variants.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "core/error.hpp"
#include "examples/common/refuse.hpp"
#include "nn/attention/isomorphic_attention.hpp"

namespace atto::examples {
namespace {

GinAttentionOptions gin(const LanguageSettings& s, double multiplier) {
  return {.normaliser = Softmax{.learn = true},
          .gin = {.multiplier = multiplier, .dropout = s.gin_dropout, .weight_init = init::normal(s.deviation)}};
}

void fill_pna(AttentionOptions& attention, const LanguageSettings& s, const PnaAttentionOptions& options) {
  fill_slots(attention, options);
  attention.finish = PerHead{.multiplier = options.multiplier, .weight_init = init::normal(s.deviation)};
}

constexpr std::array kVariants{
    LanguageVariant{"reference", "softmax attention with projected values", nullptr},
    LanguageVariant{"reference-sharp", "the same with a trained sharpness",
                    [](AttentionOptions& a, const LanguageSettings&) { a.normaliser = Softmax{.learn = true}; }},
    LanguageVariant{"gin", "GIN-attention, gamma 0.5, trained sharpness, no output projection (the paper's best)",
                    [](AttentionOptions& a, const LanguageSettings& s) { fill_slots(a, gin(s, 0.5)); }},
    LanguageVariant{"gin-plain", "the same without the sharpness",
                    [](AttentionOptions& a, const LanguageSettings& s) {
                      GinAttentionOptions options = gin(s, 0.5);
                      options.normaliser = Softmax{};
                      fill_slots(a, options);
                    }},
    LanguageVariant{"gin-output", "gin with an output projection",
                    [](AttentionOptions& a, const LanguageSettings& s) {
                      GinAttentionOptions options = gin(s, 0.5);
                      options.output = true;
                      fill_slots(a, options);
                    }},
    LanguageVariant{"gin-1", "gin with gamma 1",
                    [](AttentionOptions& a, const LanguageSettings& s) { fill_slots(a, gin(s, 1)); }},
    LanguageVariant{"gin-4", "gin with gamma 4",
                    [](AttentionOptions& a, const LanguageSettings& s) { fill_slots(a, gin(s, 4)); }},
    LanguageVariant{"gin-sharp-softplus", "gin over the weights' softplus(10 (a - 0.2)) / 10: sums in place of means",
                    [](AttentionOptions& a, const LanguageSettings& s) {
                      GinAttentionOptions options = gin(s, 0.5);
                      options.gate = adjacency_gate("sharp_softplus");
                      fill_slots(a, options);
                    }},
    LanguageVariant{"pna", "PNA-attention with the maximum over the neighbours, as it was meant",
                    [](AttentionOptions& a, const LanguageSettings& s) { fill_pna(a, s, {}); }},
    LanguageVariant{
        "pna-literal", "PNA-attention with the maximum of the published code: a token's own value",
        [](AttentionOptions& a, const LanguageSettings& s) { fill_pna(a, s, {.maximum = MaximumOf::self}); }},
    LanguageVariant{"pna-sharp-softplus", "pna over the weights' softplus(10 (a - 0.2)) / 10",
                    [](AttentionOptions& a, const LanguageSettings& s) { fill_pna(a, s, {.mode = "sharp_softplus"}); }},
};

std::int64_t built_count(const LanguageModelOptions& options) {
  const Model root;
  const LanguageModel model(root, options);
  return root.parameter_count();
}

}  // namespace

std::span<const LanguageVariant> language_variants() {
  return kVariants;
}

const LanguageVariant& language_variant(std::string_view name) {
  std::string names;
  for (const LanguageVariant& variant : kVariants) {
    if (variant.name == name) return variant;
    names += (names.empty() ? "" : ", ") + std::string(variant.name);
  }
  throw ValueError(
      {.op = "variant", .argument = {}, .got = std::string(name), .expected = "one of " + names, .hint = {}});
}

std::vector<const LanguageVariant*> language_variants(const std::string& names) {
  std::vector<const LanguageVariant*> chosen;
  std::istringstream stream(names);
  for (std::string name; std::getline(stream, name, ',');) {
    const LanguageVariant* variant = &language_variant(name);
    if (std::find(chosen.begin(), chosen.end(), variant) != chosen.end())
      throw ValueError({.op = "variant", .argument = {}, .got = name + " twice", .expected = "it once", .hint = {}});
    chosen.push_back(variant);
  }
  if (chosen.empty()) language_variant(names);
  return chosen;
}

LanguageModelOptions model_options(const LanguageSettings& s, const LanguageVariant& variant, std::int64_t vocabulary) {
  const auto wide = [](std::int64_t size) { return static_cast<double>(size); };
  // Each parameter with gradient, two moments and the copy of the best epoch.
  require_memory("--layers, --channels, --hidden",
                 20 * wide(*s.layers) * wide(*s.channels) * (2 * wide(*s.channels) + 2 * wide(*s.hidden)));
  LanguageModelOptions options{.vocabulary = vocabulary,
                               .channels = *s.channels,
                               .layers = *s.layers,
                               .heads = *s.heads,
                               .hidden = *s.hidden,
                               .tied = s.tied,
                               .deviation = s.deviation};
  if (variant.fill)
    options.attention = [fill = variant.fill, s](AttentionOptions& attention, std::int64_t) { fill(attention, s); };
  return options;
}

std::int64_t parameter_count(LanguageModelOptions options) {
  const std::int64_t layers = options.layers;
  options.deviation = 0;  // nothing is drawn
  options.layers = 0;
  const std::int64_t without = built_count(options);
  if (layers == 0) return without;
  options.layers = 1;
  return without + layers * (built_count(options) - without);
}

LanguageModelOptions matched_options(LanguageModelOptions options, std::int64_t target) {
  const double proportion = static_cast<double>(options.hidden) / static_cast<double>(options.channels);
  const auto with_width = [&](std::int64_t channels) {
    LanguageModelOptions result = options;
    result.channels = channels;
    result.hidden = std::max<std::int64_t>(1, std::llround(proportion * static_cast<double>(channels)));
    return result;
  };
  const std::int64_t step = 2 * options.heads;  // rotary positions turn pairs of channels of a head
  const auto count = [&](std::int64_t steps) { return parameter_count(with_width(steps * step)); };
  std::int64_t below = 1, above = 2;
  while (count(above) < target) below = above, above *= 2;
  while (above - below > 1) {
    const std::int64_t middle = (below + above) / 2;
    (count(middle) < target ? below : above) = middle;
  }
  const bool lower = target - count(below) < count(above) - target;
  LanguageModelOptions result = with_width((lower ? below : above) * step);
  LanguageModelOptions wider = result;
  ++wider.hidden;
  const std::int64_t reached = parameter_count(result), each = parameter_count(wider) - reached;
  if (each > 0)
    result.hidden += std::max<std::int64_t>(
        1 - result.hidden, std::llround(static_cast<double>(target - reached) / static_cast<double>(each)));
  return result;
}

}  // namespace atto::examples
