#pragma once
// The settings of experiments with language models.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "nn/train/trainer.hpp"

namespace atto::examples {

/// Everything that decides what a run computes. An empty optional is filled in by choose_defaults(). Programs derive
/// from this type, and their visit_fields() calls the one here.
struct LanguageSettings {
  // data
  std::string text;                        ///< a file; empty: sentences of agreement_grammar()
  std::optional<std::int64_t> characters;  ///< to generate for training; validation gets a fifth of that
  int depth = 2;
  double relative = 0.4;
  std::string tokens = "characters";
  std::int64_t vocabulary = 512;
  std::optional<std::int64_t> length;
  double valid = 0.1;
  // model
  std::optional<std::int64_t> layers;
  std::optional<std::int64_t> channels;
  std::optional<std::int64_t> heads;
  std::optional<std::int64_t> hidden;
  bool tied = false;
  double gin_dropout = 0.1;
  double deviation = 0.02;
  // training
  std::optional<int> epochs;
  std::optional<std::int64_t> batch;
  std::int64_t accumulate = 1;
  std::optional<double> lr;
  int warmup = 0;
  std::string schedule = "constant";
  double weight_decay = 0.01;
  double clip = 1;
  std::uint64_t seed = 1;
  bool full = false;
  int threads = 0;

  template <class Self, class Visitor>
  static void visit_fields(Self& s, Visitor&& visit) {
    visit("text", s.text, "Text file to learn; without it sentences of a grammar whose entropy is known");
    visit("characters", s.characters, "Characters to generate for training; validation gets a fifth of that");
    visit("depth", s.depth, "Of the grammar: relative clauses inside each other");
    visit("relative", s.relative, "Of the grammar: how often a noun carries a relative clause");
    visit("tokens", s.tokens, "characters, bytes, or pairs (byte pairs learnt from the text)");
    visit("vocabulary", s.vocabulary, "Tokens to learn with --tokens pairs, at least 256");
    visit("length", s.length, "Most tokens that a sample reads");
    visit("valid", s.valid, "Part at the end of a text file that is kept for validation");
    visit("layers", s.layers, "Layers");
    visit("channels", s.channels, "Width of the reference; the others get the width that gives as many parameters");
    visit("heads", s.heads, "Attention heads");
    visit("hidden", s.hidden, "Width of the feed-forward blocks of the reference [4 times the channels]");
    visit("tied", s.tied, "Use the table of embeddings as the head, too");
    visit("gin_dropout", s.gin_dropout, "Dropout in the perceptrons of GIN-attention");
    visit("deviation", s.deviation, "Initial weights are drawn with this standard deviation");
    visit("epochs", s.epochs, "Training epochs");
    visit("batch", s.batch, "Samples per step");
    visit("accumulate", s.accumulate,
          "Parts that a batch is cut into, one after the other: less memory, the same step");
    visit("lr", s.lr, "Learning rate");
    visit("warmup", s.warmup, "Epochs over which the learning rate rises to its full value");
    visit("schedule", s.schedule, "Learning rate after that: constant or cosine");
    visit("weight_decay", s.weight_decay, "Weight decay, decoupled (AdamW)");
    visit("clip", s.clip, "Largest norm of the gradient; 0 means no limit");
    visit("seed", s.seed, "Seed of everything random");
    visit("full", s.full, "The long setting: larger model, more text, more epochs");
    visit("threads", s.threads, "Threads; results do not depend on it; 0 means all processors");
  }
};

/// The group of the help that a field stands in.
const char* group_of(const std::string& name);

/// Fills in what was left open: values for minutes on two cores, or with `full` those for a night.
void choose_defaults(LanguageSettings& settings);

TrainerOptions trainer_options(const LanguageSettings& settings, std::uint64_t seed);

}  // namespace atto::examples
