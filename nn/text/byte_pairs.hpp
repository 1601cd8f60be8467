#pragma once
// The model of byte-pair encoding: a vocabulary, and the pairs of tokens that are merged, in order.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace atto::text {

/// Cuts a word into tokens (Sennrich et al. 2016): begin with its characters; as long as two neighbours are a pair of
/// the list, merge the pair that stands first in the list, the leftmost of several. Without merges it is a vocabulary
/// of characters.
class BytePairs {
 public:
  struct Merge {
    std::int32_t left, right;
  };
  struct Options {
    std::int32_t unknown = -1;   ///< what characters without token become; -1: they are an error
    bool fuse_unknown = false;   ///< neighbouring unknown characters become one token
    bool byte_fallback = false;  ///< characters without token become the tokens <0x00> ... <0xFF> of their bytes
    bool ignore_merges = false;  ///< a word that is a token is that token, even where no merges lead to it
  };
  /// Room for work, to be used again from word to word.
  struct Work {
    struct Symbol {
      std::int32_t id, previous, next;
    };
    std::vector<Symbol> symbols;
    std::vector<std::uint64_t> heap;
  };

  /// `tokens` by id, all different, "" where an id has none. ValueError naming the merge that is given twice or whose
  /// tokens, or what they become, are not in the vocabulary.
  BytePairs(std::vector<std::string> tokens, std::vector<Merge> merges, Options options);
  BytePairs(const BytePairs&) = delete;

  /// Appends the tokens of `word` to `ids`. Bytes that are not UTF-8 count as one character each. Returns where the
  /// first character stands that has no token; nothing is appended then. Time O(n log n) in the bytes of the word.
  std::optional<std::size_t> encode(std::string_view word, Work& work, std::vector<std::int32_t>& ids) const;

  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::vector<Merge>& merges() const { return merges_; }
  const Options& options() const { return options_; }
  /// The id of a token, -1 where it has none.
  std::int32_t find(std::string_view token) const;

 private:
  struct Merged {
    std::int32_t rank, id;
  };
  struct PairHash {
    std::size_t operator()(std::uint64_t pair) const noexcept {
      return static_cast<std::size_t>((pair ^ (pair >> 32)) * 0x9E3779B97F4A7C15u >> 16);
    }
  };
  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return (static_cast<std::uint64_t>(left) << 32) | static_cast<std::uint32_t>(right);
  }
  bool add_bytes(std::string_view character, Work& work) const;
  void merge_all(Work& work) const;

  std::vector<std::string> tokens_;
  std::vector<Merge> merges_;
  Options options_;
  std::unordered_map<std::string_view, std::int32_t> ids_;  // views of tokens_
  std::unordered_map<std::uint64_t, Merged, PairHash> merged_;
  std::vector<std::int32_t> byte_ids_;  // of <0x00> ... <0xFF>
};

}  // namespace atto::text
