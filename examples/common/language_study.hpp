#pragma once
// Training a language model of an experiment into a folder, going on with it, and asking it things.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "examples/common/language_settings.hpp"
#include "examples/common/language_text.hpp"
#include "examples/common/language_variants.hpp"
#include "nn/language/generate.hpp"
#include "nn/language/task.hpp"
#include "nn/safetensors.hpp"
#include "nn/train/progress.hpp"
#include "nn/train/trainer.hpp"

namespace atto::examples {

/// A model with its root and its trainer. Runs with the same seed read the samples in the same order.
struct LanguageRun {
  LanguageRun(const LanguageModelOptions& options, const TokenData& data, const TrainerOptions& training)
      : root({.seed = training.seed}),
        model(root, options),
        trainer(root, std::make_shared<LanguageTask>(model, data), data.split(), Objective::next_token(), training) {}
  Model root;
  LanguageModel model;
  Trainer trainer;
};

/// Where one run of several leaves its metrics, checkpoint and weights, and how it is shown.
struct LanguageRecord {
  std::filesystem::path folder;  ///< a RunFolder of its own
  bool resume = false;           ///< go on with what lies there, if anything does
  Metadata metadata = {};        ///< of checkpoint and weights
  Progress& progress;
  int shown = 0;  ///< the number of the run in the progress
};

/// Trains to the end and writes the weights of the best epoch, without which the run counts as unfinished; returns what
/// each epoch gave. The model is then in the state of its last epoch (trainer.restore_best() gives the best). With
/// `resume` a run that had ended is loaded only.
std::vector<MetricsRow> train_language_model(const Model& root, Trainer& trainer, const LanguageRecord& record);

/// ln p of each document: the sum over its tokens but the first, which is only read. Without gradients, in the model's
/// present mode, `batch` documents at a time.
std::vector<double> log_likelihoods(const LanguageModel& model, const std::vector<Tokens>& documents,
                                    std::size_t batch = 64);

/// How often a model finds a sentence of agreement_grammar() likelier than the same with its main verb in the other
/// number (as Linzen et al. 2016 ask).
struct Agreement {
  double across_clause =
      0;                    ///< share of the sentences with a clause between subject and verb; NaN where there are none
  double against_noun = 0;  ///< share of those in which the noun next to the verb has another number than the subject
  std::int64_t clauses = 0, nouns = 0;  ///< how many sentences that are
};
/// Over the first `most` different sentences with a clause.
Agreement measure_agreement(const LanguageModel& model, const Tokenizer& tokenizer,
                            const std::vector<std::string>& sentences, std::size_t most = 400);

}  // namespace atto::examples
