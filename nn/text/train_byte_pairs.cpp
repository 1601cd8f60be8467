#include "nn/text/train_byte_pairs.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/error.hpp"
#include "nn/safetensors.hpp"
#include "nn/text/added_tokens.hpp"
#include "nn/text/byte_alphabet.hpp"
#include "nn/text/make.hpp"
#include "nn/text/valid_utf8.hpp"

namespace atto {
namespace {

using text::BytePairs;

struct Word {
  std::vector<std::int32_t> symbols;
  std::int64_t count;
};

// The words of the texts with how often they occur, in the order of their first appearance.
class Words {
 public:
  Words(const BytePairOptions& options) : special_(added(options.special), {}) {
    if (!options.pattern.empty()) pattern_.emplace(options.pattern);
  }

  void add(std::string_view text) {
    text::valid_stretches(text, [&](std::string_view stretch, bool valid) {
      if (!valid) return add_word(stretch);
      special_.stretches(stretch, false, true, [&](std::size_t begin, std::size_t end, const text::AddedToken* token) {
        if (token == nullptr) cut(stretch.substr(begin, end - begin));
      });
    });
  }

  std::vector<Word> take(const std::array<std::int32_t, 256>& id_of_byte) const {
    std::vector<Word> words;
    words.reserve(order_.size());
    for (const auto* entry : order_) {
      Word& word = words.emplace_back(Word{{}, entry->second});
      for (const char byte : entry->first) word.symbols.push_back(id_of_byte[static_cast<unsigned char>(byte)]);
    }
    return words;
  }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  using Counts = std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>>;

  static std::vector<text::AddedToken> added(const std::vector<std::string>& special) {
    std::vector<text::AddedToken> tokens;
    for (const std::string& content : special)
      tokens.push_back({.content = content, .id = static_cast<std::int32_t>(tokens.size()), .special = true});
    return tokens;
  }
  void cut(std::string_view part) {
    if (!pattern_) return add_word(part);
    pattern_->stretches(part, [&](std::size_t begin, std::size_t end, bool) {
      if (end > begin) add_word(part.substr(begin, end - begin));
    });
  }
  void add_word(std::string_view word) {
    auto found = counts_.find(word);
    if (found == counts_.end()) order_.push_back(&*(found = counts_.emplace(word, 0).first));
    ++found->second;
  }

  text::AddedTokens special_;
  std::optional<text::Regex> pattern_;
  Counts counts_;
  std::vector<const Counts::value_type*> order_;
};

// The frequencies of all pairs, kept up to date while words are merged.
class Pairs {
 public:
  explicit Pairs(std::vector<Word> words) : words_(std::move(words)) {
    for (std::size_t w = 0; w < words_.size(); ++w)
      for (std::size_t i = 0; i + 1 < words_[w].symbols.size(); ++i) count(w, i, +1, true);
    for (const auto& [pair, entry] : pairs_) queue_.push({entry.count, pair});
  }

  struct Best {
    std::int32_t left, right;
    std::int64_t count;
    bool again;  ///< it was merged before, and came up anew where two others made one of its tokens
  };
  /// The most frequent pair; of several the smallest. It leaves the queue.
  std::optional<Best> next() {
    while (!queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      const Entry& entry = pairs_[top.pair];
      const std::int64_t now = entry.count;
      if (now == top.count && now > 0)
        return Best{static_cast<std::int32_t>(top.pair >> 32), static_cast<std::int32_t>(top.pair & 0xFFFFFFFFu), now,
                    entry.merged};
      // Pairs become rarer without notice and are put in their place when it is their turn.
      if (now > 0 && now < top.count) queue_.push({now, top.pair});
    }
    return std::nullopt;
  }

  void merge(const Best& best, std::int32_t id) {
    Entry& entry = pairs_[key(best.left, best.right)];
    const std::vector<std::size_t> holders = std::exchange(entry.words, {});
    entry.merged = true;
    grown_.clear();
    for (const std::size_t w : holders) merge_word(w, best, id);
    for (const std::uint64_t pair : grown_) queue_.push({pairs_[pair].count, pair});
  }

 private:
  struct Candidate {
    std::int64_t count;
    std::uint64_t pair;
    bool operator<(const Candidate& other) const { return std::tie(count, other.pair) < std::tie(other.count, pair); }
  };
  struct Entry {
    std::int64_t count = 0;
    std::vector<std::size_t> words;  // where it stands or once stood
    bool merged = false;
  };
  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return (static_cast<std::uint64_t>(left) << 32) | static_cast<std::uint32_t>(right);
  }

  void count(std::size_t w, std::size_t i, int sign, bool is_new) {
    const Word& word = words_[w];
    const std::uint64_t pair = key(word.symbols[i], word.symbols[i + 1]);
    Entry& entry = pairs_[pair];
    entry.count += sign * word.count;
    if (!is_new) return;
    if (entry.words.empty() || entry.words.back() != w) entry.words.push_back(w);
    grown_.insert(pair);
  }

