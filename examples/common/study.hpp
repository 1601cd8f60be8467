#pragma once
// From settings to a data set, a model and a trained run.

#include <filesystem>
#include <string>
#include <vector>

#include "examples/common/settings.hpp"
#include "nn/gradformer/data.hpp"
#include "nn/gradformer/model.hpp"
#include "nn/train/objective.hpp"
#include "nn/train/trainer.hpp"

namespace atto::examples {

/// Reads `settings.data`, or generates `settings.dataset`.
Dataset load_dataset(const Settings& settings);

/// Fills in every setting that was left to the data set, by the tables of Gradformer's and GraphGPS's published
/// settings: molecules and other TU sets, AqSol (as ZINC), CLUSTER, PATTERN.
void choose_defaults(Settings& settings, const Dataset& dataset);

/// The splits to train on, one per fold: those published with the data, the folds asked for, or 80/10/10 by the seed.
/// With `train_fraction` below 1 the training parts are thinned out.
std::vector<Split> make_splits(const Settings& settings, const Dataset& dataset);

GraphModelOptions model_options(const Settings& settings, const Dataset& dataset);
TrainerOptions trainer_options(const Settings& settings, int fold);
PreparationOptions preparation_options(const Settings& settings, const std::filesystem::path& cache);
Objective objective_of(const Settings& settings, const Dataset& dataset);

/// What a run needs to know beside what it computes.
struct RunOptions {
  std::filesystem::path folder;
  bool resume = false;          ///< go on with the run in the folder
  std::filesystem::path cache;  ///< folder where hop distances and encodings are kept for the next run; empty = nowhere
};

/// Trains over all folds into a run folder: metrics, configuration, summary, weights, plots, report; prints progress
/// and a table of results. The settings must be complete (choose_defaults). An earlier run in the folder is replaced,
/// once the settings are known to fit the data.
void run_study(const Settings& settings, const Dataset& dataset, const RunOptions& run);

/// Loads weights and writes the outputs for every graph in data-set order as CSV: id,output_0,... in full precision;
/// for node tasks one line per node.
void predict(const Settings& settings, const Dataset& dataset, const std::filesystem::path& weights,
             const std::filesystem::path& csv, const std::filesystem::path& cache);

}  // namespace atto::examples
