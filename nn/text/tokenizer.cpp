#include "nn/text/tokenizer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "core/error.hpp"
#include "core/file.hpp"
#include "nn/safetensors.hpp"
#include "nn/text/byte_alphabet.hpp"
#include "nn/text/parts.hpp"
#include "nn/text/valid_utf8.hpp"

namespace atto {
namespace {

using text::AddedToken;
using text::Parts;
using text::Piece;

// Turns words into ids. A word that came before is copied from where its tokens already stand: the cache costs one
// entry for each different word of one text, and needs no lock.
class Words {
 public:
  Words(const text::BytePairs& model, std::string_view whole, std::vector<std::int32_t>& ids)
      : model_(model), whole_(whole), ids_(ids) {}

  void add(std::string_view word) {
    if (word.size() > kLongest) return encode(word);
    const auto found = seen_.find(word);
    if (found != seen_.end()) {
      for (std::size_t i = found->second.begin; i < found->second.end; ++i) ids_.push_back(ids_[i]);
      return;
    }
    const std::size_t begin = ids_.size();
    encode(word);
    seen_.emplace(word, Range{begin, ids_.size()});
  }

 private:
  static constexpr std::size_t kLongest = 256;
  struct Range {
    std::size_t begin, end;
  };
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  void encode(std::string_view word) {
    if (word.size() > std::size_t{0x7FFFFFFF})
      throw ValueError({.op = "Tokenizer::encode",
                        .argument = "text",
                        .got = fmt::format("a word of {} bytes", word.size()),
                        .expected = "words of less than 2 GiB",
                        .hint = "encode shorter texts"});
    if (const std::optional<std::size_t> place = model_.encode(word, work_, ids_)) refuse(word, *place);
  }

  [[noreturn]] void refuse(std::string_view word, std::size_t place) const {
    std::size_t end = place;
    report::next_code_point(word, end);
    std::string character(word.substr(place, end - place));
    const bool valid = text::first_invalid(character) != 0;
    std::string where;
    // A stage that rewrites its text loses the place; most tokenisers that lack characters have none.
    const bool in_text =
        std::greater_equal<>()(word.data(), whole_.data()) && std::less<>()(word.data(), whole_.data() + whole_.size());
    if (in_text) where = fmt::format(" at byte {}", static_cast<std::size_t>(word.data() - whole_.data()) + place);
    throw ValueError({.op = "Tokenizer::encode",
                      .argument = "text",
                      .got = valid ? fmt::format("the character {}{}", in_quotes(character), where)
                                   : fmt::format("a byte 0x{:02x}{} that is not UTF-8",
                                                 static_cast<unsigned char>(character[0]), where),
                      .expected = "characters that have a token",
                      .hint = "give the tokeniser a token for unknown characters, or use byte-level tokens"});
  }

  const text::BytePairs& model_;
  std::string_view whole_;
  std::vector<std::int32_t>& ids_;
  text::BytePairs::Work work_;
  std::unordered_map<std::string, Range, Hash, std::equal_to<>> seen_;
};

[[noreturn]] void fail_id(const char* op, std::int32_t id, std::int64_t size) {
  throw IndexError({.op = op,
                    .argument = "id",
                    .got = std::to_string(id),
                    .expected = fmt::format("an id below {} that has a token", size),
                    .hint = "is this the model's own tokeniser?"});
}

std::string_view spelling_of(const Parts& parts, std::int32_t id) {
  const std::vector<std::string>& tokens = parts.model.tokens();
  if (id < 0 || static_cast<std::size_t>(id) >= tokens.size()) return {};
  return tokens[static_cast<std::size_t>(id)];
}

}  // namespace

std::vector<std::int32_t> Tokenizer::encode(std::string_view whole, EncodeOptions options) const {
  const Parts& parts = *parts_;
  std::vector<std::int32_t> ids;
  if (options.add_special) ids = parts.before;
  Words words(parts.model, whole, ids);
  const text::Sink to_words = [&](Piece piece) { words.add(piece.text); };
  const auto split = [&](std::string_view part, bool first) {
    if (parts.split) parts.split({part, first}, to_words);
    else words.add(part);
  };
  // Twice: tokens are looked for before and after the text is normalised.
  const auto normalised = [&](std::string_view part, bool first) {
    std::string rewritten;
    if (parts.normalise) part = rewritten = parts.normalise(part);
    parts.added.stretches(part, true, options.parse_special,
                          [&](std::size_t begin, std::size_t end, const AddedToken* token) {
                            if (token != nullptr) ids.push_back(token->id);
                            else split(part.substr(begin, end - begin), first && begin == 0);
                          });
  };
  text::valid_stretches(whole, [&](std::string_view stretch, bool valid) {
    const bool first = stretch.data() == whole.data();
    if (!valid) {
      std::string spelled;
      if (parts.byte_level) text::append_spelled(spelled, stretch);
      words.add(parts.byte_level ? spelled : stretch);
      return;
    }
    parts.added.stretches(stretch, false, options.parse_special,
                          [&](std::size_t begin, std::size_t end, const AddedToken* token) {
                            if (token != nullptr) ids.push_back(token->id);
                            else normalised(stretch.substr(begin, end - begin), first && begin == 0);
                          });
  });
  if (options.add_special) ids.insert(ids.end(), parts.behind.begin(), parts.behind.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, DecodeOptions options) const {
  std::vector<text::Spelling> tokens;
  tokens.reserve(ids.size());
  for (const std::int32_t id : ids) {
    const AddedToken* added = parts_->added.find(id);
    if (added != nullptr && added->special && !options.keep_special) continue;
    const std::string_view spelling = added != nullptr ? added->content : spelling_of(*parts_, id);
    if (spelling.empty()) fail_id("Tokenizer::decode", id, vocabulary_size());
    tokens.push_back({std::string(spelling), added != nullptr});
  }
  parts_->decode(tokens);
  std::string out;
  for (const text::Spelling& token : tokens) out += token.text;
  return out;
}

std::int64_t Tokenizer::vocabulary_size() const {
  return parts_->vocabulary_size;
}

std::optional<std::int32_t> Tokenizer::id(std::string_view token) const {
  if (const AddedToken* added = parts_->added.find(token)) return added->id;
  const std::int32_t id = parts_->model.find(token);
  return id < 0 ? std::nullopt : std::optional(id);
}

std::string Tokenizer::token(std::int32_t id) const {
  if (const AddedToken* added = parts_->added.find(id)) return added->content;
  const std::string_view spelling = spelling_of(*parts_, id);
  if (spelling.empty()) fail_id("Tokenizer::token", id, vocabulary_size());
  return std::string(spelling);
}

std::vector<SpecialToken> Tokenizer::special_tokens() const {
  std::vector<SpecialToken> special;
  for (const AddedToken& token : parts_->added.all())
    if (token.special) special.push_back({token.content, token.id});
  std::sort(special.begin(), special.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return special;
}

const std::vector<std::int32_t>& Tokenizer::begin_tokens() const {
  return parts_->before;
}

const std::vector<std::int32_t>& Tokenizer::end_tokens() const {
  return parts_->behind;
}

void Tokenizer::save(const std::filesystem::path& path) const {
  write_atomically(path, text::write_parts(*parts_));
}

Tokenizer load_tokenizer(const std::filesystem::path& path) {
  const std::string file = path.string();
  return Tokenizer(text::read_parts(text::parse_json(read_file(path), file), file));
}

}  // namespace atto
