#include "nn/text/make.hpp"

#include <set>
#include <unordered_set>

#include "core/error.hpp"
#include "nn/safetensors.hpp"
#include "nn/text/byte_alphabet.hpp"
#include "nn/text/parts.hpp"
#include "nn/text/valid_utf8.hpp"

namespace atto {
namespace text {

using nlohmann::json;

Tokenizer make_tokenizer(const Description& description) {
  json vocabulary = json::object(), merges = json::array(), added = json::array();
  for (const std::string& token : description.tokens) vocabulary[token] = vocabulary.size();
  for (const auto& [left, right] : description.merges)
    merges.push_back(json::array(
        {description.tokens[static_cast<std::size_t>(left)], description.tokens[static_cast<std::size_t>(right)]}));
  std::size_t next = vocabulary.size();
  for (const std::string& content : description.special) {
    const auto found = vocabulary.find(content);
    added.push_back({{"id", found == vocabulary.end() ? next++ : found->get<std::size_t>()},
                     {"content", content},
                     {"special", true},
                     {"normalized", false}});
  }
  json model{{"type", "BPE"}};
  model["vocab"] = std::move(vocabulary);
  model["merges"] = std::move(merges);
  if (!description.unknown.empty()) model["unk_token"] = description.unknown;
  json document{{"pre_tokenizer", description.pre_tokenizer}, {"decoder", description.decoder}};
  document["added_tokens"] = std::move(added);
  document["model"] = std::move(model);
  return Tokenizer(read_parts(document, "(a new tokeniser)"));
}

// Other readers of the format want every key, also where it means nothing.
json byte_level() {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
}

json byte_level_words(std::string_view pattern) {
  json spell = byte_level();
  if (pattern.empty()) return spell;
  json cut{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", json::array({std::move(cut), std::move(spell)})}};
}

void check_special(const char* op, const std::vector<std::string>& special) {
  std::unordered_set<std::string_view> seen;
  for (const std::string& token : special)
    if (token.empty() || first_invalid(token) != std::string_view::npos || !seen.insert(token).second)
      throw ValueError({.op = op,
                        .argument = "special",
                        .got = in_quotes(token),
                        .expected = "special tokens that are UTF-8, not empty and different",
                        .hint = {}});
}

}  // namespace text

Tokenizer byte_tokenizer(const std::vector<std::string>& special) {
  text::check_special("byte_tokenizer", special);
  text::Description description{
      .special = special, .pre_tokenizer = text::byte_level_words({}), .decoder = text::byte_level()};
  for (int byte = 0; byte < 256; ++byte)
    text::append_spelled(description.tokens.emplace_back(), std::string(1, static_cast<char>(byte)));
  return text::make_tokenizer(description);
}

Tokenizer character_tokenizer(std::string_view sample, const CharacterOptions& options) {
  text::Description description{.decoder = {{"type", "Fuse"}}};
  if (!options.unknown.empty()) description.special.push_back(options.unknown);
  description.special.insert(description.special.end(), options.special.begin(), options.special.end());
  text::check_special("character_tokenizer", description.special);
  if (const std::size_t place = text::first_invalid(sample); place != std::string_view::npos)
    throw ValueError({.op = "character_tokenizer",
                      .argument = "text",
                      .got = "a byte at " + std::to_string(place) + " that is not UTF-8",
                      .expected = "UTF-8",
                      .hint = "byte_tokenizer takes any bytes"});
  std::set<std::string, std::less<>> characters;  // UTF-8 sorts as its code points do
  for (std::size_t at = 0; at < sample.size();) {
    const std::size_t begin = at;
    report::next_code_point(sample, at);
    const std::string_view character = sample.substr(begin, at - begin);
    if (!characters.contains(character)) characters.emplace(character);
  }
  description.tokens.assign(characters.begin(), characters.end());
  description.unknown = options.unknown;
  if (!options.unknown.empty() && !characters.contains(options.unknown)) description.tokens.push_back(options.unknown);
  return text::make_tokenizer(description);
}

}  // namespace atto
