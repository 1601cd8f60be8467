#include <algorithm>

#include "autograd/tape.hpp"
#include "core/random.hpp"
#include "nn/gradformer/model.hpp"
#include "ops/loss/loss.hpp"
#include "tests/nn/graph_models.hpp"

using namespace atto;
using namespace atto::test;

namespace {

GraphModelOptions tu_options(std::int64_t labels, std::int64_t layers = 4) {
  GraphModelOptions o;
  o.layers = layers;
  o.node_features = {.kind = Features::Kind::real, .width = labels};
  o.encoding_width = 20;
  return o;
}

GraphModelOptions zinc_options() {
  GraphModelOptions o;
  o.local = Local::gine;
  o.layers = 10;
  o.node_features = {.kind = Features::Kind::category, .width = 28};
  o.edge_features = {.kind = Features::Kind::category, .width = 4};
  o.encoding_width = 20;
  o.encoding_channels = 28;
  o.outputs = 1;
  o.deep_head = true;
  return o;
}

GraphModelOptions cluster_options() {
  GraphModelOptions o;
  o.local = Local::gatedgcn;
  o.layers = 16;
  o.channels = 48;
  o.heads = 8;
  o.node_features = {.kind = Features::Kind::real, .width = 7};
  o.encoding_width = 10;
  o.encoding_channels = 16;
  o.pooling = Pooling::none;
  o.outputs = 6;
  o.deep_head = true;
  return o;
}

std::int64_t parameters(const GraphModelOptions& options) {
  const Model root;
  const GraphModel model(root, options);
  return root.parameter_count();
}

}  // namespace

