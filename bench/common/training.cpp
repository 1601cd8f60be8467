// Training epochs of Gradformer with the published settings of four data sets.

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "bench/common/made.hpp"
#include "bench/common/workload.hpp"
#include "core/error.hpp"
#include "graph/readers.hpp"
#include "graph/rows.hpp"
#include "graph/synthetic.hpp"
#include "nn/gradformer/data.hpp"
#include "nn/gradformer/model.hpp"
#include "nn/optim/optimiser.hpp"
#include "nn/train/objective.hpp"

namespace atto::bench {
namespace {

struct Study {
  Dataset dataset;
  std::vector<std::int64_t> order;  // of the graphs that one repetition trains on
  std::int64_t batch;
  PreparationOptions preparation;
  GraphModelOptions model;
  bool decoupled;  // AdamW instead of Adam
  double learning_rate;
};

class Training final : public Workload {
 public:
  Training(Study study, DType dtype)
      : study_(std::move(study)),
        data_(study_.dataset, study_.preparation),
        objective_(Objective::of(study_.dataset)),
        root_({.seed = 3, .dtype = dtype}),
        model_(root_, study_.model) {
    const AdamOptions adam{.learning_rate = study_.learning_rate, .weight_decay = 1e-5};
    if (study_.decoupled) optimiser_ = std::make_unique<AdamW>(root_, adam);
    else optimiser_ = std::make_unique<Adam>(root_, adam);
  }

  void repeat() override {
    for (int b = 0; b < parts(); ++b) step(b);
  }
  int parts() const override { return static_cast<int>((std::ssize(study_.order) + study_.batch - 1) / study_.batch); }
  const Model* model() const override { return &root_; }

  std::vector<double> check(int steps) override {
    std::vector<double> losses;
    for (int s = 0; s < steps; ++s) losses.push_back(step(s % parts()));
    return losses;
  }

  std::vector<NamedTensor> inputs() const override {
    std::vector<std::int64_t> nodes, edges;
    std::vector<Tensor> x, y, attributes, encodings, src, dst;
    for (std::int64_t i = 0; i < data_.size(); ++i) {
      const GraphSample& sample = data_.dataset().samples[static_cast<std::size_t>(i)];
      nodes.push_back(sample.graph.num_nodes());
      edges.push_back(sample.graph.num_edges());
      x.push_back(sample.x);
      y.push_back(sample.y);
      if (sample.edge_attr.defined()) attributes.push_back(sample.edge_attr);
      encodings.push_back(data_.batch(std::span(&i, 1)).encoding);
      src.push_back(sources(sample.graph));
      dst.push_back(destinations(sample.graph));
    }
    std::vector<NamedTensor> all{{"nodes", Tensor::from(nodes)},
                                 {"edges", Tensor::from(edges)},
                                 {"x", concatenate_rows(x)},
                                 {"y", concatenate_rows(y)},
                                 {"src", concatenate_rows(src)},
                                 {"dst", concatenate_rows(dst)},
                                 {"encoding", concatenate_rows(encodings)},
                                 {"hops", data_.hops().values},
                                 {"order", Tensor::from(study_.order)},
                                 {"batch", Tensor::from<std::int64_t>({study_.batch}, {1})}};
    // Attributes that the model does not read are left out.
    if (reads_edges(study_.model.local) && !attributes.empty())
      all.push_back({"edge_attr", concatenate_rows(attributes)});
    return all;
  }

 private:
  // What Trainer::step() does, on batches in a given order.
  double step(int b) {
    const auto begin = static_cast<std::ptrdiff_t>(b * study_.batch);
    const auto size = std::min<std::ptrdiff_t>(study_.batch, std::ssize(study_.order) - begin);
    Batch batch =
        data_.batch(std::span(study_.order).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(size)));
    for (Tensor* tensor : {&batch.x, &batch.encoding, &batch.y})
      if (tensor->defined() && tensor->dtype() == DType::float32) *tensor = tensor->to(root_.options().dtype);
    root_.zero_grad();
    const Var loss = objective_.loss(model_(batch), batch.y);
    const double value = loss.item();
    loss.backward();
    clip_gradient_norm(root_, std::numeric_limits<double>::infinity());
    optimiser_->step();
    return value;
  }

