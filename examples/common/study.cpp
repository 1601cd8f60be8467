#include "examples/common/study.hpp"

#include <fmt/format.h>

#include <iterator>
#include <memory>

#include "core/error.hpp"
#include "core/file.hpp"
#include "examples/common/results.hpp"
#include "examples/common/training.hpp"
#include "nn/checkpoint.hpp"
#include "nn/train/progress.hpp"
#include "nn/train/run_folder.hpp"

namespace atto::examples {
namespace {

// A model with its root and its trainer, built anew for every fold.
struct Candidate {
  Candidate(const Settings& settings, const PreparedData& data, const Split& split, int fold)
      : root({.seed = settings.seed + static_cast<std::uint64_t>(fold)}),
        model(root, model_options(settings, data.dataset())),
        trainer(root, model, data, split, objective_of(settings, data.dataset()), trainer_options(settings, fold)) {}
  Model root;
  GraphModel model;
  Trainer trainer;
};

// The mask is 1 for every pair, so that the model is GPS, until training moves the hop.
bool mask_is_inert(const Settings& s, const PreparedData& data) {
  return architecture(s.model) == Architecture::gradformer && *s.slope == 0 && *s.hop >= data.diameter();
}

}  // namespace

void run_study(const Settings& settings, const Dataset& dataset, const RunOptions& run) {
  const std::vector<Split> splits = make_splits(settings, dataset);
  const Objective objective = objective_of(settings, dataset);
  const PreparedData data(dataset, preparation_options(settings, run.cache));
  Settings portable = settings;  // weights are the same bits whatever trained them
  portable.threads = 0;
  const Metadata metadata{{"settings", to_json(portable).dump()}, {"format", "attograd 1"}};
  Position start;
  if (run.resume) start = checkpoint_position(RunFolder::resume(run.folder).checkpoint());
  if (start.fold >= static_cast<std::int64_t>(splits.size()))
    throw FileError(run.folder.string(), {},
                    fmt::format("the checkpoint stands in fold {} of {}", start.fold + 1, splits.size()));
  // Built before the folder is made, because that removes an earlier run: settings that do not fit must not cost one.
  const auto build = [&](std::int64_t fold) {
    return std::make_unique<Candidate>(settings, data, splits[static_cast<std::size_t>(fold)], static_cast<int>(fold));
  };
  std::unique_ptr<Candidate> candidate = build(start.fold);

  const RunFolder folder = run.resume ? RunFolder::resume(run.folder) : RunFolder::create(run.folder);
  if (!run.resume) write_atomically(folder.config(), to_json(settings).dump(2) + "\n");
  MetricsLog log = run.resume
                       ? MetricsLog(folder.metrics_csv(), folder.metrics_jsonl(),
                                    {.fold = static_cast<int>(start.fold), .epoch = static_cast<int>(start.epoch)})
                       : MetricsLog(folder.metrics_csv(), folder.metrics_jsonl());
  if (run.resume) candidate->trainer.load(folder.checkpoint());
  Progress progress(stderr, {.folds = static_cast<int>(splits.size()),
                             .epochs = settings.epochs,
                             .metric = std::string(objective.metric_name)});
  if (mask_is_inert(settings, data))
    progress.note(
        fmt::format("note: no pair is farther apart than {} hops, so a mask that begins at hop {} is all ones",
                    data.diameter(), *settings.hop));

  for (std::int64_t fold = start.fold; fold < static_cast<std::int64_t>(splits.size()); ++fold) {
    if (fold != start.fold) candidate = build(fold);
    const int number = static_cast<int>(fold);
    train_to_end(
        candidate->trainer,
        {.folder = folder, .log = log, .progress = progress, .metadata = metadata, .fold = number, .shown = number});
    candidate->trainer.restore_best();
    save_weights(candidate->root, folder.model(), metadata);
  }
  progress.finish();

  const std::string title = fmt::format("{} on {}", settings.model, dataset.name);
  const std::string table = write_results(folder, title, settings, objective, log.rows(), candidate->model,
                                          candidate->root.parameter_count(), data.diameter());
  fmt::print("\n{}\n\n{}\nResults are in {}; open {} in a browser.\n", title, table, folder.path().string(),
             folder.report().string());
}

void predict(const Settings& settings, const Dataset& dataset, const std::filesystem::path& weights,
             const std::filesystem::path& csv, const std::filesystem::path& cache) {
  Split everything;
  for (std::int64_t i = 0; i < dataset.size(); ++i) everything.test.push_back(i);
  const PreparedData data(dataset, preparation_options(settings, cache));
  const Candidate candidate(settings, data, everything, 0);
  load_weights(candidate.root, weights);
  const Tensor outputs = candidate.trainer.outputs(everything.test);
  std::string text = "id";
  for (std::int64_t c = 0; c < outputs.size(1); ++c) fmt::format_to(std::back_inserter(text), ",output_{}", c);
  for (std::int64_t row = 0; row < outputs.size(0); ++row) {
    fmt::format_to(std::back_inserter(text), "\n{}", row);
    for (std::int64_t c = 0; c < outputs.size(1); ++c)
      fmt::format_to(std::back_inserter(text), ",{}", outputs.data<float>()[row * outputs.size(1) + c]);
  }
  write_atomically(csv, text + "\n");
  fmt::print("{} rows of outputs are in {}\n", outputs.size(0), csv.string());
}

}  // namespace atto::examples
