#pragma once
// The stages around the model, each a function that is built from its description in a tokenizer.json: what is done to
// the text, how it is cut into words, how tokens become text again. What a description asks for and is not here is
// refused with a FileError that names it.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "nn/text/json_node.hpp"
#include "nn/text/regex.hpp"

namespace atto::text {

/// Rewrites a stretch of text.
using Normaliser = std::function<std::string(std::string_view)>;

/// A stretch on its way to the model. Stages take and give views that hold until they return: text streams through
/// them, nothing is collected.
struct Piece {
  std::string_view text;
  bool first;  ///< it begins where the whole text begins
};
using Sink = std::function<void(Piece)>;
/// Cuts a stretch into smaller ones, which it may rewrite, and hands each to the sink. Empty ones are left out.
using Splitter = std::function<void(Piece, const Sink&)>;

/// A token on its way to text.
struct Spelling {
  std::string text;
  bool verbatim = false;  ///< an added token: it stands for itself in every alphabet
};
/// Rewrites the spellings of all tokens. What stands in them at the end, one behind the other, is the text.
using Decoder = std::function<void(std::vector<Spelling>&)>;

/// NFC, Prepend, Replace, Sequence. null: an empty function.
Normaliser read_normaliser(const Node& node);

/// ByteLevel, Digits, Metaspace, Punctuation, Sequence, Split, Whitespace, WhitespaceSplit. null: an empty function.
Splitter read_splitter(const Node& node);

/// ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip. null: blanks between the tokens.
Decoder read_decoder(const Node& node);

/// What to look for: {"String": "..."} or {"Regex": "..."}.
Regex read_pattern(const Node& node);

/// `text` with every match replaced; bytes that are not UTF-8 stay.
std::string replace_all(const Regex& pattern, std::string_view text, std::string_view by);

/// White space and word characters as Unicode defines them (UTS 18, annex C).
bool is_space(char32_t point);
bool is_word(std::string_view character);

}  // namespace atto::text
