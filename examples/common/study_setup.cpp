#include <algorithm>
#include <charconv>

#include "core/parallel.hpp"
#include "examples/common/refuse.hpp"
#include "examples/common/study.hpp"
#include "graph/readers.hpp"
#include "graph/synthetic.hpp"
#include "nn/names.hpp"

namespace atto::examples {

Dataset load_dataset(const Settings& settings) {
  if (!settings.data.empty())
    return read_dataset(settings.data,
                        {.node_attributes = settings.attributes, .edge_attributes = settings.attributes});
  if (settings.graphs < 1) refuse("--graphs", std::to_string(settings.graphs), "at least 1");
  require_memory("--graphs", 1.4 * static_cast<double>(settings.graphs) * 4300 * 20);  // mean edges, bytes of each
  const std::int64_t fifth = std::max<std::int64_t>(1, settings.graphs / 5);
  const SyntheticOptions sizes{.train = settings.graphs, .valid = fifth, .test = fifth, .seed = settings.seed};
  if (settings.dataset == "cluster") return cluster_dataset(sizes);
  if (settings.dataset == "pattern") return pattern_dataset(sizes);
  refuse("--dataset", settings.dataset, "cluster or pattern");
}

void choose_defaults(Settings& s, const Dataset& dataset) {
  const bool nodes = dataset.task == Task::node_classification, numbers = dataset.task == Task::graph_regression;
  const bool pattern = s.data.empty() && s.dataset == "pattern";
  const auto choose = [](auto& setting, auto value) {
    if (!setting) setting = value;
  };
  choose(s.encoding, std::string(pattern ? "none" : nodes ? "lappe" : "rwse"));
  const bool laplacian = *s.encoding == "lappe";
  choose(s.channels, std::int64_t{nodes && !pattern ? 48 : 64});
  choose(s.heads, std::int64_t{nodes && !pattern ? 8 : 4});
  choose(s.gamma, nodes ? 0.3 : 0.6);
  choose(s.hop, nodes ? 0.0 : numbers ? 2.0 : 5.0);
  choose(s.slope, nodes || numbers ? 0.1 : 0.0);
  choose(s.encoding_width, std::int64_t{laplacian ? 10 : 20});
  choose(s.encoding_channels, numbers || nodes ? std::min(std::int64_t{laplacian ? 16 : 28}, *s.channels / 2) : 0);
  if (*s.encoding == "none") s.encoding_channels = 0;
  choose(s.local, std::string(numbers ? "gine" : nodes ? "gatedgcn" : "gin"));
  choose(s.batch, std::int64_t{nodes ? 16 : numbers ? 32 : 128});
  choose(s.lr, nodes ? 5e-4 : 1e-3);
  choose(s.warmup, nodes || numbers ? std::min(5, s.epochs / 10) : 0);
  choose(s.schedule, std::string(nodes || numbers ? "cosine" : "constant"));
  choose(s.optimiser, std::string(nodes || numbers ? "adamw" : "adam"));
  choose(s.hop_weight_decay, s.weight_decay);
  if (s.threads == 0) s.threads = threads();
}

std::vector<Split> make_splits(const Settings& s, const Dataset& dataset) {
  const std::vector<std::int64_t> labels = dataset.labels();
  std::vector<Split> splits;
  int count = 0;
  const char* end = s.folds.data() + s.folds.size();
  const bool is_number = !s.folds.empty() && std::from_chars(s.folds.data(), end, count).ptr == end;
  if (dataset.node_split)
    refuse("--data", "one graph, whose nodes are split (" + dataset.name + ")", "a data set of many graphs");
  if (s.folds.empty()) {
    // A published split without a training part (half of a data set) cannot be trained on.
    const bool published = dataset.split && !dataset.split->train.empty();
    splits.push_back(published ? *dataset.split : random_split(dataset.size(), labels, {.seed = s.seed}));
  } else if (is_number) {
    splits = k_fold(dataset.size(), labels, count, s.seed);
  } else {
    splits = read_folds(s.folds, dataset.size(), dataset.name);
  }
  for (std::size_t k = 0; k < splits.size(); ++k) {
    // Folds come without a validation part: a ninth of the training part leaves 80/10/10 for ten folds.
    if (splits[k].valid.empty()) splits[k] = with_validation(splits[k], labels, 1.0 / 9.0, s.seed + k);
    if (s.train_fraction != 1.0) splits[k] = with_train_fraction(splits[k], labels, s.train_fraction, s.seed + k);
    if (splits[k].train.empty()) refuse("--data", "no training samples in split " + std::to_string(k), "at least one");
  }
  return splits;
}

GraphModelOptions model_options(const Settings& s, const Dataset& dataset) {
  const bool nodes = dataset.task == Task::node_classification;
  // At least 8 d^2 parameters in a layer, each with gradient and two moments.
  require_memory("--layers, --channels", 8.0 * static_cast<double>(s.layers) * static_cast<double>(*s.channels) *
                                             static_cast<double>(*s.channels) * 16);
  GraphModelOptions o;
  o.architecture = architecture(s.model);
  o.local = local(*s.local);
  o.mask = mask_mode(s.mask);
  o.gamma = *s.gamma;
  o.hop = *s.hop;
  o.slope = *s.slope;
  o.learn_gamma = s.learn_gamma;
  o.share_mask = !s.mask_per_layer;
  static constexpr Names<Disconnected, 2> kDisconnected{
      "disconnected", {{{Disconnected::mask_zero, "mask_zero"}, {Disconnected::left_out, "left_out"}}}};
  o.disconnected = kDisconnected.parse(s.disconnected);
  o.layers = s.layers;
  o.channels = *s.channels;
  o.heads = *s.heads;
  o.dropout = s.dropout;
  o.attention_dropout = s.attention_dropout;
  o.same_start = !s.independent_start;
  o.edge_state = s.edge_state;
  o.recompute = s.recompute;
  o.node_features = dataset.node_features;
  o.edge_features = dataset.edge_features;
  o.encoding_width = encoding(*s.encoding) == Encoding::none ? 0 : *s.encoding_width;
  o.encoding_channels = *s.encoding_channels;
  o.pooling = nodes ? Pooling::none : Pooling::sum;
  o.outputs = dataset.num_outputs;
  o.deep_head = dataset.task != Task::graph_classification;
  return o;
}

TrainerOptions trainer_options(const Settings& s, int fold) {
  static constexpr Names<bool, 2> kSchedules{"schedule", {{{false, "constant"}, {true, "cosine"}}}};
  static constexpr Names<bool, 2> kOptimisers{"optimiser", {{{false, "adam"}, {true, "adamw"}}}};
  return {.epochs = s.epochs,
          .batch = *s.batch,
          .learning_rate = *s.lr,
          .weight_decay = s.weight_decay,
          .decoupled = kOptimisers.parse(*s.optimiser),
          .warmup = *s.warmup,
          .cosine = kSchedules.parse(*s.schedule),
          .groups = architecture(s.model) == Architecture::gradformer
                        ? std::vector<ParameterGroup>{{.pattern = "*hop", .weight_decay = *s.hop_weight_decay}}
                        : std::vector<ParameterGroup>{},
          .clip = s.clip,
          .seed = s.seed,
          .fold = fold};
}

PreparationOptions preparation_options(const Settings& s, const std::filesystem::path& cache) {
  return {.encoding = encoding(*s.encoding),
          .encoding_width = *s.encoding_width,
          .hops = architecture(s.model) == Architecture::gradformer,
          .cache = cache};
}

Objective objective_of(const Settings& s, const Dataset& dataset) {
  return Objective::of(dataset, s.data.empty() && s.dataset == "pattern");
}

}  // namespace atto::examples
