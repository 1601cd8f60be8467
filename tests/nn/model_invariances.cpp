// What a model must not see, what it must, and what it must survive.

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <string>

#include "autograd/tape.hpp"
#include "core/random.hpp"
#include "tests/nn/graph_models.hpp"
#include "tests/support/data.hpp"

using namespace atto;
using namespace atto::test;

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
    src.push_back(
        static_cast<std::int32_t>(order[static_cast<std::size_t>(graph.in_src()[static_cast<std::size_t>(e)])]));
    dst.push_back(
        static_cast<std::int32_t>(order[static_cast<std::size_t>(graph.edge_dst()[static_cast<std::size_t>(e)])]));
  }
  const Graph permuted = Graph::from_edges(14, src, dst);
  const auto data_of = [&](const Graph& g, bool permute) {
    Dataset dataset;
    dataset.num_outputs = 2;
    dataset.node_features = {.kind = Features::Kind::real, .width = 3};
    const Tensor x = uniform(Shape{14, 3}).to(DType::float32);
    Tensor moved = x.clone();
    for (std::int64_t i = 0; permute && i < 14; ++i)
      std::copy_n(x.data<float>() + 3 * i, 3, moved.data<float>() + 3 * order[static_cast<std::size_t>(i)]);
    dataset.samples.push_back(
        {.graph = g, .x = moved, .edge_attr = {}, .y = Tensor::from(std::vector<std::int64_t>{0})});
    return PreparedData(std::move(dataset), {.encoding = Encoding::rwse, .encoding_width = 4, .hops = true});
  };
  for (const Architecture a : kArchitectures) {
    INFO(name_of(a));
    GraphModelOptions options = small_options();
    options.architecture = a;
    const Model root({.seed = 5, .dtype = DType::float64});
    const GraphModel model(root, options);
    root.eval();
    const auto output = [&](const PreparedData& data) { return model(data.batch(all(1)).to(DType::float64)).value(); };
    const Tensor straight = output(data_of(graph, false)), mixed = output(data_of(permuted, true));
    CHECK(largest_difference(straight, mixed) <= 1e-6 * largest_difference(straight, Tensor::zeros(straight.shape())));
  }
}

