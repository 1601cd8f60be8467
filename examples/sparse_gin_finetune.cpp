// Adapts a frozen language model to another domain with LoRA and with Sparse-GIN (Buehler, arXiv 2501.02393), the
// latter with its graph and as published, where the graph is lost, and asks whether the graph is what helps.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/parallel.hpp"
#include "examples/common/fields.hpp"
#include "examples/common/finetune_results.hpp"
#include "examples/common/main.hpp"
#include "examples/common/resources.hpp"
#include "nn/language/config.hpp"
#include "nn/report/format.hpp"

namespace {

using namespace atto;
using namespace atto::examples;

// What every reader of the numbers should know.
std::vector<std::string> remarks_on(const FinetuneSettings& s, const Domains& domains) {
  std::vector<std::string> remarks;
  for (const LanguageText* text : {&domains.pretrain, &domains.target}) {
    double train = 0, valid = 0;
    for (const std::int64_t sample : text->data.split().train) train += static_cast<double>(text->data.tokens(sample));
    for (const std::int64_t sample : text->data.split().valid) valid += static_cast<double>(text->data.tokens(sample));
    std::string remark = fmt::format("{} {}: {} tokens to train on, {} to validate on, {} in the vocabulary.",
                                     text == &domains.pretrain ? "Pre-trained on" : "Adapted to", text->name,
                                     report::with_thousands(std::llround(train)),
                                     report::with_thousands(std::llround(valid)), text->tokenizer.vocabulary_size());
    if (text->optimum)
      remark += fmt::format(" The best that any model can do on the latter: {:.4f} nats per token, perplexity {:.3f}.",
                            text->optimum->valid, std::exp(text->optimum->valid));
    remarks.push_back(std::move(remark));
  }
  const GinStackOptions gin = matched_gin(4 * s.rank * *s.channels, *s.channels);
  const std::int64_t lora = *s.layers * 4 * s.rank * *s.channels,
                     sparse = *s.layers * gin_parameter_count(gin, *s.channels);
  remarks.push_back(fmt::format(
      "LoRA of rank {} on queries and values trains {} parameters, Sparse-GIN of width {} ({} inside its perceptron) "
      "{}: "
      "{:+.2f} %. The model has {}, all frozen.",
      s.rank, report::with_thousands(lora), gin.hidden,
      static_cast<int>(gin.multiplier * static_cast<double>(gin.hidden)), report::with_thousands(sparse),
      100.0 * static_cast<double>(sparse - lora) / static_cast<double>(lora),
      report::with_thousands(parameter_count(finetune_model(s, domains.target.tokenizer.vocabulary_size())))));
  return remarks;
}

void compare(const FinetuneSettings& s, const std::filesystem::path& out, bool resume) {
  const std::vector<Method> methods = methods_of(s.methods);
  const Domains domains = load_domains(s);
  const LanguageModelOptions options = finetune_model(s, domains.target.tokenizer.vocabulary_size());
  const std::vector<std::string> remarks = remarks_on(s, domains);
  for (const std::string& remark : remarks) fmt::print(stderr, "{}\n", remark);

  TrainerOptions pretraining = trainer_options(s, s.seed);
  pretraining.epochs = *s.pretrain_epochs;
  const auto pretrained = [&](std::uint64_t seed) { return out / "pretrained" / std::to_string(seed); };
  const auto adapted = [&](Method method, std::uint64_t seed) {
    return out / "adapters" / fmt::format("{}-{}", name_of(method), seed);
  };
  const auto seeds = static_cast<std::uint64_t>(*s.seeds);
  LanguageRun(options, domains.pretrain.data, pretraining);  // settings that do not fit must not cost an earlier run
  const RunFolder folder = RunFolder::create(out);
  write_atomically(folder.config(), fields_to_json(s).dump(2) + "\n");
  // All of them now: --resume must not find what an earlier comparison left.
  for (std::uint64_t seed = s.seed; seed < s.seed + seeds && !resume; ++seed) {
    RunFolder::create(pretrained(seed));
    for (const Method method : methods)
      if (method != Method::frozen) RunFolder::create(adapted(method, seed));
  }
  FinetuneSettings portable = s;  // weights are the same bits whatever trained them
  portable.threads = 0;
  const Metadata metadata{{"settings", fields_to_json(portable).dump()}, {"format", "attograd 1"}};
  Metadata of_model = metadata;
  of_model["language_model"] = to_json(options);  // so that other programs can read it

  int shown = 0;
  Progress progress(stderr, {.folds = *s.seeds * static_cast<int>(methods.size() + 1),
                             .epochs = std::max(*s.epochs, *s.pretrain_epochs),
                             .metric = "perplexity",
                             .run = "run"});
  std::vector<FinetuneOutcome> outcomes;
  for (std::uint64_t seed = s.seed; seed < s.seed + seeds; ++seed) {
    progress.note(fmt::format("pre-training, seed {}", seed));
    {
      pretraining.seed = seed;
      LanguageRun run(options, domains.pretrain.data, pretraining);
      train_language_model(
          run.root, run.trainer,
          {.folder = pretrained(seed), .resume = true, .metadata = of_model, .progress = progress, .shown = shown++});
      domains.target.tokenizer.save(pretrained(seed) / "tokenizer.json");
    }
    for (const Method method : methods) {
      progress.note(fmt::format("{}, seed {}", name_of(method), seed));
      AdaptedModel model(s, method, pretrained(seed) / "model.safetensors", domains.target, seed);
      const std::vector<double> scales_begin = model.scales();
      const double before = model.trainer().evaluate(domains.target.data.split().valid).loss;
      std::vector<MetricsRow> rows;
      if (method != Method::frozen) {
        rows = train_language_model(model.root(), model.trainer(),
                                    {.folder = adapted(method, seed),
                                     .resume = true,
                                     .metadata = metadata,
                                     .progress = progress,
                                     .shown = shown});
        model.trainer().restore_best();
        model.save_adapter(adapted(method, seed) / "adapter.safetensors");
      }
      ++shown;
      model.root().eval();
      outcomes.push_back(finetune_outcome(model, method, seed, domains.target, before, rows));
      outcomes.back().scales_begin = scales_begin;
    }
  }
  progress.finish();

  const std::string title = fmt::format("A model of {}, adapted to {}", domains.pretrain.name, domains.target.name);
  write_finetune_results(folder, title, remarks, fields_to_json(s).dump(2), outcomes, domains.target);
  fmt::print("\n{}\n\n{}\n", title, finetune_table(outcomes, domains.target).text());
  for (const std::string& answer : finetune_answers(outcomes)) fmt::print("{}\n", answer);
  fmt::print("Results are in {}; open {} in a browser.\n", out.string(), folder.report().string());
}

int run(int argc, char** argv) {
  FinetuneSettings settings;
  std::string out = "results/sparse_gin_finetune", resume;
  CLI::App app{
      "Pre-trains a language model on one domain, freezes it, and adapts it to another with LoRA and Sparse-GIN, which "
      "train as many parameters.\n"
      "Without options the domains are two grammars over the same words: in the first verbs follow their subject and "
      "agree with it, in the second they follow their object and agree with that."};
  app.footer(
      "Examples:\n"
      "  sparse_gin_finetune --seeds 5\n"
      "  sparse_gin_finetune --pretrain-text stories.txt --text recipes.txt --vocabulary 1000\n"
      "  sparse_gin_finetune --resume results/sparse_gin_finetune\n"
      "[by --full]: without the option the value depends on --full.");
  add_field_options(app, settings, group_of_finetune, "[by --full]");
  app.add_option("--out", out, "Folder for metrics, weights, adapters, plots and report")
      ->capture_default_str()
      ->group("Run");
  app.add_option("--resume", resume, "Go on with the comparison in this folder, with the settings in its config.json")
      ->group("Run");
  Resources resources(app);
  if (const auto code = parse(app, argc, argv)) return *code;
  if (!resume.empty()) {
    const std::filesystem::path config = std::filesystem::path(resume) / "config.json";
    const int threads = settings.threads;
    settings = fields_from_text<FinetuneSettings>(read_file(config), config.string());
    if (app.count("--threads") > 0) settings.threads = threads;
  }
  if (settings.threads != 0) set_threads(settings.threads);
  choose_finetune_defaults(settings);
  return resources.run([&] { compare(settings, resume.empty() ? out : resume, !resume.empty()); });
}

}  // namespace

int main(int argc, char** argv) {
  return atto::examples::guarded_main(run, argc, argv);
}
