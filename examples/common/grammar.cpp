#include "examples/common/grammar.hpp"

#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "core/error.hpp"

namespace atto::examples {
namespace {

[[noreturn]] void refuse(std::string got, std::string expected) {
  throw ValueError({.op = "Grammar",
                    .argument = "productions",
                    .got = std::move(got),
                    .expected = std::move(expected),
                    .hint = {}});
}

using Productions = std::map<std::string, std::vector<Grammar::Production>, std::less<>>;
using Expectations = std::map<std::string, Grammar::Expectation, std::less<>>;

// Depth first; `open` holds the symbols on the way down, in which none may occur again.
Grammar::Expectation expectation(const std::string& symbol, const Productions& productions, Expectations& known,
                                 std::set<std::string>& open) {
  const auto found = productions.find(symbol);
  if (found == productions.end()) return {.entropy = 0, .characters = static_cast<double>(symbol.size())};
  if (const auto done = known.find(symbol); done != known.end()) return done->second;
  if (!open.insert(symbol).second) refuse("\"" + symbol + "\" inside itself", "symbols that do not lead back");
  Grammar::Expectation sum;
  double total = 0;
  for (const auto& [probability, parts] : found->second) {
    if (!(probability > 0)) refuse("probability " + std::to_string(probability) + " of \"" + symbol + "\"", "above 0");
    total += probability;
    sum.entropy -= probability * std::log(probability);
    for (const std::string& part : parts) {
      const Grammar::Expectation inner = expectation(part, productions, known, open);
      sum.entropy += probability * inner.entropy;
      sum.characters += probability * inner.characters;
    }
  }
  if (std::abs(total - 1) > 1e-9) refuse("a sum of " + std::to_string(total) + " for \"" + symbol + "\"", "1");
  open.erase(symbol);
  return known[symbol] = sum;
}

}  // namespace

std::vector<Grammar::Production> one_of(const std::vector<std::string>& words) {
  std::vector<Grammar::Production> result;
  for (const std::string& word : words)
    result.push_back({.probability = 1.0 / static_cast<double>(words.size()), .symbols = {word}});
  return result;
}

Grammar::Grammar(Productions productions) : productions_(std::move(productions)) {
  std::set<std::string> open;
  for (const auto& [symbol, alternatives] : productions_) expectation(symbol, productions_, expectations_, open);
}

Grammar::Expectation Grammar::expect(std::string_view symbol) const {
  const auto found = expectations_.find(symbol);
  if (found == expectations_.end()) refuse("no \"" + std::string(symbol) + "\"", "a symbol with productions");
  return found->second;
}

Grammar::Text Grammar::sample(std::string_view symbol, Generator& random) const {
  expect(symbol);
  Text result;
  append(symbol, random, result);
  return result;
}

void Grammar::append(std::string_view symbol, Generator& random, Text& out) const {
  const auto found = productions_.find(symbol);
  if (found == productions_.end()) {
    out.text += symbol;
    return;
  }
  const std::vector<Production>& alternatives = found->second;
  std::size_t chosen = 0;
  if (alternatives.size() > 1)
    for (double rest = random.uniform(); chosen + 1 < alternatives.size(); ++chosen)
      if ((rest -= alternatives[chosen].probability) < 0) break;
  out.surprisal -= std::log(alternatives[chosen].probability);
  for (const std::string& part : alternatives[chosen].symbols) append(part, random, out);
}

Grammar agreement_grammar(int depth, double relative) {
  static const std::vector<std::string> nouns{"farmer", "dog", "teacher", "bird", "singer", "sailor", "queen", "cat"};
  static const std::vector<std::string> acts{"follow", "see", "help", "know", "hear"};
  static const std::vector<std::string> states{"sleep", "sing", "run", "wait", "swim"};
  if (depth < 0 || !(relative > 0 && relative < 1))
    throw ValueError({.op = "agreement_grammar",
                      .argument = "depth, relative",
                      .got = std::to_string(depth) + ", " + std::to_string(relative),
                      .expected = "depth >= 0, 0 < relative < 1",
                      .hint = {}});
  Productions rules;
  rules["noun"] = one_of(nouns);
  rules["act"] = one_of(acts);
  rules["state"] = one_of(states);
  // A number is the pair of endings that go with it: what a noun takes, and what its verb takes.
  struct Number {
    std::string name, noun, verb;
  };
  static const std::array<Number, 2> numbers{Number{"one", "", "s"}, Number{"many", "s", ""}};
  for (int level = 0; level <= depth; ++level) {
    const std::string here = std::to_string(level), deeper = std::to_string(level + 1);
    for (const Number& number : numbers) {
      const std::string subject = "subject " + number.name + here;
      const std::vector<std::string> plain{"the ", "noun", number.noun};
      if (level == depth) {
        rules[subject] = {{.probability = 1, .symbols = plain}};
        continue;
      }
      // The noun is the subject of its clause (that sleeps), or its object (that the dog follows).
      std::vector<std::string> as_subject = plain, as_object = plain;
      as_subject.insert(as_subject.end(), {" that ", "state", number.verb});
      as_object.insert(as_object.end(), {" that ", "agent" + deeper});
      rules[subject] = {{.probability = 1 - relative, .symbols = plain},
                        {.probability = relative / 2, .symbols = as_subject},
                        {.probability = relative / 2, .symbols = as_object}};
    }
    // Somebody who does something: subject and verb with as much between them as the levels below allow.
    const auto somebody = [&](const std::string& verb) {
      std::vector<Grammar::Production> result;
      for (const Number& number : numbers)
        result.push_back({.probability = 0.5, .symbols = {"subject " + number.name + here, " ", verb, number.verb}});
      return result;
    };
    rules["agent" + here] = somebody("act");
    rules["clause" + here] = somebody("state");
  }
  rules["sentence"] = {{.probability = 1, .symbols = {"clause0", " .\n"}}};
  return Grammar(std::move(rules));
}

Grammar::Text agreement_text(const Grammar& grammar, std::int64_t characters, std::uint64_t seed) {
  Generator random(seed);
  Grammar::Text result;
  while (static_cast<std::int64_t>(result.text.size()) < characters) {
    const Grammar::Text sentence = grammar.sample("sentence", random);
    result.text += sentence.text;
    result.surprisal += sentence.surprisal;
  }
  return result;
}

}  // namespace atto::examples