TEST_CASE("what separates two triangles from a hexagon") {
  // The oracle: constant features and no encoding make a row-stochastic attention blind; walks, or weights that do not
  // sum to one, see.
  const Graph triangles = Graph::from_edges(
      6, {{0, 1}, {1, 0}, {1, 2}, {2, 1}, {0, 2}, {2, 0}, {3, 4}, {4, 3}, {4, 5}, {5, 4}, {3, 5}, {5, 3}});
  const auto difference = [&](Architecture a, MaskMode mask, Encoding encoding) {
    Dataset dataset;
    dataset.num_outputs = 2;
    dataset.node_features = {.kind = Features::Kind::real, .width = 1};
    for (const Graph& graph : {triangles, generate::ring(6)})
      dataset.samples.push_back({.graph = graph,
                                 .x = Tensor::full(Shape{6, 1}, 1.0),
                                 .edge_attr = {},
                                 .y = Tensor::from(std::vector<std::int64_t>{0})});
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
  for (const Architecture a : {Architecture::gradformer, Architecture::gps, Architecture::transformer,
                               Architecture::gcn, Architecture::gin, Architecture::gatedgcn}) {
    INFO(name_of(a));
    CHECK(difference(a, MaskMode::logit_mul, Encoding::none) < 1e-5);
    CHECK(difference(a, MaskMode::logit_mul, Encoding::rwse) > 1e-4);
  }
  CHECK(difference(Architecture::gradformer, MaskMode::prob_mul, Encoding::none) > 1e-4);
}

namespace {

// graph6 (Brendan McKay): a byte for n, then the upper triangle column by column, six bits to a byte, all offset by 63.
Graph from_graph6(const std::string& line) {
  REQUIRE(!line.empty());
  const int n = line[0] - 63;
  REQUIRE((n > 0 && n < 63 && line.size() == static_cast<std::size_t>(1 + (n * (n - 1) / 2 + 5) / 6)));
  std::vector<std::int32_t> src, dst;
  int bit = 0;
  for (std::int32_t column = 1; column < n; ++column)
    for (std::int32_t row = 0; row < column; ++row, ++bit)
      if ((line[static_cast<std::size_t>(1 + bit / 6)] - 63) >> (5 - bit % 6) & 1) {
        src.insert(src.end(), {row, column});
        dst.insert(dst.end(), {column, row});
      }
  return Graph::from_edges(n, src, dst);
}

}  // namespace

TEST_CASE("no model tells the 15 strongly regular graphs sr(25,12,5,6) apart by random walks", "[data]") {
  const auto folder = data_folder();
  if (!folder) return skip_data();
  std::ifstream file(*folder / "expressivity/sr251256.g6");
  std::vector<Graph> graphs;
  for (std::string line; std::getline(file, line);) graphs.push_back(from_graph6(line));
  REQUIRE(graphs.size() == 15);
  Dataset dataset;
  dataset.num_outputs = 2;
  dataset.node_features = {.kind = Features::Kind::real, .width = 1};
  for (const Graph& graph : graphs) {
    REQUIRE(graph.num_edges() == 300);
    dataset.samples.push_back({.graph = graph,
                               .x = Tensor::full(Shape{25, 1}, 1.0),
                               .edge_attr = {},
                               .y = Tensor::from(std::vector<std::int64_t>{0})});
  }
  const PreparedData walks(dataset, {.encoding = Encoding::rwse, .encoding_width = 4, .hops = true});
  const PreparedData eigenvectors(dataset, {.encoding = Encoding::lappe, .encoding_width = 4, .hops = true});
  const Tensor encoding = walks.batch(all(15)).encoding;
  for (std::int64_t i = 0; i < encoding.size(0); ++i)
    for (std::int64_t k = 0; k < 4; ++k)
      CHECK(encoding.data<float>()[4 * i + k] ==
            Approx(std::array{0.0, 1.0 / 12, .0347222222, .0422453704}[static_cast<std::size_t>(k)]).margin(1e-7));

  const auto spread = [&](const GraphModelOptions& options, const PreparedData& data) {
    const Model root({.seed = 5, .dtype = DType::float64});
    const GraphModel model(root, options);
    root.eval();
    const Tensor out = model(data.batch(all(15)).to(DType::float64)).value();
    double worst = 0;
    for (std::int64_t g = 1; g < 15; ++g)
      worst = std::max(worst, largest_difference(out.rows(0, 1), out.rows(g, g + 1)));
    return worst / largest_difference(out.rows(0, 1), Tensor::zeros(Shape{1, 2}));
  };
  GraphModelOptions options = small_options(1);
  for (const Architecture a : kArchitectures) {
    INFO(name_of(a));
    options.architecture = a;
    CHECK(spread(options, walks) < 1e-6);
    CHECK(spread(options, eigenvectors) > 1e-5);
  }
  options.architecture = Architecture::gradformer;
  for (const MaskMode mask : {MaskMode::log_bias, MaskMode::prob_mul, MaskMode::prob_mul_renorm}) {
    INFO(name_of(mask));
    options.mask = mask;
    CHECK(spread(options, walks) < 1e-6);
  }
}

namespace {

bool finite(const Tensor& x) {
  return std::ranges::all_of(x.values<float>(), [](float value) { return std::isfinite(value); });
}

}  // namespace

TEST_CASE("empty batches, graphs without edges and graphs without nodes give numbers of the right shape") {
  const std::vector<Graph> odd{Graph(), Graph::from_edges(4, {}), generate::ring(3), Graph::from_edges(1, {}),
                               Graph::from_edges(2, {{0, 0}})};
  const PreparedData data = random_graphs(odd);
  const PreparedData bare = random_graphs(odd, 3, Encoding::none);
  const std::vector<std::vector<std::int64_t>> batches{{0}, {1}, {3}, {4}, {0, 0}, {0, 1}, {2, 0}, {0, 1, 2, 3, 4}, {}};
  const auto check = [&](const GraphModelOptions& options, const PreparedData& from,
                         const std::vector<std::int64_t>& chosen) {
    INFO(name_of(options.architecture) << " " << name_of(options.local) << " " << name_of(options.mask) << ", "
                                       << chosen.size() << " graphs");
    const Batch batch = from.batch(chosen);
    const Model root({.seed = 2});
    const GraphModel model(root, options);
    for (const bool training : {true, false}) {
      root.train(training);
      const Var out = model(batch);
      const std::int64_t rows =
          options.pooling == Pooling::none ? batch.graphs.nodes().total() : static_cast<std::int64_t>(chosen.size());
      REQUIRE(out.shape() == Shape{rows, 2});
      CHECK(finite(out.value()));
      backward(out, Tensor::full(out.shape(), 1.0));
      for (const NamedParameter& parameter : root.parameters())
        if (parameter.value.grad().defined() && !finite(parameter.value.grad()))
          FAIL_CHECK("gradient of " << parameter.name);
    }
  };
  for (const std::vector<std::int64_t>& chosen : batches) {
    for (const Architecture a : kArchitectures)
      for (const Pooling pooling : {Pooling::none, Pooling::sum, Pooling::mean}) {
        GraphModelOptions options = small_options();
        options.architecture = a;
        options.pooling = pooling;
        check(options, data, chosen);
      }
    for (const Local local : kLocals) {
      GraphModelOptions options = small_options();
      options.local = local;
      options.mask = MaskMode::prob_mul_renorm;
      options.disconnected = Disconnected::left_out;
      options.encoding_channels = 4;
      check(options, data, chosen);
    }
  }
  for (const Features::Kind kind : {Features::Kind::real, Features::Kind::category})
    for (const std::int64_t encoding_width : {0, 4}) {
      GraphModelOptions options = small_options();
      options.node_features.kind = options.edge_features.kind = kind;
      options.edge_features.width = 2;
      options.local = Local::gatedgcn;
      options.encoding_width = encoding_width;
      check(options, data, {});
      check(options, bare, {});
    }
}
