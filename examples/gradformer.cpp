// Trains Gradformer, or one of the models that it is compared with, on a data set of graphs.

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/parallel.hpp"
#include "core/trace.hpp"
#include "examples/common/main.hpp"
#include "examples/common/study.hpp"

namespace {

int run(int argc, char** argv) {
  using namespace atto;
  examples::Settings settings;
  std::string out = "results/gradformer", resume, weights, predictions, trace_file;
  int thread_count = threads();

  CLI::App app{"Trains Gradformer, a graph transformer whose attention decays with hop distance, or one of the models it is compared with.\n"
               "Without options it generates a CLUSTER data set and trains on it."};
  app.footer("Examples:\n"
             "  gradformer --dataset cluster --epochs 20\n"
             "  gradformer --data tu/NCI1 --folds 10 --out results/nci1\n"
             "  gradformer --resume results/nci1\n"
             "  gradformer --data tu/NCI1 --weights results/nci1/model.safetensors --predict outputs.csv");
  examples::add_options(app, settings);
  app.add_option("--threads", thread_count, "Threads; results do not depend on it")->capture_default_str()->group("Run");
  app.add_option("--out", out, "Folder for metrics, weights, plots and report")->capture_default_str()->group("Run");
  app.add_option("--resume", resume, "Go on with the run in this folder; its settings are those in its config.json")->group("Run");
  auto* weights_option = app.add_option("--weights", weights, "Load these weights (with --predict)")->group("Run");
  app.add_option("--predict", predictions, "Write the outputs for every graph to this CSV file and stop")->needs(weights_option)->group("Run");
  app.add_option("--trace", trace_file, "Write where the time went to this file (for chrome://tracing or Perfetto) and print a table")->group("Run");
  if (const auto code = examples::parse(app, argc, argv)) return *code;
  set_threads(thread_count);

  if (!predictions.empty()) {
    examples::predict(weights, settings, predictions);
    return 0;
  }
  if (!resume.empty()) {
    const std::filesystem::path config = std::filesystem::path(resume) / "config.json";
    const auto json = nlohmann::json::parse(read_file(config), nullptr, false);
    if (json.is_discarded()) throw FileError(config.string(), "", "is not JSON");
    settings = examples::from_json(json, config.string());
  }
  const Dataset dataset = examples::load_dataset(settings);
  examples::choose_defaults(settings, dataset);
  fmt::print(stderr, "{}\n", dataset.describe());
  if (!trace_file.empty()) trace::start();
  examples::run_study(settings, dataset, resume.empty() ? out : resume, !resume.empty());
  if (!trace_file.empty()) {
    write_atomically(trace_file, trace::chrome_json());
    fmt::print("\n{}", trace::table());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return atto::examples::guarded_main(run, argc, argv); }
