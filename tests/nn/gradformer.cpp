#include "nn/gradformer/model.hpp"

#include <algorithm>
#include <numeric>

#include "autograd/tape.hpp"
#include "core/random.hpp"
#include "graph/generators.hpp"
#include "nn/gradformer/data.hpp"
#include "ops/loss/loss.hpp"
#include "ops/reduce/reduce.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

using namespace atto;

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

// Small graphs with random features, as one data set.
PreparedData random_graphs(const std::vector<Graph>& graphs, std::int64_t width = 3, Encoding encoding = Encoding::rwse) {
  Dataset dataset;
  dataset.name = "random";
  dataset.num_outputs = 2;
  dataset.node_features = {.kind = Features::Kind::real, .width = width};
  std::uint64_t seed = 1;
  for (const Graph& graph : graphs)
    dataset.samples.push_back({.graph = graph,
                               .x = test::uniform(Shape{graph.num_nodes(), width}, -1, 1, seed++).to(DType::float32),
                               .edge_attr = {},
                               .y = Tensor::from(std::vector<std::int64_t>{static_cast<std::int64_t>(seed % 2)})});
  return PreparedData(std::move(dataset), {.encoding = encoding, .encoding_width = 4, .hops = true});
}

std::vector<std::int64_t> all(std::int64_t n) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(n));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

GraphModelOptions small_options(std::int64_t width = 3) {
  GraphModelOptions o = tu_options(width, 2);
  o.channels = 16;
  o.heads = 2;
  o.hop = 1;
  o.gamma = 0.6;
  o.encoding_width = 4;
  return o;
}