  Study study_;
  PreparedData data_;
  Objective objective_;
  Model root_;
  GraphModel model_;
  std::unique_ptr<Optimiser> optimiser_;
};

GraphModelOptions model_of(const Dataset& dataset, const WorkloadOptions& options) {
  GraphModelOptions o;
  o.node_features = dataset.node_features;
  o.edge_features = dataset.edge_features;
  o.outputs = dataset.num_outputs;
  o.attention_dropout = options.dropout;
  o.pooling = dataset.task == Task::node_classification ? Pooling::none : Pooling::sum;
  o.deep_head = dataset.task != Task::graph_classification;
  return o;
}

std::vector<std::int64_t> first(std::int64_t count) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// Graph classification as published: GIN, four layers, batches of 128, four fifths of the graphs.
Study tu_study(const std::string& folder, bool sorted, const WorkloadOptions& options) {
  if (options.data.empty())
    throw ValueError({.op = "bench",
                      .argument = "--data",
                      .got = "nothing",
                      .expected = "the folder that holds tu/" + folder,
                      .hint = {}});
  Study s{.dataset = read_tu(options.data / "tu" / folder),
          .batch = options.quick ? 16 : 128,
          .preparation = {},
          .model = {},
          .decoupled = false,
          .learning_rate = 1e-3};
  s.order = random_split(s.dataset.size(), {}, {.seed = 1}).train;
  Generator generator(1);
  generator.shuffle(std::span(s.order));
  if (options.quick) s.order.resize(64);
  const auto nodes = [&](std::int64_t i) { return s.dataset.samples[static_cast<std::size_t>(i)].graph.num_nodes(); };
  if (sorted)
    std::stable_sort(s.order.begin(), s.order.end(),
                     [&](std::int64_t a, std::int64_t b) { return nodes(a) < nodes(b); });
  s.model = model_of(s.dataset, options);
  s.model.encoding_width = 20;
  s.model.gamma = 0.6;
  return s;
}

Study zinc_study(const WorkloadOptions& options) {
  Study s{.dataset = molecules_like_zinc(options.quick ? 16 : 320),
          .batch = options.quick ? 8 : 32,
          .preparation = {},
          .model = {},
          .decoupled = true,
          .learning_rate = 1e-3};
  s.order = first(s.dataset.size());
  s.model = model_of(s.dataset, options);
  s.model.local = Local::gine;
  s.model.layers = options.quick ? 2 : 10;
  s.model.encoding_width = 20;
  s.model.encoding_channels = 28;
  s.model.gamma = 0.6;
  s.model.hop = 2;
  s.model.slope = 0.1;
  return s;
}

Study cluster_study(const WorkloadOptions& options) {
  Study s{.dataset = cluster_dataset({.train = options.quick ? 4 : 64, .valid = 0, .test = 0}),
          .batch = options.quick ? 2 : 16,
          .preparation = {.encoding = Encoding::lappe, .encoding_width = 10},
          .model = {},
          .decoupled = true,
          .learning_rate = 5e-4};
  s.order = first(s.dataset.size());
  s.model = model_of(s.dataset, options);
  s.model.local = Local::gatedgcn;
  s.model.layers = options.quick ? 2 : 16;
  s.model.channels = 48;
  s.model.heads = 8;
  s.model.encoding_width = 10;
  s.model.encoding_channels = 16;
  s.model.gamma = 0.3;
  s.model.hop = 0;
  s.model.slope = 0.1;
  return s;
}

}  // namespace

std::unique_ptr<Workload> make_training(const std::string& name, const WorkloadOptions& options) {
  if (name == "nci1-random" || name == "nci1-sorted")
    return std::make_unique<Training>(tu_study("NCI1", name == "nci1-sorted", options), options.dtype);
  if (name == "proteins-random" || name == "proteins-sorted")
    return std::make_unique<Training>(tu_study("PROTEINS_full", name == "proteins-sorted", options), options.dtype);
  if (name == "zinc") return std::make_unique<Training>(zinc_study(options), options.dtype);
  if (name == "cluster") return std::make_unique<Training>(cluster_study(options), options.dtype);
  return nullptr;
}

}  // namespace atto::bench
