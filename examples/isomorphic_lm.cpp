// Trains language models that differ in their attention only, with as many parameters each, and compares them: softmax
// attention, GIN-attention and PNA-attention (Buehler, arXiv 2501.02393).

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
#include "examples/common/language_results.hpp"
#include "examples/common/main.hpp"
#include "examples/common/refuse.hpp"
#include "examples/common/resources.hpp"
#include "nn/report/format.hpp"

namespace {

using namespace atto;
using namespace atto::examples;

struct ComparisonSettings : LanguageSettings {
  std::string variants = "reference,gin,pna";
  int seeds = 3;

  template <class Self, class Visitor>
  static void visit_fields(Self& s, Visitor&& visit) {
    visit("variants", s.variants, "Models to compare, with commas between; --list explains them");
    visit("seeds", s.seeds, "Runs of each model, with seeds from --seed on");
    LanguageSettings::visit_fields(s, visit);
  }
};

void complete(ComparisonSettings& s) {
  if (s.seeds < 1 || s.seeds > 1000) refuse("--seeds", std::to_string(s.seeds), "1 to 1000");
  choose_defaults(s);
}

// What every reader of the numbers should know.
std::vector<std::string> remarks_on(const ComparisonSettings& s, const LanguageText& text) {
  double train = 0, valid = 0;
  for (const std::int64_t sample : text.data.split().train) train += static_cast<double>(text.data.tokens(sample));
  for (const std::int64_t sample : text.data.split().valid) valid += static_cast<double>(text.data.tokens(sample));
  std::vector<std::string> remarks{fmt::format("{}: {} tokens to train on, {} to validate on, {} in the vocabulary.",
                                               text.name, report::with_thousands(std::llround(train)),
                                               report::with_thousands(std::llround(valid)),
                                               text.tokenizer.vocabulary_size())};
  if (text.optimum)
    remarks.push_back(fmt::format(
        "The best that any model can do: {:.4f} nats per token on this validation text (perplexity {:.3f}), {:.4f} on "
        "this training text; {:.4f} is expected of the grammar.",
        text.optimum->valid, std::exp(text.optimum->valid), text.optimum->train, text.optimum->expected));
  if (s.gin_dropout > 0)
    remarks.push_back(fmt::format(
        "GIN-attention trains with dropout {} in its perceptrons, the others without: compare its training loss with "
        "the last training loss of the table, which is measured without dropout.",
        s.gin_dropout));
  return remarks;
}

void compare(const ComparisonSettings& s, const std::filesystem::path& out, bool resume) {
  const std::vector<const LanguageVariant*> variants = language_variants(s.variants);
  const LanguageText text = load_text(s);
  const std::int64_t vocabulary = text.tokenizer.vocabulary_size();
  const std::int64_t target = parameter_count(model_options(s, language_variant("reference"), vocabulary));
  std::vector<LanguageModelOptions> options;
  for (const LanguageVariant* variant : variants) {
    options.push_back(matched_options(model_options(s, *variant, vocabulary), target));
    fmt::print(stderr, "{}: {} parameters, width {}, feed-forward {}: {}\n", variant->name,
               report::with_thousands(parameter_count(options.back())), options.back().channels, options.back().hidden,
               variant->description);
  }
  const std::vector<std::string> remarks = remarks_on(s, text);
  for (const std::string& remark : remarks) fmt::print(stderr, "{}\n", remark);

  const auto build = [&](std::size_t v, std::uint64_t seed) {
    return std::make_unique<LanguageRun>(options[v], text.data, trainer_options(s, seed));
  };
  const auto folder_of = [&](std::size_t v, std::uint64_t seed) {
    return out / "runs" / fmt::format("{}-{}", variants[v]->name, seed);
  };
  const auto seeds = static_cast<std::uint64_t>(s.seeds);
  build(0, s.seed);  // settings that do not fit must not cost an earlier run
  const RunFolder folder = RunFolder::create(out);
  write_atomically(folder.config(), fields_to_json(s).dump(2) + "\n");
  // All of them now: --resume must not find what an earlier comparison left.
  for (std::size_t v = 0; v < variants.size() && !resume; ++v)
    for (std::uint64_t k = 0; k < seeds; ++k) RunFolder::create(folder_of(v, s.seed + k));
  ComparisonSettings portable = s;  // weights are the same bits whatever trained them
  portable.threads = 0;
  const Metadata metadata{{"settings", fields_to_json(portable).dump()}, {"format", "attograd 1"}};

  Progress progress(stderr, {.folds = static_cast<int>(variants.size()) * s.seeds,
                             .epochs = *s.epochs,
                             .metric = "perplexity",
                             .run = "run"});
  std::vector<LanguageOutcome> outcomes;
  for (std::size_t v = 0; v < variants.size(); ++v)
    for (std::uint64_t k = 0; k < seeds; ++k) {
      const std::uint64_t seed = s.seed + k;
      progress.note(fmt::format("{}, seed {}", variants[v]->name, seed));
      const std::unique_ptr<LanguageRun> run = build(v, seed);
      std::vector<MetricsRow> rows = train_language_model(run->root, run->trainer,
                                                          {.folder = folder_of(v, seed),
                                                           .resume = true,
                                                           .metadata = metadata,
                                                           .progress = progress,
                                                           .shown = static_cast<int>(outcomes.size())});
      outcomes.push_back(outcome_of(*run, text, variants[v]->name, std::move(rows), seed));
    }
  progress.finish();

  const std::string title = fmt::format("Language models with as many parameters on {}", text.name);
  write_language_results(folder, title, remarks, fields_to_json(s).dump(2), outcomes, text);
  fmt::print("\n{}\n\n{}\n", title, result_table(outcomes, text).text());
  for (std::size_t o = 0; o < outcomes.size(); o += static_cast<std::size_t>(s.seeds))
    fmt::print("{} continues (behind |):\n{}\n", outcomes[o].variant, outcomes[o].sample);
  fmt::print("Results are in {}; open {} in a browser.\n", out.string(), folder.report().string());
}

int run(int argc, char** argv) {
  ComparisonSettings settings;
  std::string out = "results/isomorphic_lm", resume;
  bool list = false;
  CLI::App app{
      "Trains language models that differ in their attention only, with as many parameters each, and compares them.\n"
      "Without options the text is made by a grammar in which verbs agree with subjects far before them, so that the "
      "best possible loss is known."};
  app.footer(
      "Examples:\n"
      "  isomorphic_lm --seeds 3\n"
      "  isomorphic_lm --text shakespeare.txt --variants reference,gin,gin-1,gin-4\n"
      "  isomorphic_lm --resume results/isomorphic_lm\n"
      "[by --full]: without the option the value depends on --full.");
  add_field_options(
      app, settings,
      [](const std::string& name) {
        return name == "variants" ? "Model" : name == "seeds" ? "Training" : group_of(name);
      },
      "[by --full]");
  app.add_option("--out", out, "Folder for metrics, weights, plots and report")->capture_default_str()->group("Run");
  app.add_option("--resume", resume, "Go on with the comparison in this folder, with the settings in its config.json")
      ->group("Run");
  app.add_flag("--list", list, "Explain the models and stop")->group("Run");
  Resources resources(app);
  if (const auto code = parse(app, argc, argv)) return *code;
  if (list) {
    for (const LanguageVariant& variant : language_variants())
      fmt::print("{:<20}{}\n", variant.name, variant.description);
    return 0;
  }
  if (!resume.empty()) {
    const std::filesystem::path config = std::filesystem::path(resume) / "config.json";
    const int threads = settings.threads;
    settings = fields_from_text<ComparisonSettings>(read_file(config), config.string());
    if (app.count("--threads") > 0) settings.threads = threads;
  }
  if (settings.threads != 0) set_threads(settings.threads);
  complete(settings);
  return resources.run([&] { compare(settings, resume.empty() ? out : resume, !resume.empty()); });
}

}  // namespace

int main(int argc, char** argv) {
  return atto::examples::guarded_main(run, argc, argv);
}