std::vector<Graph> assorted() {
  Generator generator(3);
  return {generate::ring(5), generate::star(6), generate::erdos_renyi(generator, 9, 0.3), Graph::from_edges(1, {}), generate::path(12)};
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double worst = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) worst = std::max(worst, std::abs(double{a.data<float>()[i]} - double{b.data<float>()[i]}));
  return worst;
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
  // Gradformer drops the edge states, so their norms would never see a gradient; with them the count is that of the published code.
  CHECK(parameters(cluster_options()) == 496'654);
  GraphModelOptions carried = cluster_options();
  carried.edge_state = true;
  CHECK(parameters(carried) == 498'190);
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
  for (const Architecture a : {Architecture::gradformer, Architecture::gps, Architecture::transformer, Architecture::gat, Architecture::gatv2,
                               Architecture::gcn, Architecture::gin}) {
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
  const PreparedData data = random_graphs({generate::ring(5), generate::star(6), generate::path(12), Graph::from_edges(1, {})});
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

TEST_CASE("a graph alone is the same graph inside any batch") {
  const PreparedData data = random_graphs(assorted());
  const Model root({.seed = 5});
  const GraphModel model(root, small_options());
  root.eval();
  const Tensor together = model(data.batch(all(data.size()))).value();
  for (std::int64_t g = 0; g < data.size(); ++g) {
    const std::vector<std::int64_t> one{g};
    CHECK(largest_difference(model(data.batch(one)).value(), together.rows(g, g + 1)) < 1e-5);
  }
}

TEST_CASE("permuting the nodes of a graph leaves graph outputs unchanged") {
  Generator generator(9);
  const Graph graph = generate::erdos_renyi(generator, 14, 0.25);
  const std::vector<std::int64_t> order = generator.permutation(14);
  std::vector<std::int32_t> src, dst;
  for (std::int64_t e = 0; e < graph.num_edges(); ++e) {
    src.push_back(static_cast<std::int32_t>(order[static_cast<std::size_t>(graph.in_src()[static_cast<std::size_t>(e)])]));
    dst.push_back(static_cast<std::int32_t>(order[static_cast<std::size_t>(graph.edge_dst()[static_cast<std::size_t>(e)])]));
  }
  const Graph permuted = Graph::from_edges(14, src, dst);
  const auto data_of = [&](const Graph& g, bool permute) {
    Dataset dataset;
    dataset.num_outputs = 2;
    dataset.node_features = {.kind = Features::Kind::real, .width = 3};
    const Tensor x = test::uniform(Shape{14, 3}).to(DType::float32);
    Tensor moved = x.clone();
    for (std::int64_t i = 0; permute && i < 14; ++i)
      std::copy_n(x.data<float>() + 3 * i, 3, moved.data<float>() + 3 * order[static_cast<std::size_t>(i)]);
    dataset.samples.push_back({.graph = g, .x = moved, .edge_attr = {}, .y = Tensor::from(std::vector<std::int64_t>{0})});
    return PreparedData(std::move(dataset), {.encoding = Encoding::rwse, .encoding_width = 4, .hops = true});
  };
  for (const Architecture a : {Architecture::gradformer, Architecture::gps, Architecture::transformer, Architecture::gat, Architecture::gatv2,
                               Architecture::gcn, Architecture::gin, Architecture::gatedgcn}) {
    INFO(name_of(a));
    GraphModelOptions options = small_options();
    options.architecture = a;
    const Model root({.seed = 5});
    const GraphModel model(root, options);
    root.eval();
    const std::vector<std::int64_t> one{0};
    const Tensor straight = model(data_of(graph, false).batch(one)).value(), mixed = model(data_of(permuted, true).batch(one)).value();
    double scale = 1e-3;
    for (const float value : straight.values<float>()) scale = std::max(scale, std::abs(double{value}));
    CHECK(largest_difference(straight, mixed) <= 5e-6 * scale);
  }
}

TEST_CASE("what separates two triangles from a hexagon") {
  // The oracle: constant features and no encoding make a row-stochastic attention blind; walks, or weights that do not sum to one, see.
  const Graph triangles = Graph::from_edges(6, {{0, 1}, {1, 0}, {1, 2}, {2, 1}, {0, 2}, {2, 0}, {3, 4}, {4, 3}, {4, 5}, {5, 4}, {3, 5}, {5, 3}});
  const auto difference = [&](Architecture a, MaskMode mask, Encoding encoding) {
    Dataset dataset;
    dataset.num_outputs = 2;
    dataset.node_features = {.kind = Features::Kind::real, .width = 1};
    for (const Graph& graph : {triangles, generate::ring(6)})
      dataset.samples.push_back({.graph = graph, .x = Tensor::full(Shape{6, 1}, 1.0), .edge_attr = {}, .y = Tensor::from(std::vector<std::int64_t>{0})});
    const PreparedData data(std::move(dataset), {.encoding = encoding, .encoding_width = 4, .hops = true});
    GraphModelOptions options = small_options(1);
    options.architecture = a;
    options.mask = mask;
    options.hop = 0;
    options.gamma = 0.5;
    if (encoding == Encoding::none) options.encoding_width = 0;
    const Model root({.seed = 5});
    const GraphModel model(root, options);
    root.eval();
    const Tensor out = model(data.batch(all(2))).value();
    return largest_difference(out.rows(0, 1), out.rows(1, 2));
  };
  for (const Architecture a : {Architecture::gradformer, Architecture::gps, Architecture::transformer, Architecture::gcn, Architecture::gin, Architecture::gatedgcn}) {
    INFO(name_of(a));
    CHECK(difference(a, MaskMode::logit_mul, Encoding::none) < 1e-5);
    CHECK(difference(a, MaskMode::logit_mul, Encoding::rwse) > 1e-4);
  }
  CHECK(difference(Architecture::gradformer, MaskMode::prob_mul, Encoding::none) > 1e-4);
}

TEST_CASE("in training the gradients that batch norm removes are zero") {
  const PreparedData data = random_graphs(assorted());
  const Batch batch = data.batch(all(data.size()));
  GraphModelOptions options = small_options();
  options.attention_dropout = 0;
  const Model root({.seed = 5});
  const GraphModel model(root, options);
  cross_entropy(model(batch), batch.y).backward();
  for (const char* name : {"layers.0.attention.value.bias", "layers.0.attention.output.bias", "layers.0.local.output.bias", "layers.0.feed_forward.narrow.bias"}) {
    INFO(name);
    for (const float g : root.parameter(name).grad().values<float>()) CHECK(std::abs(g) < 1e-5f);
  }
  double key = 0;
  for (const float g : root.parameter("layers.0.attention.key.bias").grad().values<float>()) key = std::max(key, std::abs(double{g}));
  CHECK(key > 1e-6);
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
  CHECK_FALSE(bit_equal(other.parameter("layers.1.attention.query.weight").value(), other.parameter("layers.1.attention.key.weight").value()));
}
