// Oracles for the gradients of whole layers and models, in float64.

#include <cmath>

#include "autograd/gradcheck.hpp"
#include "autograd/tape.hpp"
#include "ops/shape/shape.hpp"
#include "tests/nn/graph_models.hpp"
#include "tests/nn/model_gradcheck.hpp"

using namespace atto;
using namespace atto::test;

namespace {

// Another hop for every head and layer, away from integers where the mask has a kink.
void spread_hops(const Model& root) {
  double hop = 0.6;
  for (const NamedParameter& p : root.parameters())
    if (p.name.ends_with("hop"))
      for (double& value : p.value.value().values<double>()) value = hop += 0.9;
}

GraphModelOptions gradient_options() {
  GraphModelOptions o = small_options();
  o.channels = 8;
  o.attention_dropout = 0;
  o.same_start = false;
  return o;
}

// A model in float64 whose running statistics are not those it began with.
struct Checked {
  explicit Checked(const GraphModelOptions& options, const Batch& batch)
      : root({.seed = 5, .dtype = DType::float64}), model(root, options) {
    spread_hops(root);
    model(batch);
  }
  Model root;
  GraphModel model;
};

}  // namespace

TEST_CASE("gradients of whole models, two layers sharing one mask, for every local branch") {
  const PreparedData data = random_graphs(assorted());
  const Batch batch = data.batch(all(data.size())).to(DType::float64);
  for (const Local local : kLocals)
    for (const double slope : {0.0, 0.1}) {
      GraphModelOptions options = gradient_options();
      options.local = local;
      options.slope = slope;
      const Checked checked(options, batch);
      for (const bool training : {true, false}) {
        INFO(name_of(local) << ", slope " << slope << (training ? ", training" : ", evaluation"));
        checked.root.train(training);
        CHECK(wrong_gradient(checked.root, [&] { return checked.model(batch); }) == "");
      }
    }
}

TEST_CASE("gradients of whole models, for every architecture, mask and choice of parameters") {
  const PreparedData data = random_graphs(assorted());
  const Batch batch = data.batch(all(data.size())).to(DType::float64);
  std::vector<GraphModelOptions> choices;
  for (const Architecture a : kArchitectures) {
    choices.push_back(gradient_options());
    choices.back().architecture = a;
  }
  for (const MaskMode mask : {MaskMode::logit_mul, MaskMode::log_bias, MaskMode::prob_mul, MaskMode::prob_mul_renorm})
    for (const bool shared : {true, false}) {
      choices.push_back(gradient_options());
      GraphModelOptions& o = choices.back();
      o.mask = mask;
      o.slope = 0.1;
      o.share_mask = shared;
      o.learn_gamma = true;
      o.disconnected = shared ? Disconnected::left_out : Disconnected::mask_zero;
      o.local = Local::gatedgcn;
      o.edge_state = true;
      o.encoding_channels = 3;
      o.deep_head = true;
    }
  for (const GraphModelOptions& options : choices) {
    INFO(name_of(options.architecture) << ", " << name_of(options.mask)
                                       << (options.share_mask ? ", shared" : ", of each layer"));
    const Checked checked(options, batch);
    CHECK(wrong_gradient(checked.root, [&] { return checked.model(batch); }) == "");
  }
}

TEST_CASE("gradients of a layer to the nodes and edges it is given") {
  const PreparedData data = random_graphs(assorted());
  const Batch batch = data.batch(all(data.size())).to(DType::float64);
  const std::int64_t nodes = batch.graphs.nodes().total(), edges = batch.graphs.graph().num_edges();
  for (const Local local : kLocals)
    for (const double slope : {0.0, 0.1})
      for (const bool training : {true, false}) {
        INFO(name_of(local) << ", slope " << slope << (training ? ", training" : ", evaluation"));
        const Model root({.seed = 5, .dtype = DType::float64});
        const DecayMask mask(root / "mask", 2, {.gamma = 0.6, .slope = slope});
        spread_hops(root);
        const GraphTransformerLayer layer(root / "layer", {.channels = 8,
                                                           .heads = 2,
                                                           .local = local,
                                                           .pair = mask.pair(),
                                                           .gate = mask.gate(),
                                                           .edge_state = true,
                                                           .attention_dropout = 0});
        root.train(training);
        const auto result = gradcheck(
            [&](std::span<const Var> in) {
              const NodesAndEdges out = layer({.node = in[0], .edge = in[1]}, batch);
              return local == Local::gatedgcn ? concat({out.node, out.edge.rows}, 0) : out.node;
            },
            {uniform(Shape{nodes, 8}, -1, 1, 21), uniform(Shape{edges, 8}, -1, 1, 22)},
            {.directions = 1, .step = kStep});
        CHECK(result.report == "");
      }
}

TEST_CASE("in training the gradients that batch norm removes are zero") {
  const PreparedData data = random_graphs(assorted());
  const Batch batch = data.batch(all(data.size())).to(DType::float64);
  const std::vector<std::pair<Local, std::string>> last_biases{
      {Local::none, ""},           {Local::gcn, "bias"}, {Local::gin, "output.bias"}, {Local::gine, "output.bias"},
      {Local::gatedgcn, "a.bias"}, {Local::gat, "bias"}, {Local::gatv2, "bias"}};
  for (const auto& [local, bias] : last_biases)
    for (const double slope : {0.0, 0.1}) {
      GraphModelOptions options = gradient_options();
      options.local = local;
      options.slope = slope;
      const Checked checked(options, batch);
      const Var out = checked.model(batch);
      backward(out, uniform(out.shape(), -1, 1, 77));
      const auto largest = [&](const std::string& name) {
        double worst = 0;
        for (const double g : checked.root.parameter(name).grad().values<double>())
          worst = std::max(worst, std::abs(g));
        return worst;
      };
      for (const std::string layer : {"layers.0.", "layers.1."}) {
        INFO(name_of(local) << ", slope " << slope << ", " << layer);
        for (const char* name : {"attention.value.bias", "attention.output.bias", "feed_forward.narrow.bias"})
          CHECK(largest(layer + name) < 1e-12);
        if (!bias.empty()) CHECK(largest(layer + "local." + bias) < 1e-12);
        CHECK(largest(layer + "attention.key.bias") > 1e-6);  // not removed: the mask is not one
        CHECK(largest(layer + "feed_forward.widen.bias") > 1e-6);
      }
    }
}

TEST_CASE("at hop = distance the gradient of hop is that of the inner branch") {
  const PreparedData data = random_graphs({generate::path(6)});
  const Batch batch = data.batch(all(1)).to(DType::float64);
  const auto gradient_at = [&](double hop, double slope) {
    GraphModelOptions options = gradient_options();
    options.hop = hop;
    options.slope = slope;
    options.layers = 1;
    const Model root({.seed = 5, .dtype = DType::float64});
    const GraphModel model(root, options);
    root.eval();
    const Var out = model(batch);
    backward(out, uniform(out.shape(), -1, 1, 77));
    return root.parameter("hop").grad().clone();
  };
  for (const double slope : {0.0, 0.1}) {
    const Tensor tie = gradient_at(2, slope), growing = gradient_at(2 + 1e-7, slope),
                 shrinking = gradient_at(2 - 1e-7, slope);
    CHECK(largest_difference(tie, growing) < 1e-6);
    CHECK(largest_difference(tie, shrinking) > 1e-5);
  }
}
