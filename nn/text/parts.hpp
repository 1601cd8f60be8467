#pragma once
// What a tokeniser consists of, and its form as a file.

#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nn/text/added_tokens.hpp"
#include "nn/text/byte_pairs.hpp"
#include "nn/text/stages.hpp"

namespace atto::text {

struct Parts {
  Parts(Normaliser n, std::vector<AddedToken> tokens, Splitter s, BytePairs::Options options,
        std::vector<std::string> vocabulary, std::vector<BytePairs::Merge> merges)
      : normalise(std::move(n)),
        added(std::move(tokens), normalise),
        split(std::move(s)),
        model(std::move(vocabulary), std::move(merges), options) {}

  Normaliser normalise;
  AddedTokens added;
  Splitter split;
  BytePairs model;
  std::vector<std::int32_t> before, behind;  ///< what add_special puts around a text
  bool byte_level = false;  ///< the model's words are spelled by stand-ins of bytes (byte_alphabet.hpp)
  Decoder decode;
  std::int64_t vocabulary_size = 0;
  /// The descriptions from which the stages were built, as JSON, by the names of the file.
  std::array<std::pair<const char*, nlohmann::json>, 4> descriptions{
      {{"normalizer", {}}, {"pre_tokenizer", {}}, {"post_processor", {}}, {"decoder", {}}}};
};

/// The tokeniser that `document` describes; `file` is for messages.
std::shared_ptr<const Parts> read_parts(const nlohmann::json& document, const std::string& file);

/// A tokenizer.json.
std::string write_parts(const Parts& parts);

}  // namespace atto::text
