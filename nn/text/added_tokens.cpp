#include "nn/text/added_tokens.hpp"

#include <algorithm>
#include <functional>

#include "nn/report/utf8.hpp"

namespace atto::text {
namespace {

// Where the character before `at` begins.
std::size_t character_before(std::string_view text, std::size_t at) {
  do --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0u) == 0x80u);
  return at;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const Normaliser& normalise) : tokens_(std::move(tokens)) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    by_content_.emplace(token.content, i);
    by_id_.emplace(token.id, i);
    const std::string spelling = token.normalised && normalise ? normalise(token.content) : token.content;
    if (spelling.empty()) continue;
    Set& set = token.normalised ? normalised_ : raw_;
    set.tokens.emplace(spelling, i);
    std::vector<std::size_t>& lengths = set.lengths[static_cast<unsigned char>(spelling[0])];
    const auto place = std::lower_bound(lengths.begin(), lengths.end(), spelling.size(), std::greater<>());
    if (place == lengths.end() || *place != spelling.size()) lengths.insert(place, spelling.size());
  }
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const auto found = by_content_.find(content);
  return found == by_content_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::find(std::int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

AddedTokens::Match AddedTokens::next(std::string_view text, std::size_t from, bool normalised) const {
  const Set& set = normalised ? normalised_ : raw_;
  if (set.tokens.empty()) return {};
  for (; from < text.size(); ++from)
    for (const std::size_t length : set.lengths[static_cast<unsigned char>(text[from])]) {
      if (length > text.size() - from) continue;
      const auto found = set.tokens.find(std::string(text.substr(from, length)));
      if (found != set.tokens.end()) return {from, from + length, &tokens_[found->second]};
    }
  return {};
}

bool AddedTokens::stands_alone(std::string_view text, const Match& match) {
  if (match.begin > 0) {
    const std::size_t before = character_before(text, match.begin);
    if (is_word(text.substr(before, match.begin - before))) return false;
  }
  if (match.end == text.size()) return true;
  std::size_t behind = match.end;
  report::next_code_point(text, behind);
  return !is_word(text.substr(match.end, behind - match.end));
}

std::size_t AddedTokens::space_before(std::string_view text, std::size_t at, std::size_t limit) {
  while (at > limit) {
    const std::size_t before = character_before(text, at);
    std::size_t i = before;
    if (!is_space(report::next_code_point(text, i))) break;
    at = before;
  }
  return at;
}

std::size_t AddedTokens::space_behind(std::string_view text, std::size_t at) {
  for (std::size_t i = at; i < text.size(); at = i)
    if (!is_space(report::next_code_point(text, i))) break;
  return at;
}

}  // namespace atto::text
