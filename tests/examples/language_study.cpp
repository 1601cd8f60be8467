// What experiments with language models share: texts, widths, runs that go on, and questions about agreement.

#include "examples/common/language_study.hpp"

#include <cmath>
#include <sstream>

#include "core/file.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/temporary_folder.hpp"

namespace atto::test {

using namespace examples;

namespace {

LanguageSettings small() {
  LanguageSettings s;
  s.characters = 3000;
  s.length = 96;
  s.layers = 2;
  s.channels = 16;
  s.heads = 2;
  s.epochs = 2;
  s.batch = 8;
  choose_defaults(s);
  return s;
}

}  // namespace

TEST_CASE("language text: the floor is the surprisal of the tokens that are predicted, and no token is counted twice") {
  LanguageSettings s = small();
  for (const char* tokens : {"characters", "bytes", "pairs"}) {
    INFO(tokens);
    s.tokens = tokens;
    s.vocabulary = 300;
    const LanguageText text = load_text(s);
    REQUIRE(text.optimum);
    double nats = 0, targets = 0;
    Grammar grammar = agreement_grammar(s.depth, s.relative);
    for (const Grammar::Text& sentence : draw_sentences(grammar, *s.characters, s.seed).valid) {
      nats += sentence.surprisal;
      targets += static_cast<double>(text.tokenizer.encode(sentence.text).size()) - 1;
    }
    double tokens_of_data = 0;
    for (const std::int64_t sample : text.data.split().valid)
      tokens_of_data += static_cast<double>(text.data.tokens(sample));
    CHECK(tokens_of_data == targets);
    CHECK(text.optimum->valid == Approx(nats / targets));
    CHECK(text.optimum->valid == Approx(text.optimum->expected).epsilon(0.2));
    CHECK(text.optimum->train == Approx(text.optimum->expected).epsilon(0.1));
  }
  s.length = 20;
  CHECK_THAT_SAYS(ValueError, load_text(s), "sentences stay whole");
  s.tokens = "words";
  CHECK_THAT_SAYS(ValueError, load_text(s), "characters, bytes or pairs");
  s.characters = 0;
  CHECK_THAT_SAYS(ValueError, load_text(s), "--characters");
}

TEST_CASE("language text: a file is cut into windows, and one too short is refused") {
  const TemporaryFolder folder;
  LanguageSettings s = small();
  s.text = (folder / "poem.txt").string();
  write_atomically(s.text, std::string(950, 'a') + std::string(50, 'b'));
  const LanguageText text = load_text(s);
  CHECK(text.name == "poem.txt");
  CHECK_FALSE(text.optimum);
  CHECK(text.tokenizer.vocabulary_size() == 2);
  CHECK(text.data.split().train.size() == 10);
  write_atomically(s.text, "a");
  CHECK_THAT_SAYS(ValueError, load_text(s), "--text");
  s.text = (folder / "nothing.txt").string();
  CHECK_THAT_SAYS(FileError, load_text(s), "nothing.txt");
}

TEST_CASE("language variants: the sizes of the published pair follow from one another") {
  // Reference D=512, I=2048 has 25.45 million parameters with 271 tokens; GIN, gamma 0.5, D=544, I=2176 has 25.39.
  LanguageSettings s;
  s.layers = 6, s.channels = 512, s.heads = 8;
  choose_defaults(s);
  const std::int64_t target = parameter_count(model_options(s, language_variant("reference"), 271));
  CHECK(std::abs(static_cast<double>(target) - 25.45e6) < 0.005e6);
  s.channels = 544, s.hidden = 2176;
  CHECK(std::abs(static_cast<double>(parameter_count(model_options(s, language_variant("gin"), 271))) - 25.39e6) <
        0.005e6);
  s.channels = 512, s.hidden = 2048;
  const LanguageModelOptions matched = matched_options(model_options(s, language_variant("gin"), 271), target);
  CHECK(matched.channels == 544);
  CHECK(std::abs(static_cast<double>(matched.hidden) - 2176) < 10);
}

TEST_CASE("language variants: every one is built with as many parameters as the reference") {
  const LanguageSettings s = small();
  const std::int64_t target = parameter_count(model_options(s, language_variant("reference"), 30));
  for (const LanguageVariant& variant : language_variants()) {
    INFO(variant.name);
    const LanguageModelOptions options = matched_options(model_options(s, variant, 30), target);
    const Model root;
    const LanguageModel model(root, options);
    CHECK(root.parameter_count() == parameter_count(options));
    CHECK(std::abs(static_cast<double>(root.parameter_count() - target)) < 0.01 * static_cast<double>(target));
    if (variant.fill == nullptr) CHECK(options.channels == *s.channels);
  }
  CHECK_THAT_SAYS(ValueError, language_variant("transformer"), "one of reference");
  CHECK_THAT_SAYS(ValueError, language_variants("gin,gin"), "twice");
  CHECK_THAT_SAYS(ValueError, language_variants(""), "one of reference");
  CHECK(language_variants("pna,reference").front()->name == std::string("pna"));
}

TEST_CASE("language study: a run that was interrupted, or had ended, goes on to the same numbers") {
  const LanguageSettings s = small();
  const LanguageText text = load_text(s);
  const TemporaryFolder folder;
  std::ostringstream shown;
  Progress progress(shown, {.epochs = *s.epochs, .metric = "perplexity"});
  const LanguageModelOptions options = model_options(s, language_variant("gin"), text.tokenizer.vocabulary_size());
  const auto train = [&](const char* name, bool resume) {
    LanguageRun run(options, text.data, trainer_options(s, 3));
    return train_language_model(run.root, run.trainer,
                                {.folder = folder / name, .resume = resume, .progress = progress});
  };
  const std::vector<MetricsRow> whole = train("whole", false);
  REQUIRE(whole.size() == 2);
  CHECK(whole[1].train_loss < whole[0].train_loss);
  {
    LanguageRun run(options, text.data, trainer_options(s, 3));
    for (int step = 0; step < 3; ++step) run.trainer.step();
    std::filesystem::create_directories(folder / "parts");
    run.trainer.save(folder / "parts" / "checkpoint.safetensors");
  }
  const auto same = [&](const std::vector<MetricsRow>& rows) {
    REQUIRE(rows.size() == whole.size());
    for (std::size_t e = 0; e < rows.size(); ++e) {
      CHECK(rows[e].train_loss == whole[e].train_loss);
      CHECK(rows[e].valid_loss == whole[e].valid_loss);
    }
  };
  same(train("parts", true));
  same(train("parts", true));
  CHECK(read_file(folder / "parts" / "model.safetensors") == read_file(folder / "whole" / "model.safetensors"));
}

TEST_CASE("language study: likelihoods of documents add up to the loss, whatever stands beside them") {
  const Model root;
  const LanguageModel model(root, {.vocabulary = 9, .channels = 8, .layers = 1, .heads = 2, .deviation = 0.5});
  const std::vector<Tokens> documents{{1, 2, 3, 4}, {5}, {8, 7, 6, 0, 1, 2}};
  const std::vector<double> together = log_likelihoods(model, documents), alone = log_likelihoods(model, documents, 1);
  CHECK(together == alone);
  CHECK(together[1] == 0);
  const TokenData data = TokenData::documents(documents, {.length = 16, .valid = 0});
  const Prediction prediction = predict(model, data, data.split().train);
  CHECK(prediction.loss == Approx(-(together[0] + together[2]) / 8).epsilon(1e-6));
  CHECK(log_likelihoods(model, {}).empty());
}

TEST_CASE("language study: questions about agreement change the main verb alone") {
  CHECK(with_wrong_number("the dog that sings sleeps .\n") == "the dog that sings sleep .\n");
  CHECK(with_wrong_number("the dogs that the cat sees swim .\n") == "the dogs that the cat sees swims .\n");
  CHECK_THROWS_AS(with_wrong_number("To be, or not to be"), ValueError);
  CHECK(has_clause("the dog that sings sleeps .\n"));
  CHECK_FALSE(has_clause("the dog sleeps .\n"));
  CHECK(has_other_number_between("the dogs that the cat sees swim .\n"));
  CHECK_FALSE(has_other_number_between("the dogs that the cats see swim .\n"));
  CHECK_FALSE(has_other_number_between("the dogs that sing swim .\n"));
  CHECK_FALSE(has_other_number_between("the dogs swim .\n"));

  const LanguageText text = load_text(small());
  const Model root;
  const LanguageModel model(root, {.vocabulary = text.tokenizer.vocabulary_size(), .channels = 8, .layers = 1});
  const Agreement agreement = measure_agreement(model, text.tokenizer, text.optimum->sentences);
  CHECK(agreement.clauses > agreement.nouns);
  CHECK(agreement.nouns > 0);
  // An untrained model prefers the shorter sentence: it finds as many right as have a plural subject, about half.
  CHECK(agreement.across_clause > 0.2);
  CHECK(agreement.across_clause < 0.8);
  CHECK(std::isnan(measure_agreement(model, text.tokenizer, {"the dog sleeps .\n"}).across_clause));
}

}  // namespace atto::test