TEST_CASE("parameter counts are those of the published models") {
  CHECK(parameters(tu_options(37)) == 171'590);  // NCI1
  CHECK(parameters(tu_options(7)) == 169'670);   // MUTAG
  CHECK(parameters(zinc_options()) == 423'721);
  GraphModelOptions gps = zinc_options();
  gps.architecture = Architecture::gps;
  CHECK(parameters(gps) == 423'717);
  CHECK(parameters(tu_options(37, 2)) - parameters(tu_options(37, 1)) == 41'920);
  // Gradformer drops the edge states, so their norms would never see a gradient; with them the count is that of the
  // published code.
  CHECK(parameters(cluster_options()) == 496'654);
  GraphModelOptions carried = cluster_options();
  carried.edge_state = true;
  CHECK(parameters(carried) == 498'190);
  for (const auto& [edge_state, count] : {std::pair(true, 31'008), std::pair(false, 31'008 - 96)}) {
    const Model root;
    const GraphTransformerLayer layer(root,
                                      {.channels = 48, .heads = 8, .local = Local::gatedgcn, .edge_state = edge_state});
    CHECK(root.parameter_count() == count);
  }
}

TEST_CASE("every architecture, mask and local branch runs forward and backward, and reaches all its parameters") {
  const PreparedData data = random_graphs(assorted());
  const Batch batch = data.batch(all(data.size()));
  const auto run = [&](const GraphModelOptions& options) {
    INFO(name_of(options.architecture) << " " << name_of(options.local) << " " << name_of(options.mask));
    const Model root({.seed = 2});
    const GraphModel model(root, options);
    const Var logits = model(batch);
    REQUIRE(logits.shape() == Shape{5, 2});
    cross_entropy(logits, batch.y).backward();
    for (const NamedParameter& parameter : root.parameters()) {
      INFO(parameter.name);
      CHECK(parameter.value.grad().defined());
    }
  };
  for (const Architecture a : {Architecture::gradformer, Architecture::gps, Architecture::transformer,
                               Architecture::gat, Architecture::gatv2, Architecture::gcn, Architecture::gin}) {
    GraphModelOptions options = small_options();
    options.architecture = a;
    run(options);
  }
  for (const Local local : {Local::none, Local::gcn, Local::gin, Local::gine, Local::gatedgcn}) {
    GraphModelOptions options = small_options();
    options.local = local;
    run(options);
  }
  for (const MaskMode mask : {MaskMode::log_bias, MaskMode::prob_mul, MaskMode::prob_mul_renorm}) {
    GraphModelOptions options = small_options();
    options.mask = mask;
    run(options);
  }
}

TEST_CASE("a mask of ones gives the bits of GPS") {
  // Connected graphs: pairs without a path are masked for any gamma.
  const PreparedData data =
      random_graphs({generate::ring(5), generate::star(6), generate::path(12), Graph::from_edges(1, {})});
  const Batch batch = data.batch(all(data.size()));
  GraphModelOptions options = small_options();
  options.gamma = 1;
  const auto logits_and_gradient = [&](Architecture a) {
    options.architecture = a;
    const Model root({.seed = 5});
    const GraphModel model(root, options);
    const Var logits = model(batch);
    cross_entropy(logits, batch.y).backward();
    return std::pair(logits.value(), root.parameter("layers.0.attention.query.weight").grad().clone());
  };
  const auto masked = logits_and_gradient(Architecture::gradformer), plain = logits_and_gradient(Architecture::gps);
  CHECK(bit_equal(masked.first, plain.first));
  CHECK(bit_equal(masked.second, plain.second));
}

TEST_CASE("renormalised probabilities and the logarithmic bias are the same function") {
  const PreparedData data = random_graphs(assorted());
  const Batch batch = data.batch(all(data.size()));
  const auto logits = [&](MaskMode mask) {
    GraphModelOptions options = small_options();
    options.mask = mask;
    const Model root({.seed = 5});
    const GraphModel model(root, options);
    root.eval();
    return model(batch).value();
  };
  CHECK(largest_difference(logits(MaskMode::log_bias), logits(MaskMode::prob_mul_renorm)) < 1e-5);
  CHECK(largest_difference(logits(MaskMode::log_bias), logits(MaskMode::prob_mul)) > 1e-3);
}

TEST_CASE("projections of an attention begin as copies of one, or independently") {
  const Model root({.seed = 1});
  const GraphModel model(root, small_options());
  const Tensor query = root.parameter("layers.1.attention.query.weight").value();
  CHECK(bit_equal(query, root.parameter("layers.1.attention.output.weight").value()));
  CHECK_FALSE(bit_equal(query, root.parameter("layers.0.attention.query.weight").value()));
  GraphModelOptions options = small_options();
  options.same_start = false;
  const Model other({.seed = 1});
  const GraphModel independent(other, options);
  CHECK_FALSE(bit_equal(other.parameter("layers.1.attention.query.weight").value(),
                        other.parameter("layers.1.attention.key.weight").value()));
}

TEST_CASE("options of the mask: shared or one for each layer, gamma fixed or learned") {
  const auto names = [](bool share, bool learn_gamma) {
    GraphModelOptions options = small_options();
    options.share_mask = share;
    options.learn_gamma = learn_gamma;
    const PreparedData data = random_graphs(assorted());
    const Batch batch = data.batch(all(data.size()));
    const Model root({.seed = 5});
    const GraphModel model(root, options);
    CHECK(model.needs_hops());
    CHECK(model.hops() == std::vector<double>(share ? 2 : 4, 1.0));
    cross_entropy(model(batch), batch.y).backward();
    std::vector<std::string> found;
    for (const NamedParameter& p : root.parameters()) {
      if (!p.name.ends_with("hop") && !p.name.ends_with("gamma_logit")) continue;
      found.push_back(p.name);
      INFO(p.name);
      REQUIRE(p.value.grad().defined());
      for (const float g : p.value.grad().values<float>()) CHECK(g != 0);
    }
    return found;
  };
  using Names = std::vector<std::string>;
  CHECK(names(true, false) == Names{"hop"});
  CHECK(names(true, true) == Names{"hop", "gamma_logit"});
  CHECK(names(false, true) == Names{"layers.0.hop", "layers.0.gamma_logit", "layers.1.hop", "layers.1.gamma_logit"});
}
