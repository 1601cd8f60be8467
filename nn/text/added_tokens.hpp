#pragma once
// Tokens that are looked for in the text before anything else is done to it.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "nn/text/stages.hpp"

namespace atto::text {

struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool special = false;      ///< a control token: text spells it only where the caller says so
  bool normalised = false;   ///< looked for in the normalised text, in its own normalised spelling
  bool single_word = false;  ///< not next to a word character
  bool strip_left = false;   ///< takes the white space before it along
  bool strip_right = false;  ///< takes the white space behind it along
};

/// The added tokens of a tokeniser. At each place the longest that stands there is taken, from left to right.
class AddedTokens {
 public:
  AddedTokens(std::vector<AddedToken> tokens, const Normaliser& normalise);

  const std::vector<AddedToken>& all() const { return tokens_; }
  const AddedToken* find(std::string_view content) const;
  const AddedToken* find(std::int32_t id) const;

  /// Calls each(begin, end, token) for what stands in `text` and, with nullptr, for what lies between, in order. Text
  /// of special tokens counts as ordinary text unless `special`. `normalised` chooses which of the two kinds to look
  /// for.
  template <class Each>
  void stretches(std::string_view text, bool normalised, bool special, Each&& each) const {
    std::size_t covered = 0, from = 0;
    while (const Match match = next(text, from, normalised)) {
      from = match.end;
      if (match.token->special && !special) continue;
      if (match.token->single_word && !stands_alone(text, match)) continue;
      const std::size_t begin = match.token->strip_left ? space_before(text, match.begin, covered) : match.begin;
      const std::size_t end = match.token->strip_right ? space_behind(text, match.end) : match.end;
      if (begin > covered) each(covered, begin, nullptr);
      each(begin, end, match.token);
      covered = from = end;
    }
    if (covered < text.size()) each(covered, text.size(), nullptr);
  }

 private:
  struct Match {
    std::size_t begin = 0, end = 0;
    const AddedToken* token = nullptr;
    explicit operator bool() const { return token != nullptr; }
  };
  /// What is looked for at one time: the spellings, and which lengths there are of those that begin with a byte.
  struct Set {
    std::unordered_map<std::string, std::size_t> tokens;
    std::vector<std::vector<std::size_t>> lengths{256};  // the longest first
  };
  Match next(std::string_view text, std::size_t from, bool normalised) const;
  static bool stands_alone(std::string_view text, const Match& match);
  static std::size_t space_before(std::string_view text, std::size_t at, std::size_t limit);
  static std::size_t space_behind(std::string_view text, std::size_t at);

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::string_view, std::size_t> by_content_;
  std::unordered_map<std::int32_t, std::size_t> by_id_;
  Set raw_, normalised_;
};

}  // namespace atto::text
