#pragma once
// Regular expressions over Unicode text, as files of tokenisers write them.

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace atto::text {

/// Why a pattern cannot be used, in words; `what()` is the whole reason.
class PatternError : public std::exception {
 public:
  explicit PatternError(std::string reason) : reason_(std::move(reason)) {}
  const char* what() const noexcept override { return reason_.c_str(); }

 private:
  std::string reason_;
};

/// A compiled pattern (PCRE2, with Unicode classes). Patterns are read in the dialect of Oniguruma, in which these
/// files are written; where the two differ in meaning the pattern is translated (from_oniguruma) or refused. A copy
/// shares the compiled pattern; any number of threads may search at once.
class Regex {
 public:
  /// Throws PatternError where `pattern` is not one, is longer than 65536 bytes, or means something else in PCRE2.
  explicit Regex(std::string_view pattern);
  /// A pattern that matches `text` and nothing else; an empty text never matches.
  static Regex literal(std::string_view text);

  struct Match {
    std::size_t begin, end;
  };
  /// The leftmost match in `text`, which must be valid UTF-8, that begins at `from` or behind; what stands before
  /// `from` is seen by looking back. ValueError where the search takes more than 10^6 + 16 size steps from one place.
  std::optional<Match> find(std::string_view text, std::size_t from) const;

  /// Calls each(begin, end, matched) for the matches in `text` and for what lies between them, in order and without
  /// gaps. Stretches between matches are not empty, matches may be; an empty match directly behind a match is left out.
  template <class Each>
  void stretches(std::string_view text, Each&& each) const {
    std::size_t covered = 0, from = 0;
    bool behind_match = false;
    while (from <= text.size()) {
      const std::optional<Match> match = find(text, from);
      if (!match) break;
      from = match->end > match->begin ? match->end : next_character(text, match->end);
      if (match->begin == match->end && behind_match && match->begin == covered) continue;
      if (match->begin > covered) each(covered, match->begin, false);
      each(match->begin, match->end, true);
      covered = match->end;
      behind_match = true;
    }
    if (covered < text.size()) each(covered, text.size(), false);
  }

 private:
  struct Code;
  Regex() = default;
  static std::size_t next_character(std::string_view text, std::size_t at);

  std::shared_ptr<const Code> code_;  // none: `literal_`
  std::string literal_;
};

/// `pattern` in PCRE2's dialect. Rewritten: \w and \W (letters, marks, numbers, connectors), \s and \S (white space of
/// Unicode), \uHHHH, {,n}. PatternError for what has another meaning there, or none: \b, \h, \G, \K, (?m), {n,m}+,
/// nested classes, && in classes, verbs (*...).
std::string from_oniguruma(std::string_view pattern);

/// How GPT-2 and Llama-3 cut text into words before pairs are merged: contractions, words with the blank before them,
/// numbers (Llama-3: of at most three digits), signs, white space. Every character lies in exactly one match.
inline constexpr std::string_view gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view llama3_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

}  // namespace atto::text
