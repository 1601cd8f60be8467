// Trains Gradformer, or one of the models that it is compared with, on a data set of graphs.

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/parallel.hpp"
#include "examples/common/fields.hpp"
#include "examples/common/main.hpp"
#include "examples/common/resources.hpp"
#include "examples/common/study.hpp"
#include "nn/safetensors.hpp"

namespace {

// The settings that a file of an earlier run states. What says where the data lies and how many threads to use may
// differ here, so it is taken from the command line where it stands there.
atto::examples::Settings stored_settings(const CLI::App& app, const atto::examples::Settings& given,
                                         const std::string& text, const std::string& file) {
  auto settings = atto::examples::fields_from_text<atto::examples::Settings>(text, file);
  if (app.count("--data") > 0 || app.count("--dataset") > 0)
    settings.data = given.data, settings.dataset = given.dataset;
  if (app.count("--threads") > 0) settings.threads = given.threads;
  return settings;
}

int run(int argc, char** argv) {
  using namespace atto;
  examples::Settings settings;
  std::string out = "results/gradformer", resume, weights, predictions, cache = ".cache";

  CLI::App app{
      "Trains Gradformer, a graph transformer whose attention decays with hop distance, or one of the models it is "
      "compared with.\n"
      "Without options it generates a CLUSTER data set and trains on it."};
  app.footer(
      "Examples:\n"
      "  gradformer --dataset cluster --epochs 20\n"
      "  gradformer --data tu/NCI1 --folds 10 --out results/nci1\n"
      "  gradformer --resume results/nci1\n"
      "  gradformer --weights results/nci1/model.safetensors --predict outputs.csv\n"
      "[by data set]: without the option the value is that of published experiments on data of this kind.");
  examples::add_options(app, settings);
  app.add_option("--out", out, "Folder for metrics, weights, plots and report")->capture_default_str()->group("Run");
  app.add_option("--resume", resume, "Go on with the run in this folder; its settings are those in its config.json")
      ->group("Run");
  auto* weights_option =
      app.add_option("--weights", weights,
                     "Load these weights, with the settings that they were trained with (with --predict)")
          ->group("Run");
  auto* predict_option =
      app.add_option("--predict", predictions, "Write the outputs for every graph to this CSV file and stop")
          ->group("Run");
  weights_option->needs(predict_option);
  predict_option->needs(weights_option);
  app.add_option("--cache", cache, "Folder that keeps hop distances and encodings for the next run; '' keeps nothing")
      ->capture_default_str()
      ->group("Run");
  examples::Resources resources(app);
  if (const auto code = examples::parse(app, argc, argv)) return *code;

  if (!resume.empty()) {
    const std::filesystem::path config = std::filesystem::path(resume) / "config.json";
    settings = stored_settings(app, settings, read_file(config), config.string());
  } else if (!weights.empty()) {
    const Metadata metadata = read_safetensors(weights).metadata;
    if (const auto stored = metadata.find("settings"); stored != metadata.end())
      settings = stored_settings(app, settings, stored->second, weights);
  }
  if (settings.threads != 0) set_threads(settings.threads);  // refuses what is below 1
  return resources.run([&] {
    const Dataset dataset = examples::load_dataset(settings);
    examples::choose_defaults(settings, dataset);
    if (!predictions.empty()) return examples::predict(settings, dataset, weights, predictions, cache);
    fmt::print(stderr, "{}\n", dataset.describe());
    examples::run_study(settings, dataset,
                        {.folder = resume.empty() ? out : resume, .resume = !resume.empty(), .cache = cache});
  });
}

}  // namespace

int main(int argc, char** argv) {
  return atto::examples::guarded_main(run, argc, argv);
}
