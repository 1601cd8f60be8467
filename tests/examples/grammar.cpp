#include "examples/common/grammar.hpp"

#include <cmath>
#include <map>
#include <set>

#include "tests/support/errors.hpp"

namespace atto::test {

using examples::Grammar;

TEST_CASE("grammar: entropy and length of a coin and a word, by hand") {
  const Grammar grammar({{"coin", {{.probability = 0.25, .symbols = {"ab"}}, {.probability = 0.75, .symbols = {"c"}}}},
                         {"two", {{.probability = 1, .symbols = {"coin", "-", "coin"}}}}});
  const double entropy = -0.25 * std::log(0.25) - 0.75 * std::log(0.75);
  CHECK(grammar.expect("coin").entropy == Approx(entropy));
  CHECK(grammar.expect("coin").characters == Approx(1.25));
  CHECK(grammar.expect("two").entropy == Approx(2 * entropy));
  CHECK(grammar.expect("two").characters == Approx(3.5));
}

TEST_CASE("grammar: the mean surprisal and length of many texts approach the exact ones") {
  const Grammar grammar = examples::agreement_grammar();
  const Grammar::Expectation exact = grammar.expect("sentence");
  Generator random(3);
  double surprisal = 0, characters = 0;
  const int texts = 20000;
  for (int i = 0; i < texts; ++i) {
    const Grammar::Text text = grammar.sample("sentence", random);
    surprisal += text.surprisal / texts;
    characters += static_cast<double>(text.text.size()) / texts;
  }
  CHECK(surprisal == Approx(exact.entropy).epsilon(0.01));
  CHECK(characters == Approx(exact.characters).epsilon(0.01));
}

// The floor under a loss holds only when a text tells its derivation: two derivations of one text would have different
// surprisals in all but a few cases.
TEST_CASE("grammar: a sentence has one derivation, and probabilities of the sentences of no depth sum to 1") {
  const Grammar flat = examples::agreement_grammar(0);
  Generator random(5);
  std::map<std::string, double> seen;
  for (int i = 0; i < 5000; ++i) {
    const Grammar::Text text = flat.sample("sentence", random);
    seen[text.text] = std::exp(-text.surprisal);
  }
  double total = 0;
  for (const auto& [text, probability] : seen) total += probability;
  CHECK(seen.size() == 8 * 5 * 2);
  CHECK(total == Approx(1));

  const Grammar nested = examples::agreement_grammar(2, 0.9);
  std::map<std::string, double> surprisals;
  for (int i = 0; i < 50000; ++i) {
    const Grammar::Text text = nested.sample("sentence", random);
    const auto [place, fresh] = surprisals.emplace(text.text, text.surprisal);
    CHECK(place->second == Approx(text.surprisal).epsilon(1e-12));
  }
}

TEST_CASE("grammar: verbs agree with subjects that stand before whole clauses") {
  const Grammar grammar = examples::agreement_grammar(2, 0.9);
  const std::string text = examples::agreement_text(grammar, 20000, 1).text;
  CHECK(text.find(" .\nthe ") != std::string::npos);
  CHECK(text.find("dog that sings sleeps .") != std::string::npos);
  CHECK(text.find("dog that sings sleep .") == std::string::npos);
  CHECK(examples::agreement_text(grammar, 20000, 1).text == text);
  CHECK(examples::agreement_text(grammar, 20000, 2).text != text);
}

TEST_CASE("grammar: what is no grammar is refused") {
  using Rules = std::map<std::string, std::vector<Grammar::Production>, std::less<>>;
  CHECK_THAT_SAYS(ValueError, Grammar(Rules{{"a", {{.probability = 0.5, .symbols = {"x"}}}}}), "a sum of 0.5");
  CHECK_THAT_SAYS(ValueError, Grammar(Rules{{"a", {{.probability = 1, .symbols = {"b"}}}},
                                            {"b", {{.probability = 1, .symbols = {"x", "a"}}}}}),
                  "inside itself");
  CHECK_THAT_SAYS(ValueError, examples::agreement_grammar().expect("verse"), "no \"verse\"");
  CHECK_THAT_SAYS(ValueError, examples::agreement_grammar(-1), "depth >= 0");
}

}  // namespace atto::test
