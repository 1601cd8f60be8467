// Sparse-GIN: printed numbers, the graph it finds, tiles, and models that know nothing of it.

#include "nn/adapters/sparse_gin.hpp"

#include <cmath>

#include "autograd/gradcheck.hpp"
#include "nn/attention/row_tiles.hpp"
#include "nn/layers/norm.hpp"
#include "ops/norm/norm.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/shape/shape.hpp"
#include "tests/nn/isomorphic.hpp"
#include "tests/support/temporary_folder.hpp"

namespace atto::test {
namespace {

// The maps of two heads that the printed numbers are for, on the edges 00, 10, 11, 20, 21, 22.
Tensor two_maps() {
  return Tensor::from({1., 1., .04, .06, .96, .94, .5, .2, .1, .02, .4, .78}, Shape{6, 2});
}

struct Printed {
  explicit Printed(EdgeDirection direction)
      : model({.seed = 1, .dtype = DType::float64}),
        map(model / "map", 2, {}),
        gin(model / "gin", 4, {.hidden = 3, .direction = direction}) {
    model.eval();
    set(model, "gin.in.weight", filler({3, 4}, 21));
    set(model, "gin.in.bias", filler({3}, 22));
    set(model, "gin.layers.0.first.weight", filler({3, 3}, 23));
    set(model, "gin.layers.0.first.bias", filler({3}, 24));
    set(model, "gin.layers.0.second.weight", filler({3, 3}, 25));
    set(model, "gin.layers.0.second.bias", filler({3}, 26));
    set(model, "gin.out.weight", filler({4, 3}, 27));
    set(model, "gin.out.bias", filler({4}, 28));
    set(model, "gin.layers.0.epsilon", Tensor::full(Shape{1}, .1, DType::float64));
  }
  Var operator()(const Var& h1) const {
    const SparseMap sparse = map(maps, causal(3).graph(), Ragged::single(3));
    return h1 + rms_norm(gin(h1, sparse), Tensor::full(Shape{4}, 1, DType::float64), 1e-5) * scale;
  }
  Model model;
  SparseMapBuilder map;
  GinStack gin;
  Var maps = Var::leaf(two_maps()), scale = Var::leaf(Tensor::full(Shape{1}, .3, DType::float64));
};

// A transformer layer as a user writes one: norm first, and places for adapters.
class NormFirstLayer : public Module {
 public:
  NormFirstLayer(const Scope& scope, std::int64_t channels)
      : Module(scope),
        attention_norm_(scope / "attention_norm", channels),
        attention_(scope / "attention", {.channels = channels, .heads = 2, .bias = false, .causal = true}),
        norm_(scope / "norm", channels),
        widen_(scope / "widen", channels, 2 * channels, {.activation = Activation::silu}),
        narrow_(scope / "narrow", 2 * channels, channels) {
    socket_->attention = &attention_;
    socket_->norm = [this](const Var& x) { return norm_(x); };
    scope.offer(socket_);
  }
  Var operator()(const Var& x, const Support& support) const {
    const Var h = socket_->pass(Station::after_attention, x + attention_(attention_norm_(x), support));
    const Var q = socket_->pass(Station::before_feed_forward, norm_(h));
    return socket_->pass(Station::after_feed_forward, h + narrow_(widen_(q)));
  }

