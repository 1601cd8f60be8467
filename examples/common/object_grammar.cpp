#include "examples/common/object_grammar.hpp"

#include <array>

#include "core/error.hpp"

namespace atto::examples {

Grammar object_grammar(int depth, double relative, bool new_words) {
  if (depth < 0 || !(relative > 0 && relative < 1))
    throw ValueError({.op = "object_grammar",
                      .argument = "depth, relative",
                      .got = std::to_string(depth) + ", " + std::to_string(relative),
                      .expected = "depth >= 0, 0 < relative < 1",
                      .hint = {}});
  std::map<std::string, std::vector<Grammar::Production>, std::less<>> rules;
  if (new_words) {
    rules["noun"] = one_of({"farmer", "dog", "teacher", "bird", "nurse", "horse", "painter", "king"});
    rules["act"] = one_of({"follow", "see", "greet", "find"});
    rules["state"] = one_of({"sleep", "sing", "dance", "laugh"});
  } else {
    rules["noun"] = one_of({"farmer", "dog", "teacher", "bird", "singer", "sailor", "queen", "cat"});
    rules["act"] = one_of({"follow", "see", "help", "know", "hear"});
    rules["state"] = one_of({"sleep", "sing", "run", "wait", "swim"});
  }
  struct Number {
    std::string name, noun, verb;  // the endings of a noun, and of the verb that agrees with it
  };
  static const std::array<Number, 2> numbers{Number{"one", "", "s"}, Number{"many", "s", ""}};
  for (int level = 0; level <= depth; ++level) {
    const std::string here = std::to_string(level), deeper = std::to_string(level + 1);
    for (const Number& number : numbers) {
      const std::vector<std::string> plain{"the ", "noun", number.noun};
      std::vector<std::string> sleeper = plain, object = plain;
      sleeper.insert(sleeper.end(), {" that ", "state", number.verb});
      object.insert(object.end(), {" that ", "any" + deeper, " ", "act", number.verb});
      auto& phrase = rules["phrase " + number.name + here];
      if (level == depth) phrase = {{.probability = 1, .symbols = plain}};
      else
        phrase = {{.probability = 1 - relative, .symbols = plain},
                  {.probability = relative / 2, .symbols = sleeper},
                  {.probability = relative / 2, .symbols = object}};
      rules["any" + here].push_back({.probability = 0.5, .symbols = {"phrase " + number.name + here}});
    }
  }
  for (const Number& number : numbers)
    rules["sentence"].push_back(
        {.probability = 0.5, .symbols = {"any0", " ", "phrase " + number.name + "0", " ", "act", number.verb, " .\n"}});
  return Grammar(std::move(rules));
}

}  // namespace atto::examples
