#pragma once
// Text to numbers and back. One type serves every kind of tokeniser, and one form of file, Hugging Face's
// tokenizer.json of the BPE kind: bytes and characters are byte-pair encodings without merges.
//
//     Tokenizer tokenizer = train_byte_pairs(text, {.vocabulary_size = 1000, .special = {"<|end|>"}});
//     tokenizer.save("tokenizer.json");
//     std::vector<std::int32_t> ids = load_tokenizer("tokenizer.json").encode("To be, or not to be");

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atto {

namespace text {
struct Parts;
}

struct EncodeOptions {
  bool parse_special = false;  ///< text that spells a special token becomes that token; otherwise it is text like other
  bool add_special = false;    ///< with the begin and end tokens that the tokeniser's file asks for
};

struct DecodeOptions {
  bool keep_special = true;  ///< false leaves special tokens out
};

/// A special token: one for control (begin, end, roles), which ordinary text does not contain.
struct SpecialToken {
  std::string content;
  std::int32_t id;
};

/// An immutable tokeniser; a copy shares its tables. Any number of threads may use one at once.
///
/// Text goes through these stages, as Hugging Face's library defines them: added tokens are taken out, the rest is
/// normalised, cut into words, and each word is merged from its characters by the list of pairs; begin and end tokens
/// are put around the whole. Where the file asks for byte-level tokens any bytes are text: bytes that are not UTF-8 are
/// words of their own, and decode gives every byte back.
class Tokenizer {
 public:
  explicit Tokenizer(std::shared_ptr<const text::Parts> parts) : parts_(std::move(parts)) {}

  /// The tokens of `text`; "" has none. Time O(n + sum over different words of w log w) in bytes n and w. ValueError
  /// naming the place where a character has no token and the tokeniser none for unknown ones (a library that drops it
  /// silently would give a text without it), and where a pattern takes too long (text/regex.hpp).
  std::vector<std::int32_t> encode(std::string_view text, EncodeOptions options = {}) const;

  /// The text of `ids`. Bytes that byte-level tokens stand for come as they are, so that the pieces of a character that
  /// is spread over several tokens can be put together. IndexError for an id without token.
  std::string decode(std::span<const std::int32_t> ids, DecodeOptions options = {}) const;

  /// One more than the largest id: how many rows an embedding needs.
  std::int64_t vocabulary_size() const;

  /// The id of a token in the spelling of the file (byte-level tokens: "Ġthe" for " the"); nothing where it has none.
  std::optional<std::int32_t> id(std::string_view token) const;
  /// The spelling of a token. IndexError for an id without token.
  std::string token(std::int32_t id) const;

  /// The special tokens by id, and those that `add_special` puts before and behind a text.
  std::vector<SpecialToken> special_tokens() const;
  const std::vector<std::int32_t>& begin_tokens() const;
  const std::vector<std::int32_t>& end_tokens() const;

  /// Replaces the file at `path` by this tokeniser as tokenizer.json, whole or not at all.
  void save(const std::filesystem::path& path) const;

 private:
  std::shared_ptr<const text::Parts> parts_;
};

/// Reads a tokenizer.json of the BPE kind that anybody may have written (GPT-2, Llama-2 and -3, Qwen, SmolLM, those of
/// save). FileError names the place in the file and the reason: what it asks for and is not supported (other models,
/// dropout, prefixes and suffixes of subwords, truncation, padding, stages that text/stages.hpp does not list), tokens,
/// ids or merges that do not fit together, ids that leave too many gaps. No memory is taken that the file does not
/// fill.
Tokenizer load_tokenizer(const std::filesystem::path& path);

/// The 256 bytes, the id of each its value, then the special tokens. Takes any text.
Tokenizer byte_tokenizer(const std::vector<std::string>& special = {});

struct CharacterOptions {
  std::string unknown{};  ///< the special token for characters that were not seen; empty: they are an error
  std::vector<std::string> special{};  ///< further special tokens
};
/// The characters (code points) of `text` in Unicode's order, then `unknown` and the special tokens. ValueError naming
/// the place where `text` is not UTF-8.
Tokenizer character_tokenizer(std::string_view text, const CharacterOptions& options = {});

}  // namespace atto