 private:
  RmsNorm attention_norm_;
  GraphAttention attention_;
  RmsNorm norm_;
  Linear widen_, narrow_;
  std::shared_ptr<LayerSocket> socket_ = std::make_shared<LayerSocket>();
};

struct Network {
  Network() : model({.seed = 4, .dtype = DType::float64}) {
    for (std::int64_t l = 0; l < 3; ++l) layers.emplace_back(model / "layers" / l, 8);
    model.freeze("*");
  }
  Var operator()(const Var& x, const Support& support) const {
    Var h = x;
    for (const NormFirstLayer& layer : layers) h = layer(h, support);
    return h;
  }
  Model model;
  Modules<NormFirstLayer> layers;
};

SparseGinOptions small() {
  return {.map = {.threshold = .1, .gate = .55}, .gin = {.hidden = 5}};
}

}  // namespace

TEST_CASE("Sparse-GIN: the graph of two printed maps") {
  const Printed at(EdgeDirection::intended);
  const SparseMap map = at.map(at.maps, causal(3).graph(), Ragged::single(3));
  CHECK(map.graph == Graph::from_edges(3, {{0, 0}, {1, 1}, {0, 2}, {2, 2}}));
  check_near(map.weights.value(), {.9998766054, .9998766054, .9975273768, .9998766054}, 1e-10);

  // Around the threshold that the gate means: 0.1 + ln(0.6 / 0.4) / 10 = 0.140547.
  const Model model({.seed = 1, .dtype = DType::float64});
  const SparseMapBuilder one(model, 1, {});
  const auto edges = [&](double a) {
    return one(Tensor::from({a}, Shape{1, 1}), Graph::from_edges(1, {{0, 0}}), Ragged::single(1)).graph.num_edges();
  };
  CHECK(edges(.1405) == 0);
  CHECK(edges(.1406) == 1);
}

TEST_CASE("Sparse-GIN: the printed numbers of both directions") {
  for (const EdgeDirection direction : {EdgeDirection::intended, EdgeDirection::literal}) {
    const bool intended = direction == EdgeDirection::intended;
    INFO((intended ? "intended" : "literal"));
    const Printed at(direction);
    const Var h2 = at(filler({3, 4}, 1));
    const Var loss = oracle_loss(h2);
    loss.backward();
    if (intended)
      check_near(h2.value().rows(2, 3), {-.099175132140, -.417643625652, .723430035770, .081464601613}, 1e-12);
    else check_near(h2.value().rows(2, 3), {.068506685702, -.593098397670, .727401015080, .011559380687}, 1e-12);
    check_near(loss.item(), intended ? .233318358016 : .304311363129, 1e-12);
    check_near(at.scale.grad().item(), intended ? .41106119334 : .64770454372, 1e-8);
    check_near(at.model.parameter("gin.layers.0.epsilon").grad().item(), intended ? -.08294021386 : -.09185359795,
               1e-8);
    for (std::int64_t e = 0; e < 6; ++e)
      for (std::int64_t h = 0; h < 2; ++h)
        check_near(at.maps.grad().data<double>()[e * 2 + h], intended && e == 3 ? -.00155793237 : 0, e == 3 ? 1e-8 : 0);
  }
}

TEST_CASE("Sparse-GIN: directions, no edges, and dense against sparse") {
  const Model model({.seed = 1, .dtype = DType::float64});
  const Tensor identity = Tensor::full(Shape{1, 1}, 1, DType::float64);
  const auto sums = [&](EdgeDirection direction, const char* name) {
    // A layer W2 phi(W1 z) + z with W1 = 0 and positive sums shows z.
    const GinStack gin(model / name, 1, {.hidden = 1, .activation = GinActivation::relu, .direction = direction});
    model.eval();
    for (const char* weight : {"first.weight", "first.bias", "second.bias"})
      model.parameter(std::string(name) + ".layers.0." + weight).value().fill(0);
    const Graph graph = causal(3).graph();
    const Tensor y =
        gin(Tensor::from({1., 10., 100.}, Shape{3, 1}), {graph, Tensor::full(Shape{6}, 1, DType::float64)}).value();
    return Numbers(y.values<double>().begin(), y.values<double>().end());
  };
  CHECK(sums(EdgeDirection::intended, "intended") == Numbers{1, 11, 111});
  CHECK(sums(EdgeDirection::literal, "literal") == Numbers{1, 10, 100});

  const GinStack gin(model / "empty", 4, {.hidden = 3});
  const Graph nothing = Graph::from_edges(3, {});
  const Tensor y = gin(filler({3, 4}, 1), {nothing, Tensor::zeros(Shape{0}, DType::float64)}).value();
  for (const double value : y.values<double>()) CHECK(std::isfinite(value));
}

TEST_CASE("Sparse-GIN: combinations, distances and loops") {
  const Model model({.seed = 1, .dtype = DType::float64});
  model.eval();
  const Graph graph = causal(3).graph();
  const auto weights = [&](const char* name, SparseMapOptions options) {
    options.sharpness = 0;
    options.gate = std::nullopt;
    return SparseMapBuilder(model / name, 2, options)(two_maps(), graph, Ragged::single(3));
  };
  check_near(weights("sum", {}).weights.value(), {1, .1, 1, .7, .12, 1}, 1e-15);
  check_near(weights("mean", {.combine = CombineHeads::mean}).weights.value(), {1, .05, .95, .35, .06, .59}, 1e-15);
  const auto s = [](double a) { return 1 / (1 + std::exp(-(a - .1) / 10)); };
  check_near(weights("any", {.combine = CombineHeads::threshold_any}).weights.value(),
             {s(1), s(.06), s(.96), s(.5), s(.1), s(.78)}, 1e-15);
  for (const double a : weights("learned", {.combine = CombineHeads::learned}).weights.value().values<double>())
    CHECK((a > 0 && a < 1));
  check_near(weights("power", {.distance = DistanceScaling::power, .distance_scale = 2}).weights.value(),
             {1 / 25., .1 * 9 / 25, 1 / 25., .7, .12 * 9 / 25, 1 / 25.}, 1e-15);
  const Graph both = Graph::from_edges(2, {{0, 0}, {1, 0}, {0, 1}, {1, 1}});
  const Tensor ones = Tensor::full(Shape{4, 2}, 1, DType::float64);
  CHECK(SparseMapBuilder(model / "causal", 2, {})(ones, both, Ragged::single(2)).graph ==
        Graph::from_edges(2, {{0, 0}, {0, 1}, {1, 1}}));
  CHECK(SparseMapBuilder(model / "free", 2, {.causal = false})(ones, both, Ragged::single(2)).graph == both);
  const SparseMap others = weights("others", {.remove_self = true});
  CHECK(others.graph == Graph::from_edges(3, {{0, 1}, {0, 2}, {1, 2}}));
}

TEST_CASE("Sparse-GIN: where the heads' sum is cut off there is no gradient") {
  const Model model({.seed = 1, .dtype = DType::float64});
  const SparseMapBuilder builder(model, 2, {.sharpness = 0, .gate = std::nullopt});
  const Var heads = Var::leaf(Tensor::from({.7, .6, .3, .4}, Shape{2, 2}));
  const SparseMap map = builder(heads, Graph::from_edges(2, {{0, 0}, {0, 1}}), Ragged::single(2));
  check_near(map.weights.value(), {1, .7}, 1e-15);
  backward(map.weights, Tensor::full(Shape{2}, 1, DType::float64));
  check_near(heads.grad(), {0, 0, 1, 1}, 0);
}

TEST_CASE("tiles of a support list its pairs in order, whatever its two sides are") {
  const Ragged queries({0, 2, 2, 3, 7}), keys({0, 3, 5, 6, 10}), less({0, 1, 2, 2, 4});
  for (const Support& support :
       {Support::causal(queries, keys), Support::pairs(queries, keys), Support::causal(keys, less),
        Support::edges(Support::pairs(queries, keys).graph()), Support::causal(Ragged())})
    for (const std::int64_t limit : {1, 4, 9, 100}) {
      INFO(support.name() << ", " << limit << " pairs");
      std::vector<std::pair<std::int64_t, std::int64_t>> whole, parts;
      for (std::int64_t e = 0; e < support.graph().num_edges(); ++e)
        whole.emplace_back(support.graph().in_src()[static_cast<std::size_t>(e)],
                           support.graph().edge_dst()[static_cast<std::size_t>(e)]);
      for (const RowTile& tile : row_tiles(support, limit)) {
        EdgeView view;
        list_rows(view, tile);
        CHECK(view.graph.num_edges() == tile.pairs);
        CHECK(view.graph.num_src() == tile.senders);
        CHECK(view.graph.num_dst() == tile.rows);
        for (std::int64_t e = 0; e < tile.pairs; ++e)
          parts.emplace_back(tile.first_sender + view.graph.in_src()[static_cast<std::size_t>(e)],
                             tile.first_row + view.graph.edge_dst()[static_cast<std::size_t>(e)]);
      }
      CHECK(parts == whole);
    }
  CHECK_THROWS_AS(row_tiles(causal(3), 0), ValueError);
}

TEST_CASE("Sparse-GIN: a map in tiles is the whole map, forward and backward") {
  const Model model({.seed = 2, .dtype = DType::float64});
  AttentionOptions options{.channels = 8, .heads = 2, .edge_channels = 2};
  options.pair = EdgeBias{};
  const GraphAttention attention(model / "attention", options);
  SparseMapOptions map_options{.distance = DistanceScaling::power, .distance_scale = .5};
  const SparseMapBuilder whole(model / "whole", 2, map_options);
  std::vector<Support> supports{
      Support::causal(Ragged({0, 4, 4, 11, 12})), Support::pairs(Ragged({0, 5, 5, 12})),
      Support::edges(Graph::from_edges(12, {{0, 1}, {1, 0}, {1, 1}, {3, 2}, {4, 2}, {11, 7}, {2, 9}, {9, 9}}))};
  for (const Support& support : supports)
    for (const std::int64_t limit : {1, 3, 10, 1000}) {
      INFO(support.name() << ", " << limit << " pairs");
      map_options.tile_pairs = limit;
      const SparseMapBuilder tiled(model / ("tiles" + std::to_string(limit) + support.name()), 2, map_options);
      const auto run = [&](const SparseMapBuilder& builder) {
        const Var x = Var::leaf(uniform(Shape{12, 8}, -1, 1, 3)),
                  e = Var::leaf(uniform(Shape{support.graph().num_edges(), 2}, -1, 1, 4));
        model.zero_grad();
        const SparseMap map = builder(attention, {.query = x, .source = {}, .value = {}, .edge = e}, support);
        backward(map.weights, uniform(map.weights.shape(), -1, 1, 5));
        return std::tuple(map.graph, map.weights.value(), x.grad().clone(), e.grad().clone(),
                          model.parameter("attention.key.weight").grad().clone());
      };
      const auto [graph, weights, dx, de, dkey] = run(whole);
      const auto [tile_graph, tile_weights, tile_dx, tile_de, tile_dkey] = run(tiled);
      CHECK(graph == tile_graph);
      CHECK(graph.num_edges() > 0);
      const auto same = [](const Tensor& a, const Tensor& b) {
        return mismatch(a, b, Tensor::full(b.shape(), 1, DType::float64), 1e-13);
      };
      CHECK(same(tile_weights, weights) == "");
      CHECK(same(tile_dx, dx) == "");
      CHECK(same(tile_de, de) == "");
      CHECK(same(tile_dkey, dkey) == "");
      std::int64_t rows = 0, pairs = 0;
      for (const RowTile& tile : row_tiles(support, limit)) {
        CHECK(tile.first_row == rows);
        CHECK(tile.first_pair == pairs);
        CHECK((tile.pairs <= limit || tile.rows == 1));
        rows += tile.rows;
        pairs += tile.pairs;
      }
      CHECK(rows == 12);
      CHECK(pairs == support.graph().num_edges());
    }
}

TEST_CASE("Sparse-GIN: attached to a model, lambda = 0 changes no bit, and a gradient reaches lambda alone") {
  const Network network;
  const Support support = Support::causal(Ragged({0, 6, 11}));
  const Var x = uniform(Shape{11, 8});
  const Tensor frozen = network(x, support).value();
  for (const Placement placement : {Placement::before_mlp, Placement::after_mlp}) {
    SparseGinOptions options = small();
    options.last_scale = 0;
    options.placement = placement;
    options.name = placement == Placement::before_mlp ? "first" : "second";
    const SparseGin adapter(network.model, 8, options);
    CHECK(adapter.targets() == std::vector<std::string>{"layers.0", "layers.1", "layers.2"});
    const Var y = network(x, support);
    CHECK(bit_equal(y.value(), frozen));
    CHECK(network.model.trainable_count() >= adapter.parameter_count());
    backward(y, uniform(y.shape(), -1, 1, 3));
    for (std::int64_t l = 0; l < 3; ++l) {
      const std::string at = options.name + ".layers." + std::to_string(l);
      CHECK(network.model.parameter(at + ".scale").grad().item() != 0);
      for (const double g : network.model.parameter(at + ".gin.in.weight").grad().values<double>()) CHECK(g == 0);
    }
    CHECK_THROWS_AS(SparseGin(network.model, 8, small()), StateError);
  }
  CHECK(bit_equal(network(x, support).value(), frozen));  // detached
}

TEST_CASE("Sparse-GIN: causal in every placement, and gradients through the frozen attention are right") {
  for (const Placement placement : {Placement::before_mlp, Placement::after_mlp, Placement::parallel}) {
    const Network network;
    SparseGinOptions options = small();
    options.placement = placement;
    options.first_scale = .4;
    const SparseGin adapter(network.model, 8, options);
    network.model.eval();
    const Support support = causal(9);
    const Tensor x = uniform(Shape{9, 8}), changed = x.clone();
    changed.rows(5, 9).fill(3);
    const Tensor y = network(x, support).value(), z = network(changed, support).value(),
                 shorter = network(x.rows(0, 5).clone(), causal(5)).value();
    CHECK(mismatch(z.rows(0, 5).clone(), y.rows(0, 5).clone(), Tensor::full(Shape{5, 8}, 10, DType::float64), 1e-14) ==
          "");
    CHECK(mismatch(shorter, y.rows(0, 5).clone(), Tensor::full(Shape{5, 8}, 10, DType::float64), 1e-14) == "");
    const auto result = gradcheck([&](std::span<const Var> in) { return network(in[0], support); }, {x},
                                  {.step = 1e-5, .tolerance = 1e-6});
    CHECK(result.report == "");
  }
}

TEST_CASE("Sparse-GIN: the ramp of scales, counts, and a file of its own") {
  check_near(ramp(0, .5, 1, 28), .018518519, 1e-9);
  check_near(ramp(0, .5, 13, 28), .240740741, 1e-9);
  check_near(ramp(0, .5, 14, 28), .259259259, 1e-9);
  CHECK(ramp(0, .5, 27, 28) == .5);
  CHECK(ramp(.2, .5, 0, 1) == .2);

  const Network network, other;
  const SparseGin adapter(network.model, 8, small());
  SparseGin second(other.model, 8, small());
  CHECK(adapter.scales() == std::vector<double>{0, .25, .5});
  // W_in, b_in; eps, W1, b1, W2, b2; slope; W_out, b_out; gain; lambda
  CHECK(adapter.parameter_count() == 3 * ((8 * 5 + 5) + (1 + 2 * (25 + 5)) + 1 + (5 * 8 + 8) + 8 + 1));
  CHECK(network.model.trainable_count() == adapter.parameter_count());

  const TemporaryFolder folder;
  network.model.parameter("gnn.layers.1.scale").value().fill(.75);
  adapter.save(folder / "gnn.safetensors");
  second.load(folder / "gnn.safetensors");
  CHECK(second.scales() == std::vector<double>{0, .75, .5});
}

TEST_CASE("Sparse-GIN: the published number of parameters") {
  const Model model;
  struct Wide : Module {
    explicit Wide(const Scope& scope)
        : Module(scope),
          gin(scope / "gin", 3072, {}),
          norm(scope / "norm", 3072, 1e-5),
          scale(scope.parameter("scale", Shape{1}, init::zeros())) {}
    GinStack gin;
    RmsNorm norm;
    Parameter scale;
  };
  const Wide layer(model / "gnn");
  CHECK(model.parameter_count() == 1006982);
  CHECK(28 * model.parameter_count() == 28195496);
}

}  // namespace atto::test
