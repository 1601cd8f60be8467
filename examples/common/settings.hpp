#pragma once
// The settings of a training run on graphs.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace atto::examples {

/// Everything that decides what a run computes. An empty optional is chosen by the data set (see choose_defaults) and
/// is filled in before config.json is written, so that the file states every effective setting.
struct Settings {
  // data
  std::string data;  ///< folder of a data set; empty: `dataset` is generated
  std::string dataset = "cluster";
  std::int64_t graphs = 1000;  ///< training graphs to generate; validation and test get a fifth each
  bool attributes = false;
  std::string folds;  ///< folder of fold files or a number; empty: one split by the seed
  double train_fraction = 1.0;
  std::optional<std::string> encoding;
  std::optional<std::int64_t> encoding_width;
  std::optional<std::int64_t> encoding_channels;
  // model
  std::string model = "gradformer";
  std::optional<std::string> local;
  std::string mask = "logit_mul";
  std::int64_t layers = 4;
  std::optional<std::int64_t> channels;
  std::optional<std::int64_t> heads;
  std::optional<double> gamma;
  std::optional<double> hop;
  std::optional<double> slope;
  bool learn_gamma = false;
  bool mask_per_layer = false;
  std::string disconnected = "mask_zero";
  double dropout = 0;
  double attention_dropout = 0.5;
  bool independent_start = false;
  bool edge_state = false;
  bool recompute = false;
  // training
  int epochs = 100;
  std::optional<std::int64_t> batch;
  std::optional<double> lr;
  std::optional<int> warmup;
  std::optional<std::string> schedule;
  std::optional<std::string> optimiser;
  double weight_decay = 1e-5;
  std::optional<double> hop_weight_decay;
  double clip = 0;
  std::uint64_t seed = 1;
  int threads = 0;

  /// Calls visit(name, field, help) for every field; see fields.hpp.
  template <class Self, class Visitor>
  static void visit_fields(Self& s, Visitor&& visit);
};

template <class Self, class Visitor>
void Settings::visit_fields(Self& s, Visitor&& visit) {
  visit("data", s.data,
        "Folder of a data set: TUDataset text files, or AqSol text files (train.txt, val.txt, test.txt)");
  visit("dataset", s.dataset, "Generate a data set instead: cluster or pattern");
  visit("graphs", s.graphs, "Training graphs to generate; validation and test get a fifth of that each");
  visit("attributes", s.attributes, "Use the node and edge attributes of a TU data set beside its labels");
  visit("folds", s.folds, "Cross-validation: a number of stratified folds, or a folder of fold files");
  visit("train_fraction", s.train_fraction, "Train on this part of the training graphs only (low-resource study)");
  visit("encoding", s.encoding,
        "Position of nodes: rwse (random-walk returns), lappe (Laplacian eigenvectors) or none");
  visit("encoding_width", s.encoding_width, "Number of random-walk steps or eigenvectors");
  visit("encoding_channels", s.encoding_channels,
        "Channels of the encoding beside those of the features; 0 adds the two");
  visit("model", s.model, "gradformer, gps, transformer, gat, gatv2, gcn, gin or gatedgcn");
  visit("local", s.local, "Message passing beside the attention: gin, gine, gatedgcn, gcn, gat, gatv2 or none");
  visit("mask", s.mask, "Where the decay mask acts: logit_mul, log_bias, prob_mul or prob_mul_renorm");
  visit("layers", s.layers, "Layers");
  visit("channels", s.channels, "Width of the node states");
  visit("heads", s.heads, "Attention heads");
  visit("gamma", s.gamma, "Base of the decay, between 0 and 1: smaller decays faster");
  visit("hop", s.hop, "Hop distance at which the decay begins, before training");
  visit("slope", s.slope, "Slope of the decay inside that distance; 0 means none");
  visit("learn_gamma", s.learn_gamma, "Learn the base of the decay, too, one for each head");
  visit("mask_per_layer", s.mask_per_layer, "A mask of its own for every layer instead of one for all");
  visit("disconnected", s.disconnected,
        "Pairs that no path joins: mask_zero (logit 0, the published code) or left_out");
  visit("dropout", s.dropout, "Dropout of node states");
  visit("attention_dropout", s.attention_dropout, "Dropout of attention weights");
  visit("independent_start", s.independent_start, "Draw the four attention projections of a layer independently");
  visit("edge_state", s.edge_state, "Pass the edge states of gatedgcn from layer to layer");
  visit("recompute", s.recompute,
        "Run each layer again in backward instead of keeping what it saved: less memory, more time");
  visit("epochs", s.epochs, "Training epochs, per fold");
  visit("batch", s.batch, "Graphs per step");
  visit("lr", s.lr, "Learning rate");
  visit("warmup", s.warmup, "Epochs over which the learning rate rises to its full value");
  visit("schedule", s.schedule, "Learning rate after that: constant or cosine");
  visit("optimiser", s.optimiser, "adam (L2 weight decay) or adamw (decoupled)");
  visit("weight_decay", s.weight_decay, "Weight decay");
  visit("hop_weight_decay", s.hop_weight_decay,
        "Weight decay of the learned hop; 0 keeps it where its gradient leaves it [--weight-decay]");
  visit("clip", s.clip, "Largest norm of the gradient; 0 means no limit");
  visit("seed", s.seed, "Seed of everything random");
  visit("threads", s.threads, "Threads; results do not depend on it; 0 means all processors");
}

/// Adds an option per field.
void add_options(CLI::App& app, Settings& settings);
nlohmann::ordered_json to_json(const Settings& settings);
/// FileError naming `path` and the key that is unknown, missing its type or out of range.
Settings from_json(const nlohmann::json& json, const std::string& path);

}  // namespace atto::examples