  void merge_word(std::size_t w, const Best& best, std::int32_t id) {
    std::vector<std::int32_t>& symbols = words_[w].symbols;
    const auto is_pair = [&](std::size_t i) {
      return i + 1 < symbols.size() && symbols[i] == best.left && symbols[i + 1] == best.right;
    };
    bool any = false;
    for (std::size_t i = 0; !any && i < symbols.size(); ++i) any = is_pair(i);
    if (!any) return;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) count(w, i, -1, false);
    std::size_t size = 0;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      const bool merged = is_pair(i);
      symbols[size++] = merged ? id : symbols[i];
      i += merged ? 1 : 0;
    }
    symbols.resize(size);
    for (std::size_t i = 0; i + 1 < size; ++i) count(w, i, +1, symbols[i] == id || symbols[i + 1] == id);
  }

  std::vector<Word> words_;
  std::unordered_map<std::uint64_t, Entry> pairs_;
  std::priority_queue<Candidate> queue_;
  std::unordered_set<std::uint64_t> grown_;
};

[[noreturn]] void refuse(const char* argument, std::string got, std::string expected) {
  throw ValueError({.op = "train_byte_pairs",
                    .argument = argument,
                    .got = std::move(got),
                    .expected = std::move(expected),
                    .hint = {}});
}

// Special tokens and bytes. A special token that is spelled like a byte is that token.
std::vector<std::string> first_tokens(const BytePairOptions& options, std::array<std::int32_t, 256>& id_of_byte) {
  std::vector<std::string> tokens = options.special;
  std::vector<int> bytes(256);
  for (int byte = 0; byte < 256; ++byte) bytes[static_cast<std::size_t>(byte)] = byte;
  std::sort(bytes.begin(), bytes.end(), [](int a, int b) {
    return text::stand_in(static_cast<unsigned char>(a)) < text::stand_in(static_cast<unsigned char>(b));
  });
  for (const int byte : bytes) {
    std::string spelled;
    text::append_spelled(spelled, std::string(1, static_cast<char>(byte)));
    auto found = std::find(tokens.begin(), tokens.end(), spelled);
    if (found == tokens.end()) found = tokens.insert(tokens.end(), spelled);
    id_of_byte[static_cast<std::size_t>(byte)] = static_cast<std::int32_t>(found - tokens.begin());
  }
  return tokens;
}

}  // namespace

Tokenizer train_byte_pairs(std::span<const std::string_view> texts, const BytePairOptions& options) {
  text::check_special("train_byte_pairs", options.special);
  std::array<std::int32_t, 256> id_of_byte{};
  text::Description description{.tokens = first_tokens(options, id_of_byte),
                                .special = options.special,
                                .pre_tokenizer = text::byte_level_words(options.pattern),
                                .decoder = text::byte_level()};
  std::vector<std::string>& tokens = description.tokens;
  const auto begin = static_cast<std::int64_t>(tokens.size());
  if (options.vocabulary_size < begin || options.vocabulary_size > std::int64_t{1} << 30)
    refuse("vocabulary_size", std::to_string(options.vocabulary_size),
           "at least " + std::to_string(begin) + " (bytes and special tokens), at most 2^30");

  std::optional<Words> words;
  try {
    words.emplace(options);
  } catch (const text::PatternError& error) {
    refuse("pattern", in_quotes(options.pattern), "a pattern that can be used; this one " + std::string(error.what()));
  }
  for (const std::string_view text : texts) words->add(text);
  Pairs pairs(words->take(id_of_byte));
  words.reset();

  std::unordered_map<std::string, std::int32_t> ids;
  for (std::size_t i = 0; i < tokens.size(); ++i) ids.emplace(tokens[i], static_cast<std::int32_t>(i));
  while (static_cast<std::int64_t>(tokens.size()) < options.vocabulary_size) {
    const auto best = pairs.next();
    if (!best || best->count < options.min_frequency) break;
    std::string joined = tokens[static_cast<std::size_t>(best->left)] + tokens[static_cast<std::size_t>(best->right)];
    // Two pairs can make one token: "ab" "c" and "a" "bc".
    const auto [entry, is_new] = ids.emplace(joined, static_cast<std::int32_t>(tokens.size()));
    if (is_new) tokens.push_back(std::move(joined));
    if (!best->again) description.merges.push_back({best->left, best->right});
    pairs.merge(*best, entry->second);
    if (options.progress)
      options.progress(static_cast<std::int64_t>(tokens.size()) - begin, options.vocabulary_size - begin);
  }
  return text::make_tokenizer(description);
}

Tokenizer train_byte_pairs(std::string_view text, const BytePairOptions& options) {
  return train_byte_pairs(std::span(&text, 1), options);
}

}  // namespace atto
