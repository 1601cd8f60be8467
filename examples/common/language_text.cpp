#include "examples/common/language_text.hpp"

#include <filesystem>
#include <sstream>
#include <utility>

#include "core/file.hpp"
#include "core/random.hpp"
#include "examples/common/refuse.hpp"
#include "nn/text/train_byte_pairs.hpp"

namespace atto::examples {
namespace {

std::vector<std::string> words_of(std::string_view sentence) {
  std::istringstream stream{std::string(sentence)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// Of a sentence of the grammar: the place of its main verb, the last word before the full stop.
std::size_t main_verb(const std::vector<std::string>& words) {
  if (words.size() < 4 || words.back() != "." || words.front() != "the")
    refuse("sentence", words.empty() ? "nothing" : '"' + words.front() + "...\"", "one of agreement_grammar()");
  return words.size() - 2;
}

void require_both_parts(const char* option, const TokenData& data) {
  if (data.split().train.empty() || data.split().valid.empty())
    refuse(option, "a text without tokens for " + std::string(data.split().train.empty() ? "training" : "validation"),
           "at least two tokens for each");
}

}  // namespace

Tokenizer make_tokenizer(const LanguageSettings& s, std::string_view text) {
  if (s.tokens == "characters") return character_tokenizer(text);
  if (s.tokens == "bytes") return byte_tokenizer();
  if (s.tokens == "pairs") return train_byte_pairs(text, {.vocabulary_size = s.vocabulary});
  refuse("--tokens", s.tokens, "characters, bytes or pairs");
}

LanguageText text_of_file(const std::string& name, std::string_view text, const Tokenizer& tokenizer,
                          const LanguageSettings& s) {
  LanguageText result{.name = name,
                      .tokenizer = tokenizer,
                      .data = TokenData::windows(tokenizer.encode(text), {.length = *s.length, .valid = s.valid}),
                      .optimum = {}};
  require_both_parts("--text, --valid", result.data);
  return result;
}

std::string Sentences::text() const {
  std::string all;
  for (const Grammar::Text& sentence : train) all += sentence.text;
  return all;
}

Sentences draw_sentences(const Grammar& grammar, std::int64_t characters, std::uint64_t seed) {
  const auto draw = [&](std::int64_t length, std::uint64_t stream) {
    Generator random(Generator::State{.seed = seed, .position = stream << 48, .next_stream = 1});
    std::vector<Grammar::Text> sentences;
    for (std::int64_t drawn = 0; drawn < length; drawn += static_cast<std::int64_t>(sentences.back().text.size()))
      sentences.push_back(grammar.sample("sentence", random));
    return sentences;
  };
  return {.train = draw(characters, 0), .valid = draw((characters + 4) / 5, 1)};
}

LanguageText text_of_grammar(const std::string& name, const Grammar& grammar, const Sentences& sentences,
                             const Tokenizer& tokenizer, const LanguageSettings& s) {
  std::vector<std::vector<std::int32_t>> documents;
  Optimum optimum;
  const auto add = [&](const std::vector<Grammar::Text>& part, double& nats) {
    double tokens = 0, surprisal = 0;
    for (const Grammar::Text& sentence : part) {
      documents.push_back(tokenizer.encode(sentence.text));
      const auto count = static_cast<std::int64_t>(documents.back().size());
      if (count > *s.length + 1)
        refuse("--length", std::to_string(*s.length),
               "at least " + std::to_string(count - 1) + ", so that sentences stay whole");
      tokens += static_cast<double>(count - 1);  // "the", or its first character, is read and always the same
      surprisal += sentence.surprisal;
    }
    nats = surprisal / tokens;
    return tokens;
  };
  add(sentences.train, optimum.train);
  const double valid_tokens = add(sentences.valid, optimum.valid);
  const auto train = static_cast<double>(sentences.train.size()), valid = static_cast<double>(sentences.valid.size());
  optimum.expected = grammar.expect("sentence").entropy * valid / valid_tokens;
  for (const Grammar::Text& sentence : sentences.valid) optimum.sentences.push_back(sentence.text);
  LanguageText result{.name = name,
                      .tokenizer = tokenizer,
                      .data = TokenData::documents(documents, {.length = *s.length, .valid = valid / (train + valid)}),
                      .optimum = std::move(optimum)};
  require_both_parts("--characters", result.data);
  return result;
}

LanguageText load_text(const LanguageSettings& s) {
  if (!s.text.empty()) {
    const std::string text = read_file(s.text);
    return text_of_file(std::filesystem::path(s.text).filename().string(), text, make_tokenizer(s, text), s);
  }
  constexpr std::int64_t most = 1'000'000'000;
  if (*s.characters < 1 || *s.characters > most)
    refuse("--characters", std::to_string(*s.characters), "1 to " + std::to_string(most));
  const Grammar grammar = agreement_grammar(s.depth, s.relative);
  const Sentences sentences = draw_sentences(grammar, *s.characters, s.seed);
  std::string text = sentences.text();
  // A short training text may lack a letter that the validation text has.
  for (const Grammar::Text& sentence : sentences.valid) text += sentence.text;
  return text_of_grammar("agreement grammar", grammar, sentences, make_tokenizer(s, text), s);
}

std::string with_wrong_number(std::string_view sentence) {
  std::vector<std::string> words = words_of(sentence);
  std::string& verb = words[main_verb(words)];
  if (verb.ends_with('s')) verb.pop_back();
  else verb += 's';
  std::string result = words[0];
  for (std::size_t w = 1; w < words.size(); ++w) result += " " + words[w];
  return result + "\n";
}

bool has_clause(std::string_view sentence) {
  return sentence.find(" that ") != std::string_view::npos;
}

bool has_other_number_between(std::string_view sentence) {
  const std::vector<std::string> words = words_of(sentence);
  const bool many = words[1].ends_with('s');
  for (std::size_t w = main_verb(words); w > 2; --w)
    if (words[w - 1] == "the") return words[w].ends_with('s') != many;
  return false;
}

}  // namespace atto::examples
