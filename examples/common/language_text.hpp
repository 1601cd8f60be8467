#pragma once
// Texts to learn: a file, or the sentences of a grammar, whose entropy is a floor under every loss.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "examples/common/grammar.hpp"
#include "examples/common/language_settings.hpp"
#include "nn/language/token_data.hpp"
#include "nn/text/tokenizer.hpp"

namespace atto::examples {

/// What is known of generated sentences, in nats per token that a model predicts. A sentence is a document of its own,
/// so that a model sees all that its tokens depend on.
struct Optimum {
  double train = 0, valid = 0;  ///< of these very texts: -ln p(text) / tokens
  double expected = 0;          ///< of the grammar: entropy of a sentence / mean tokens of the validation sentences
  std::vector<std::string> sentences;  ///< of the validation part
};

struct LanguageText {
  std::string name;
  Tokenizer tokenizer;
  TokenData data;
  std::optional<Optimum> optimum;
};

/// The tokeniser that the settings ask for; what it has to learn, it learns from `text`.
Tokenizer make_tokenizer(const LanguageSettings& settings, std::string_view text);

/// Windows of a text. ValueError where it is too short to train and validate on.
LanguageText text_of_file(const std::string& name, std::string_view text, const Tokenizer& tokenizer,
                          const LanguageSettings& settings);

/// Sentences: `settings.characters` of them for training and a fifth more for validation, drawn from seeds of their
/// own.
struct Sentences {
  std::vector<Grammar::Text> train, valid;
  std::string text() const;  ///< those for training, one behind the other
};
Sentences draw_sentences(const Grammar& grammar, std::int64_t characters, std::uint64_t seed);
LanguageText text_of_grammar(const std::string& name, const Grammar& grammar, const Sentences& sentences,
                             const Tokenizer& tokenizer, const LanguageSettings& settings);

/// All of it: `settings.text`, or sentences of agreement_grammar().
LanguageText load_text(const LanguageSettings& settings);

/// The sentence with its main verb in the other number, which agreement_grammar() never gives: "the dog that sings
/// sleeps ." to "the dog that sings sleep .".
std::string with_wrong_number(std::string_view sentence);
/// Whether a clause stands between subject and main verb, and whether the noun before that verb has another number than
/// the subject.
bool has_clause(std::string_view sentence);
bool has_other_number_between(std::string_view sentence);

}  // namespace atto::examples
