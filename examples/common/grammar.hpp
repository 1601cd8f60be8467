#pragma once
// Text with a known optimum: a probabilistic grammar whose verbs agree with subjects that stand far before them.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.hpp"

namespace atto::examples {

/// A probabilistic context-free grammar. Symbols with productions are expanded, all others are text.
///
/// When no text has two derivations, the probability of a text is the product of its choices, so that no model predicts
/// the texts of the grammar with a lower cross-entropy than that of its choices: a floor under every loss.
class Grammar {
 public:
  struct Production {
    double probability = 0;  ///< those of a symbol sum to 1
    std::vector<std::string> symbols;
  };
  struct Text {
    std::string text;
    double surprisal = 0;  ///< -ln of its probability, in nats
  };
  /// What to expect of a symbol's texts.
  struct Expectation {
    double entropy = 0;     ///< nats: the mean surprisal
    double characters = 0;  ///< the mean length
  };

  /// ValueError when probabilities do not sum to 1 or a symbol can lead back to itself.
  explicit Grammar(std::map<std::string, std::vector<Production>, std::less<>> productions);

  /// A random text of a symbol.
  Text sample(std::string_view symbol, Generator& random) const;
  /// Exact: E(symbol) = sum_p P(p) (-ln P(p) + sum over its parts of E), and the like for the length.
  Expectation expect(std::string_view symbol) const;

 private:
  void append(std::string_view symbol, Generator& random, Text& out) const;

  std::map<std::string, std::vector<Production>, std::less<>> productions_;
  std::map<std::string, Expectation, std::less<>> expectations_;
};

/// Each word with the same probability.
std::vector<Grammar::Production> one_of(const std::vector<std::string>& words);

/// English-like sentences, one a line, of symbol "sentence":
///
///     the farmers that the dog that sleeps follows sing .
///
/// A noun carries a relative clause with probability `relative`, down to `depth` clauses inside each other; its verb
/// follows after the clause and agrees in number. No sentence has two derivations.
Grammar agreement_grammar(int depth = 2, double relative = 0.4);

/// Whole sentences, at least `characters` long together; the same for the same seed.
Grammar::Text agreement_text(const Grammar& grammar, std::int64_t characters, std::uint64_t seed);

}  // namespace atto::examples
