// What graph-aware isomorphic attention promises: prefixes, batches and padding, refusals, counts, and that every
// combination of its slots is what its lowering means.

#include <cmath>
#include <deque>
#include <functional>

#include "autograd/gradcheck.hpp"
#include "tests/nn/isomorphic.hpp"

namespace atto::test {
namespace {

const std::vector<std::string> kModes{"none",
                                      "relu",
                                      "silu",
                                      "softplus",
                                      "sharp_softplus",
                                      "sigmoid_elementwise",
                                      "flowthreshold",
                                      "binary",
                                      "scaled_topk_causal_4d",
                                      "silu+binary",
                                      "silu_below_binary_above",
                                      "relu_below_binary_above",
                                      "softplus_below_binary_above"};

using Layer = std::function<Var(const Var&, const Support&)>;

// Every layer that promises not to look ahead, by name, in models of their own.
struct Layers {
  std::deque<Model> models;
  std::deque<GinAttention> gins;
  std::deque<PnaAttention> pnas;
  std::deque<DifferentialAttention> differentials;
  std::vector<std::pair<std::string, Layer>> all;

  Model& next() {
    Model& model = models.emplace_back(ModelOptions{.seed = 3, .dtype = DType::float64});
    model.eval();
    return model;
  }
  void add(const std::string& name, const GinAttentionOptions& options) {
    const GinAttention& layer = gins.emplace_back(next(), 8, options);
    all.emplace_back("GIN, " + name, [&layer](const Var& x, const Support& s) { return layer(x, s); });
  }
  void add(const std::string& name, const PnaAttentionOptions& options) {
    const PnaAttention& layer = pnas.emplace_back(next(), 8, options);
    all.emplace_back("PNA, " + name, [&layer](const Var& x, const Support& s) { return layer(x, s); });
  }
  Layers() {
    for (const std::string& mode : kModes) {
      for (const bool softmax : {true, false}) {
        GinAttentionOptions gin{.heads = 2, .gate = adjacency_gate(mode, {.fraction = .5})};
        if (softmax) gin.normaliser = Softmax{.sharpness = 1.3, .learn = true};
        else gin.normaliser = NoNormaliser{};
        add(mode + (softmax ? "" : ", raw scores"), gin);
        for (const bool lm : {false, true})
          add(mode + (softmax ? "" : ", relu") + (lm ? ", LM" : ""),
              PnaAttentionOptions{
                  .heads = 2, .softmax = softmax, .mode = mode, .adjacency = {.fraction = .5}, .lm = lm});
      }
    }
    add("own maximum", PnaAttentionOptions{.heads = 2, .maximum = MaximumOf::self});
    add("grouped", PnaAttentionOptions{.heads = 4, .key_heads = 2});
    add("pairs scored by a perceptron", GinAttentionOptions{.heads = 2, .score = NodePerceptron{.width = 6}});
    add("differential", GinAttentionOptions{.heads = 2, .normaliser = Differential{.layer = 2}});
    add("differential, binary",
        GinAttentionOptions{.heads = 2, .normaliser = Differential{.layer = 2}, .gate = adjacency_gate("binary")});
    add("output", GinAttentionOptions{.heads = 2, .output = true});
    const DifferentialAttention& layer =
        differentials.emplace_back(next(), 8, DifferentialAttentionOptions{.heads = 4, .key_heads = 2});
    all.emplace_back("differential attention", [&layer](const Var& x, const Support& s) { return layer(x, s); });
  }
};

Tensor rows_of(const Tensor& x, std::int64_t begin, std::int64_t end) {
  return x.rows(begin, end).clone();
}
std::string differ(const Tensor& a, const Tensor& b) {
  return mismatch(a, b, Tensor::full(b.shape(), 10, DType::float64), 1e-14);
}

}  // namespace

TEST_CASE("isomorphic attention: an output does not change when later tokens do, or are appended") {
  const Layers layers;
  const Tensor x = uniform(Shape{9, 8}, -1, 1, 7), changed = x.clone();
  changed.rows(5, 9).copy_from(uniform(Shape{4, 8}, -5, 5, 8));
  for (const auto& [name, layer] : layers.all) {
    INFO(name);
    const Tensor y = layer(x, causal(9)).value();
    CHECK(differ(rows_of(layer(changed, causal(9)).value(), 0, 5), rows_of(y, 0, 5)) == "");
    CHECK(differ(layer(rows_of(x, 0, 5), causal(5)).value(), rows_of(y, 0, 5)) == "");
    CHECK(!bit_equal(rows_of(layer(changed, causal(9)).value(), 5, 9), rows_of(y, 5, 9)));
  }
}

TEST_CASE("isomorphic attention: a sequence is the same alone and among others, empty ones too") {
  const Layers layers;
  const Tensor x = uniform(Shape{9, 8}, -1, 1, 7);
  for (const auto& [name, layer] : layers.all) {
    INFO(name);
    const Tensor y = layer(x, Support::causal(Ragged({0, 3, 3, 8, 9}))).value();
    CHECK(differ(layer(rows_of(x, 0, 3), causal(3)).value(), rows_of(y, 0, 3)) == "");
    CHECK(differ(layer(rows_of(x, 3, 8), causal(5)).value(), rows_of(y, 3, 8)) == "");
    CHECK(differ(layer(rows_of(x, 8, 9), causal(1)).value(), rows_of(y, 8, 9)) == "");
    CHECK(layer(rows_of(x, 0, 0), causal(0)).shape() == Shape{0, 8});
    for (const double value : y.values<double>()) CHECK(std::isfinite(value));
  }
}

TEST_CASE("isomorphic attention: the last tokens alone are the end of the whole, where values come from the past") {
  Layers layers;
  const Tensor x = uniform(Shape{7, 8}, -1, 1, 7);
  const Support last = Support::causal(Ragged({0, 2}), Ragged({0, 7}));
  for (const PnaAttention& layer : layers.pnas) {
    INFO(layer.attention().plan(last));
    const Tensor whole = layer(x, causal(7)).value();
    const Tensor end =
        layer.attention()({.query = rows_of(x, 5, 7), .source = x, .value = {}, .edge = {}}, last).value();
    CHECK(differ(end, rows_of(whole, 5, 7)) == "");
  }
  for (const GinAttention& layer : layers.gins) {
    const Tensor whole = layer(x, causal(7)).value();
    const Tensor end =
        layer.attention()({.query = rows_of(x, 5, 7), .source = x, .value = {}, .edge = {}}, last).value();
    CHECK(differ(end, rows_of(whole, 5, 7)) == "");
  }
}

TEST_CASE("isomorphic attention: what looks ahead is refused in a causal layer, unless one insists") {
  const Model model;
  auto gin = [&, count = 0](GinAttentionOptions options) mutable {
    options.heads = 2;
    return std::make_unique<GinAttention>(model / "gin" / std::int64_t{count++}, 8, options);
  };
  CHECK_THROWS_AS(gin({.gate = adjacency_gate("top_k")}), ValueError);
  CHECK_NOTHROW(gin({.gate = adjacency_gate("top_k", {.insist = true})}));
  CHECK_NOTHROW(gin({.gate = adjacency_gate("top_k"), .causal = false}));
  CHECK_THROWS_AS(gin({.normaliser = Differential{.group_norm = true}}), ValueError);
  CHECK_NOTHROW(gin({.normaliser = Differential{.group_norm = true, .insist = true}}));
  CHECK_THROWS_AS(PnaAttention(model / "pna", 8, {.heads = 2, .mode = "top_k"}), ValueError);
  CHECK_THROWS_AS((*gin({}))(Var(Tensor::zeros(Shape{3, 8})), Support::pairs(Ragged::single(3))), ValueError);

  // Refused whatever is asked for: grouped queries without a value projection, maps without queries of their own.
  const auto filled = [&](const char* name, AttentionOptions attention, const GinAttentionOptions& options) {
    fill_slots(attention, options);
    return std::make_unique<GraphAttention>(model / name, attention);
  };
  CHECK_THROWS_AS(filled("grouped", {.channels = 8, .heads = 2, .key_heads = 1}, {}), ValueError);
  CHECK_THROWS_AS(filled("wide", {.channels = 8, .heads = 2, .head_width = 8}, {}), ValueError);
  AttentionOptions no_queries{.channels = 8, .heads = 2, .normaliser = Differential{}, .projection = Projection::none};
  CHECK_THROWS_AS(GraphAttention(model / "maps", no_queries), ValueError);
  CHECK_THROWS_AS(GraphAttention(model / "features", {.channels = 8, .heads = 2, .aggregator = Pna{}, .finish = Gin{}}),
                  ValueError);
  CHECK_THROWS_AS(
      GraphAttention(model / "bias", {.channels = 8, .heads = 2, .aggregator = Pna{}, .output = Output::bias}),
      ValueError);
}

TEST_CASE("top_k does look ahead: k grows with the sequence") {
  const Model model({.seed = 3, .dtype = DType::float64});
  model.eval();
  const GinAttention layer(model, 8, {.heads = 2, .gate = adjacency_gate("top_k", {.fraction = .4, .insist = true})});
  const Tensor x = uniform(Shape{9, 8}, -1, 1, 7);
  CHECK(differ(layer(rows_of(x, 0, 5), causal(5)).value(), rows_of(layer(x, causal(9)).value(), 0, 5)) != "");
}

TEST_CASE("GIN-Attention: the published number of parameters, and no order among nodes") {
  for (const double gamma : {.5, 1., 2.}) {
    const Model model;
    const GinAttention layer(model, 24,
                             {.heads = 4, .normaliser = Softmax{.learn = true}, .gin = {.multiplier = gamma}});
    const auto m = static_cast<std::int64_t>(gamma * 6);
    CHECK(model.parameter_count() == 2 * 24 * 24 + 4 * (2 * 6 * m + 2 * m + 6 + 1) + 1);
  }
  const Model model({.seed = 1, .dtype = DType::float64});
  model.eval();
  const GinAttention layer(model, 8, {.heads = 2, .causal = false});
  const Tensor x = uniform(Shape{4, 8}), permuted = Tensor::empty(x.shape(), x.dtype());
  const std::int64_t order[] = {2, 0, 3, 1};
  for (std::int64_t i = 0; i < 4; ++i) permuted.rows(i, i + 1).copy_from(x.rows(order[i], order[i] + 1));
  const Support all = Support::pairs(Ragged::single(4));
  const Tensor y = layer(x, all).value(), z = layer(permuted, all).value();
  for (std::int64_t i = 0; i < 4; ++i) CHECK(differ(rows_of(z, i, i + 1), rows_of(y, order[i], order[i] + 1)) == "");
}

TEST_CASE("isomorphic attention: every combination of its slots runs as its lowering means, with right gradients") {
  const std::vector<std::pair<std::string, Choice<NormaliserKind>>> normalisers{
      {"softmax", Softmax{}},
      {"sharpened", Softmax{.sharpness = 1.4, .learn = true, .temperature = 2}},
      {"differential", Differential{.layer = 1}},
      {"differential relu", Differential{.map = ReluNormaliser{}, .layer = 1}},
      {"differential, normed", Differential{.layer = 1, .group_norm = true, .insist = true}}};
  const std::vector<std::pair<std::string, Choice<AggregatorKind>>> aggregators{
      {"sum", Sum{}},
      {"pna", Pna{.neighbours = Neighbours::listed}},
      {"pna, positive", Pna{}},
      {"pna, own", Pna{.maximum = MaximumOf::self, .neighbours = Neighbours::listed}},
      {"pna_lm", PnaLm{}}};
  const Ragged nodes({0, 3, 3, 8, 9});
  int fused = 0;
  for (const auto& [normaliser_name, normaliser] : normalisers)
    for (const std::string& mode : {std::string("none"), std::string("sharp_softplus"), std::string("silu")})
      for (const auto& [aggregator_name, aggregator] : aggregators)
        for (const Support& support :
             {Support::causal(nodes), Support::pairs(nodes), Support::edges(Support::causal(nodes).graph())}) {
          INFO(normaliser_name << " | " << mode << " | " << aggregator_name << " | " << support.name());
          AttentionOptions options{.channels = 8,
                                   .heads = 2,
                                   .normaliser = normaliser,
                                   .gate = adjacency_gate(mode, {.learn_threshold = true}),
                                   .aggregator = aggregator};
          if (aggregator_name == "sum") options.finish = Gin{.multiplier = 1, .epsilon = .3, .dropout = 0};
          else options.finish = PerHead{.multiplier = 1};
          const Model model({.seed = 5, .dtype = DType::float64});
          const GraphAttention attention(model, options);
          for (const NamedParameter& p : model.parameters())
            if (p.name.starts_with("finish")) p.value.value().copy_from(uniform(p.value.shape(), -1, 1, 11));
          const bool is_fused = attention.plan(support).ends_with("fused");
          fused += is_fused;
          const Tensor x = uniform(Shape{9, 8}, -1, 1, 5);
          const auto run = [&](bool lowered) {
            const Var leaf = Var::leaf(x);
            model.zero_grad();
            const Var y = lowered ? attention.lowered({.query = leaf, .source = {}, .value = {}, .edge = {}}, support)
                                  : attention(leaf, support);
            backward(y, uniform(y.shape(), -1, 1, 9));
            std::vector<Tensor> all{y.value(), leaf.grad().clone()};
            for (const NamedParameter& p : model.parameters())
              all.push_back(p.value.grad().defined() ? p.value.grad().clone()
                                                     : Tensor::zeros(p.value.shape(), DType::float64));
            return all;
          };
          if (is_fused) {
            const std::vector<Tensor> a = run(false), b = run(true);
            for (std::size_t i = 0; i < a.size(); ++i)
              CHECK(mismatch(a[i], b[i], Tensor::full(b[i].shape(), 100, DType::float64), 1e-12) == "");
          }
          if (aggregator_name != "sum")
            continue;  // the clamp of a variance has a kink at a single neighbour; see below
          const auto result =
              gradcheck([&](std::span<const Var> in) { return attention(in[0], support); }, {x}, {.directions = 1});
          CHECK(result.report == "");
        }
  CHECK(fused == 15);
}

TEST_CASE("PNA: gradients on rows with several neighbours, away from the kinks") {
  // Queries that all see three or more keys, so that no variance is zero.
  const Support support = Support::causal(Ragged({0, 3}), Ragged({0, 6}));
  for (const char* mode : {"none", "sharp_softplus", "sigmoid_elementwise"})
    for (const bool lm : {false, true})
      for (const MaximumOf maximum : {MaximumOf::neighbours, MaximumOf::self}) {
        INFO(mode << (lm ? ", LM" : ""));
        const Model model({.seed = 5, .dtype = DType::float64});
        const PnaAttention layer(
            model, 8, {.heads = 2, .mode = mode, .adjacency = {.threshold = .05}, .maximum = maximum, .lm = lm});
        for (const NamedParameter& p : model.parameters())
          p.value.value().copy_from(uniform(p.value.shape(), -1, 1, 11));
        const auto result = gradcheck(
            [&](std::span<const Var> in) {
              return layer.attention()({.query = in[0], .source = in[1], .value = {}, .edge = {}}, support);
            },
            {uniform(Shape{3, 8}, -1, 1, 5), uniform(Shape{6, 8}, -1, 1, 6)}, {.step = 1e-5, .tolerance = 1e-6});
        CHECK(result.report == "");
      }
}

}  // namespace atto::test
