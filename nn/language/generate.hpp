#pragma once
// Continuing texts with a language model.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/random.hpp"
#include "nn/language/model.hpp"

namespace atto {

using Tokens = std::vector<std::int32_t>;

/// How the next token is chosen from its logits.
struct SamplingOptions {
  bool greedy = false;     ///< the largest logit, of equals the first
  double temperature = 1;  ///< logits are divided by it; more than 0
  std::int64_t top_k = 0;  ///< only the k most likely tokens; 0 = all
  double top_p = 1;        ///< only the most likely tokens that together reach this probability, in (0, 1]
};

/// One token from its logits [V], and a uniform number in [0, 1). The cuts follow each other: temperature, the k most
/// likely (of equals the lower index), then of those the smallest set that reaches top_p (Holtzman et al. 2020), at
/// least one token; what is left is drawn by its probability. NumericError when no logit is finite or one is NaN or
/// +infinity; ValueError for options out of range. Cost: V log V at most.
std::int32_t choose_token(const Tensor& logits, const SamplingOptions& options, double uniform);

struct GenerationOptions {
  std::int64_t tokens = 32;  ///< most tokens to add to each prompt
  SamplingOptions sampling = {};
  std::vector<std::int32_t> stop = {};  ///< a text ends with the first of these, which is part of it
  std::uint64_t seed = 1;
  bool cache = true;  ///< false: read the whole texts again for every token
  /// Called for each new token as it comes: number of the text, token, and the logits [V] that it was chosen from.
  std::function<void(std::int64_t text, std::int32_t token, const Tensor& logits)> on_token = {};
};

/// Continues all prompts side by side, without padding; returns the new tokens of each. A text draws from a stream of
/// its own (seed, number of the text), so it does not depend on the others beside it. ValueError for an empty prompt,
/// IndexError for a token outside the vocabulary. The model should be in eval() mode. With the cache a token costs one
/// row through the model, and reading the keys and values before it.
std::vector<Tokens> generate_tokens(const LanguageModel& model, std::span<const Tokens> prompts,
                                    const GenerationOptions& options = {});

}  // namespace atto
