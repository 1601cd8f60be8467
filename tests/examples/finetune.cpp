// Adapters side by side: the second grammar, counts that match, runs that go on, and the program.

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "examples/common/finetune_results.hpp"
#include "examples/common/object_grammar.hpp"
#include "nn/checkpoint.hpp"
#include "tests/examples/program.hpp"
#include "tests/nn/test_report_xml.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/temporary_folder.hpp"

namespace atto::test {

using namespace examples;

namespace {

FinetuneSettings small() {
  FinetuneSettings s;
  s.characters = 3000;
  s.layers = 2;
  s.channels = 16;
  s.heads = 2;
  s.rank = 2;
  s.epochs = 1;
  s.batch = 8;
  s.depth = 1;
  s.vocabulary = 280;
  choose_finetune_defaults(s);
  return s;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

FinetuneOutcome outcome(Method method, std::uint64_t seed, double before, double after) {
  FinetuneOutcome o;
  o.method = method, o.seed = seed, o.valid = {before, after};
  return o;
}

}  // namespace

TEST_CASE("object grammar: verbs agree with their objects, however far, and subjects have no say") {
  const Grammar grammar = object_grammar(2, 0.4);
  Generator random(5);
  double surprisal = 0, characters = 0;
  int other_subject = 0;
  constexpr int count = 4000;
  for (int i = 0; i < count; ++i) {
    const Grammar::Text sentence = grammar.sample("sentence", random);
    surprisal += sentence.surprisal, characters += static_cast<double>(sentence.text.size());
    const std::vector<std::string> words = words_of(sentence.text);
    // Read as brackets: a noun waits until its clause, if it has one, is over.
    std::vector<bool> many;  // numbers of the nouns that wait, innermost last
    std::vector<std::size_t> opened;
    for (std::size_t w = 0; w + 1 < words.size(); ++w) {
      if (words[w] == "the") {
        many.push_back(words[++w].ends_with('s'));
      } else if (words[w] == "that") {
        opened.push_back(many.size());
      } else if (!opened.empty()) {  // the verb of a clause: of its noun, whether that is its subject or its object
        CHECK(words[w].ends_with('s') != static_cast<bool>(many[opened.back() - 1]));
        many.resize(opened.back());
        opened.pop_back();
      } else {
        REQUIRE(many.size() == 2);
        CHECK(words[w].ends_with('s') != static_cast<bool>(many[1]));
        CHECK(w + 2 == words.size());
        other_subject += many[0] != many[1];
      }
    }
  }
  CHECK(std::abs(other_subject / double{count} - 0.5) < 0.05);
  const Grammar::Expectation expected = grammar.expect("sentence");
  CHECK(surprisal / count == Approx(expected.entropy).epsilon(0.02));
  CHECK(characters / count == Approx(expected.characters).epsilon(0.02));
  CHECK_THAT_SAYS(ValueError, object_grammar(-1, 0.4), "depth");
  CHECK_THAT_SAYS(ValueError, object_grammar(1, 1), "relative");
}

TEST_CASE("fine-tuning: Sparse-GIN gets as many parameters as LoRA, and they are those that are trained") {
  for (const std::int64_t channels : {32, 64, 256, 3072})
    for (const std::int64_t rank : {4, 8, 16}) {
      const std::int64_t target = 4 * rank * channels;
      const GinStackOptions gin = matched_gin(target, channels);
      INFO(channels << " channels, rank " << rank << ": r = " << gin.hidden);
      CHECK(gin.hidden < channels);
      const double off = static_cast<double>(gin_parameter_count(gin, channels) - target);
      CHECK(std::abs(off) <= static_cast<double>(gin.hidden) + 0.5);
      CHECK(std::abs(off) < 0.01 * static_cast<double>(target));
    }
  CHECK(28 * gin_parameter_count({.hidden = 155, .multiplier = 1}, 3072) == 28'195'496);  // as published
  CHECK_THAT_SAYS(ValueError, matched_gin(20, 16), "--rank");

  const FinetuneSettings s = small();
  const Domains domains = load_domains(s);
  const TemporaryFolder folder;
  {
    const Model root;
    const LanguageModel model(root, finetune_model(s, domains.target.tokenizer.vocabulary_size()));
    save_weights(root, folder / "weights");
  }
  for (const Method method : {Method::frozen, Method::lora, Method::intended, Method::literal}) {
    INFO(name_of(method));
    AdaptedModel adapted(s, method, folder / "weights", domains.target, 1);
    CHECK(adapted.root().trainable_count() == adapted.adapter_parameters());
    const std::int64_t lora = 2 * 4 * s.rank * *s.channels;
    if (method == Method::frozen) CHECK(adapted.adapter_parameters() == 0);
    else CHECK(std::abs(static_cast<double>(adapted.adapter_parameters() - lora)) < 0.04 * static_cast<double>(lora));
    if (method == Method::intended || method == Method::literal) {
      CHECK(adapted.adapter_parameters() == 2 * gin_parameter_count(matched_gin(lora / 2, *s.channels), *s.channels));
      CHECK(adapted.scales() == std::vector<double>{0, 0.5});
    }
  }
}

TEST_CASE("fine-tuning: answers follow from the differences of runs with the same seed") {
  using M = Method;
  const auto answers = [](double intended, double literal, double noise) {
    std::vector<FinetuneOutcome> all;
    for (const std::uint64_t seed : {1, 2, 3}) {
      const double level = 0.1 * static_cast<double>(seed), jitter = noise * (static_cast<double>(seed) - 2);
      all.push_back(outcome(M::frozen, seed, 2 + level, 2 + level));
      all.push_back(outcome(M::lora, seed, 2 + level, 1.5 + level));
      all.push_back(outcome(M::intended, seed, 2.1 + level, intended + level + jitter));
      all.push_back(outcome(M::literal, seed, 2.1 + level, literal + level));
    }
    return finetune_answers(all);
  };
  REQUIRE(answers(1.4, 1.6, 0.01).size() == 3);
  CHECK(answers(1.4, 1.6, 0.01)[0].find("intended beats literal") != std::string::npos);
  CHECK(answers(1.4, 1.6, 0.01)[0].find("0.2000") != std::string::npos);
  CHECK(answers(1.4, 1.6, 0.01)[0].find("3 of 3") != std::string::npos);
  CHECK(answers(1.4, 1.6, 0.01)[0].find("66.7 %") != std::string::npos);
  CHECK(answers(1.4, 1.6, 0.01)[1].find("Sparse-GIN is better") != std::string::npos);
  CHECK(answers(1.4, 1.6, 0.01)[2].find("LoRA is better") != std::string::npos);
  CHECK(answers(1.6, 1.4, 0.01)[0].find("literal, which has no graph, beats intended") != std::string::npos);
  CHECK(answers(1.5, 1.55, 0.2)[0].find("do not differ") != std::string::npos);
  CHECK(finetune_answers({outcome(M::lora, 1, 2, 1)}).empty());
  CHECK(finetune_answers({outcome(M::intended, 1, 2, 1), outcome(M::literal, 1, 2, 1.5)})[0].find("do not differ") !=
        std::string::npos);
}

TEST_CASE("sparse_gin_finetune compares, writes its files, and goes on from where it was to the same bits") {
  const TemporaryFolder folder;
  const auto run = [&](const std::string& arguments) {
    return run_program(std::string(ATTO_EXAMPLES_FOLDER) + "/sparse_gin_finetune", arguments, folder / "log");
  };
  const std::string tiny =
      "--characters 1500 --layers 2 --channels 16 --heads 2 --rank 2 --pretrain-epochs 1 --epochs 1 --seeds 1 --batch "
      "8 "
      "--depth 1 --vocabulary 270 --out '";
  const std::filesystem::path out = folder / "out";
  const Result result = run(tiny + out.string() + "' --threads 1");
  INFO(result.output);
  REQUIRE(result.code == 0);
  CHECK(result.output.find("Does the gain come from the graph?") != std::string::npos);
  CHECK(result.output.find("Sparse-GIN, literal") != std::string::npos);
  for (const char* name : {"report.html", "plots/perplexity.svg", "plots/scales.svg"}) {
    INFO(name);
    CHECK(!parse_xml(read_file(out / name)).empty());
  }
  for (const char* method : {"lora", "intended", "literal"})
    CHECK(std::filesystem::exists(out / "adapters" / (std::string(method) + "-1") / "adapter.safetensors"));
  CHECK(std::filesystem::exists(out / "pretrained" / "1" / "tokenizer.json"));
  const auto summary = nlohmann::json::parse(read_file(out / "summary.json"));
  CHECK(summary["methods"]["intended"]["scales"].size() == 2);

  // As if it had been killed after the intended one: the rest is made again, the same with other threads.
  const auto weights = [&] { return read_file(out / "adapters" / "literal-1" / "adapter.safetensors"); };
  const std::string literal = weights(), first = read_file(out / "adapters" / "lora-1" / "metrics.csv");
  CHECK(literal != read_file(out / "adapters" / "intended-1" / "adapter.safetensors"));
  std::filesystem::remove_all(out / "adapters" / "literal-1");
  std::filesystem::remove(out / "adapters" / "intended-1" / "model.safetensors");
  CHECK(run("--resume '" + out.string() + "' --threads 2").code == 0);
  CHECK(weights() == literal);
  CHECK(read_file(out / "adapters" / "lora-1" / "metrics.csv") == first);
  CHECK(nlohmann::json::parse(read_file(out / "summary.json"))["methods"] == summary["methods"]);

  for (const auto& [arguments, text] :
       std::vector<std::pair<std::string, std::string>>{{"--methods lora,gin", "frozen, lora, intended, literal"},
                                                        {"--text nothing.txt", "both"},
                                                        {"--seeds 0", "--seeds"},
                                                        {"--gate 2 --threshold x", "threshold"}}) {
    INFO(arguments);
    const Result refused = run(arguments + " --out '" + (folder / "no").string() + "'");
    CHECK(refused.code == 2);
    CHECK(refused.output.find(text) != std::string::npos);
  }
}

}  // namespace atto::test
