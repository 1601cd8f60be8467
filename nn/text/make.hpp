#pragma once
// From tables to a tokeniser.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "nn/text/byte_pairs.hpp"
#include "nn/text/tokenizer.hpp"

namespace atto::text {

struct Description {
  std::vector<std::string> tokens{};  ///< by id, special tokens among them or not
  std::vector<BytePairs::Merge> merges{};
  std::vector<std::string> special{};  ///< those that are not among the tokens get the ids behind them
  std::string unknown{};
  nlohmann::json pre_tokenizer{}, decoder{};
};

/// Through the one reader that all tokenisers come from.
Tokenizer make_tokenizer(const Description& description);

/// The pre-tokenizer of byte-level tokens: cut by `pattern` where it is not empty, then spelled by stand-ins.
nlohmann::json byte_level_words(std::string_view pattern);
/// And their decoder.
nlohmann::json byte_level();

/// ValueError unless the special tokens are UTF-8, not empty and different.
void check_special(const char* op, const std::vector<std::string>& special);

}  // namespace atto::text
