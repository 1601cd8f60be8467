#pragma once
// Byte-pair encoding learnt from text.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nn/text/regex.hpp"
#include "nn/text/tokenizer.hpp"

namespace atto {

struct BytePairOptions {
  std::int64_t vocabulary_size = 1000;      ///< at most: special tokens, 256 bytes, and one for each merge
  std::vector<std::string> special{};       ///< get the ids from 0; text that spells them is left out of training
  std::string pattern{text::gpt2_pattern};  ///< cuts text into words, over whose ends nothing is merged; empty: uncut
  std::int64_t min_frequency = 2;           ///< pairs that occur less often are not merged
  /// Called after each merge with how many there are and how many there can be.
  std::function<void(std::int64_t merges, std::int64_t most)> progress{};
};

/// Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019) of `texts`: begin with single bytes, and
/// again and again make the pair of neighbours that occurs most often within the words one token; of several, the pair
/// with the smaller first id, then the smaller second id. Ids: special tokens, bytes in the order of their stand-ins,
/// merges as they were learnt. Ends early where no pair is frequent enough.
///
/// ValueError where vocabulary_size has no room for the bytes, a special token is not UTF-8, empty or given twice, or
/// the pattern is not one. Time O(n) for cutting n bytes, then for each merge the words that hold the pair.
Tokenizer train_byte_pairs(std::span<const std::string_view> texts, const BytePairOptions& options = {});
Tokenizer train_byte_pairs(std::string_view text, const BytePairOptions& options = {});

}  // namespace atto
