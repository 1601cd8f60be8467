// Attentions with names: the slots they fill, against printed numbers and loops over the definitions.

#include <array>
#include <cmath>

#include "graph/distances.hpp"
#include "nn/attention/gradformer_attention.hpp"
#include "nn/attention/multi_head_attention.hpp"
#include "ops/reduce/reduce.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

using namespace atto;
using test::uniform;

namespace {

using Numbers = std::vector<double>;

// Three nodes with x = I, and projections that make q, k and v of node i the given numbers in the first of three
// channels.
struct Three {
  Three(const Graph& graph, const Numbers& q, const Numbers& k, const Numbers& v, DecayMaskOptions mask)
      : root({.seed = 1, .dtype = DType::float64}),
        attention(root, 3, {.heads = 1, .mask = mask, .dropout = 0}),
        pairs(Support::pairs(Ragged({0, 3})).with_buckets(hop_distances(std::vector<Graph>{graph}))) {
    for (const NamedParameter& p : root.parameters())
      if (p.name.ends_with("bias")) p.value.value().fill(0);
    set("query.weight", q, std::sqrt(3.0));  // makes up for the 1/sqrt(D)
    set("key.weight", k, 1);
    set("value.weight", v, 1);
    root.parameter("output.weight").value().copy_from(identity());
  }
  void set(const char* name, const Numbers& row, double scale) {
    const Tensor& weight = root.parameter(name).value();
    weight.fill(0);
    for (std::size_t i = 0; i < 3; ++i) weight.data<double>()[i] = scale * row[i];
  }
  static Tensor identity() {
    return test::tabulate(Shape{3, 3}, [](std::int64_t i) { return i % 4 == 0 ? 1.0 : 0.0; });
  }
  Var out() const { return attention(identity(), pairs); }
  void check(const Numbers& expected) const {
    const Tensor got = out().value();
    for (std::size_t i = 0; i < 3; ++i) CHECK(got.data<double>()[3 * i] == Approx(expected[i]).margin(1e-9));
  }

  Model root;
  GradformerAttention attention;
  Support pairs;
};

Three on_path(DecayMaskOptions mask) {
  return {Graph::from_edges(3, {{0, 1}, {1, 0}, {1, 2}, {2, 1}}), {1, 0, 2}, {1, 2, 3}, {1, 2, 4}, mask};
}
Three on_two_components(DecayMaskOptions mask) {
  return {Graph::from_edges(3, {{0, 1}, {1, 0}}), {1, -1, 2}, {.5, 1, -1}, {1, 2, 3}, mask};
}

// softmax_j(q_i . k_j / sqrt(D)) v by the definition, for the pairs that `sees` allows.
Tensor softmax_attention(const Model& root, const Tensor& x, const Tensor& source, std::int64_t heads,
                         const std::function<bool(std::int64_t, std::int64_t)>& sees) {
  const auto project = [&](const std::string& name, const Tensor& in) {
    const Tensor& w = root.parameter(name + ".weight").value();
    const Tensor& b = root.parameter(name + ".bias").value();
    return test::tabulate(Shape{in.size(0), w.size(0)}, [&](std::int64_t at) {
      const std::int64_t row = at / w.size(0), column = at % w.size(0);
      double sum = b.data<double>()[column];
      for (std::int64_t c = 0; c < w.size(1); ++c)
        sum += w.data<double>()[column * w.size(1) + c] * in.data<double>()[row * in.size(1) + c];
      return sum;
    });
  };
  const Tensor q = project("query", x), k = project("key", source), v = project("value", source);
  const std::int64_t width = q.size(1), depth = width / heads;
  const Tensor mixed = test::tabulate(q.shape(), [&](std::int64_t at) {
    const std::int64_t i = at / width, first = at % width / depth * depth;
    double sum = 0, weighted = 0;
    for (std::int64_t j = 0; j < k.size(0); ++j) {
      if (!sees(i, j)) continue;
      double z = 0;
      for (std::int64_t c = first; c < first + depth; ++c)
        z += q.data<double>()[i * width + c] * k.data<double>()[j * width + c];
      sum += std::exp(z / std::sqrt(static_cast<double>(depth)));
      weighted += std::exp(z / std::sqrt(static_cast<double>(depth))) * v.data<double>()[j * width + at % width];
    }
    return sum > 0 ? weighted / sum : 0.0;
  });
  return project("output", mixed);
}

}  // namespace

TEST_CASE("GradformerAttention: the printed numbers of every mask mode") {
  on_path({.gamma = .5, .hop = 0}).check({2.2006626634, 2.3333333333, 3.9521796979});
  on_path({.gamma = .5, .hop = 1}).check({2.4280680482, 2.3333333333, 3.7453014397});
  on_path({.gamma = .5, .hop = 1, .slope = .2}).check({2.3866462009, 2.3333333333, 3.8873650806});
  on_path({.gamma = 1, .hop = 0}).check({3.2404513384, 2.3333333333, 3.7177504244});
  on_path({.mode = MaskMode::prob_mul, .gamma = .5, .hop = 0}).check({1, 1.5, 3.5885328166});
  for (const MaskMode mode : {MaskMode::prob_mul_renorm, MaskMode::log_bias})
    on_path({.mode = mode, .gamma = .5, .hop = 0}).check({2.6405774262, 2.25, 3.8609722622});
}

TEST_CASE("GradformerAttention: the printed gradients of hop, and those of gamma") {
  const std::vector<std::array<double, 4>> printed{
      {.5, 0, 8.5534588396, .0811919663},   {.5, .2, 8.5587510307, .1420684576}, {1.5, 0, 8.8273344988, .8025408705},
      {1.5, .2, 8.8932731548, .7202419109}, {2.5, 0, 9.2915350961, 0},           {2.5, .2, 9.3945629221, .1179936077}};
  for (const auto& [hop, slope, total, gradient] : printed) {
    const Three three = on_path({.gamma = .5, .hop = hop, .slope = slope, .learn_gamma = true});
    const Var loss = sum(three.out());
    loss.backward();
    CHECK(loss.item() == Approx(total).margin(1e-9));
    CHECK(three.root.parameter("hop").grad().item() == Approx(gradient).margin(1e-9));
    const auto at = [&, hop = hop, slope = slope](double gamma) {
      return sum(on_path({.gamma = gamma, .hop = hop, .slope = slope}).out()).item();
    };
    const double numeric = (at(.5 + 1e-5) - at(.5 - 1e-5)) / 2e-5;  // of gamma; its logit has 1/4 of it
    CHECK(three.root.parameter("gamma_logit").grad().item() == Approx(numeric / 4).margin(1e-8));
    CHECK(three.attention.mask().slot().gamma().item() == Approx(.5).epsilon(1e-12));
  }
}

TEST_CASE("GradformerAttention: pairs without a path have a logit of zero, or are left out") {
  on_two_components({.gamma = .6, .hop = 0}).check({1.8548994685, 2.1229108298, 1.5950684075});
  const double second = std::exp(.6) / (std::exp(.5) + std::exp(.6)),
               first = std::exp(-.3) / (std::exp(-.3) + std::exp(-1.0));
  on_two_components({.gamma = .6, .hop = 0, .disconnected = Disconnected::left_out}).check({1 + second, 2 - first, 3});
  // After the softmax: node 2 keeps its own weight, or has all of it.
  const double own = std::exp(-2.0) / (std::exp(1.0) + std::exp(2.0) + std::exp(-2.0));
  const Three zero = on_two_components({.mode = MaskMode::prob_mul, .gamma = .6, .hop = 0});
  CHECK(zero.out().value().data<double>()[6] == Approx(3 * own).epsilon(1e-12));
  const Three left_out =
      on_two_components({.mode = MaskMode::prob_mul, .gamma = .6, .hop = 0, .disconnected = Disconnected::left_out});
  CHECK(left_out.out().value().data<double>()[6] == Approx(3).epsilon(1e-12));
  for (const MaskMode mode : {MaskMode::log_bias, MaskMode::prob_mul_renorm})  // ln 0: left out whatever is asked for
    for (const Disconnected disconnected : {Disconnected::mask_zero, Disconnected::left_out})
      CHECK(on_two_components({.mode = mode, .gamma = .6, .hop = 0, .disconnected = disconnected})
                .out()
                .value()
                .data<double>()[6] == Approx(3).epsilon(1e-12));
}

TEST_CASE("a mask is shared by all that are given it, and gamma that is learned lies below 1") {
  const Model root({.seed = 1, .dtype = DType::float64});
  const DecayMask mask(root, 2, {.gamma = .6, .hop = .5, .learn_gamma = true});
  const GradformerAttention first(root / "first", 4, mask, {.heads = 2}),
      second(root / "second", 4, mask, {.heads = 2}), own(root / "own", 4, {.heads = 2});
  std::vector<std::string> names;
  for (const NamedParameter& p : root.parameters())
    if (p.name.ends_with("hop") || p.name.ends_with("gamma_logit")) names.push_back(p.name);
  CHECK(names == std::vector<std::string>{"hop", "gamma_logit", "own.hop"});
  CHECK(root.parameter("gamma_logit").shape() == Shape{2});
  CHECK(first.attention().plan(Support::pairs(Ragged({0, 3}))) == "ragged_attention, fused");
  CHECK_THROWS_AS(DecayMask(root / "one", 2, {.gamma = 1, .learn_gamma = true}), ValueError);
  CHECK_NOTHROW(DecayMask(root / "fixed", 2, {.gamma = 1}));
  CHECK_THROWS_AS(mask_mode("none"), ValueError);
}

TEST_CASE("MultiHeadAttention is softmax attention: all pairs, causal, cross") {
  const Model root({.seed = 2, .dtype = DType::float64});
  const MultiHeadAttention self(root, 6, {.heads = 3});
  const Tensor x = uniform(Shape{5, 6}, -1, 1, 1), more = uniform(Shape{7, 6}, -1, 1, 2);
  const auto same = [](const Tensor& got, const Tensor& expected) {
    return test::mismatch(got, expected, Tensor::full(expected.shape(), 10, DType::float64), 1e-13);
  };
  const auto graph_of = [](std::int64_t i) { return i < 2 ? 0 : 1; };
  CHECK(same(self(x, Support::pairs(Ragged({0, 2, 5}))).value(),
             softmax_attention(root, x, x, 3,
                               [&](std::int64_t i, std::int64_t j) { return graph_of(i) == graph_of(j); })) == "");
  CHECK(same(self(x, Support::causal(Ragged({0, 2, 5}))).value(),
             softmax_attention(root, x, x, 3, [&](std::int64_t i, std::int64_t j) {
               return graph_of(i) == graph_of(j) && j <= i;
             })) == "");
  CHECK(same(self(x, more, Support::pairs(Ragged({0, 2, 5}), Ragged({0, 3, 7}))).value(),
             softmax_attention(root, x, more, 3,
                               [&](std::int64_t i, std::int64_t j) { return graph_of(i) == (j < 3 ? 0 : 1); })) == "");

  const MultiHeadAttention causal(root / "causal", 6, {.heads = 3, .causal = true});
  CHECK_THROWS_AS(causal(x, Support::pairs(Ragged({0, 5}))), ValueError);
  const MultiHeadAttention cross(root / "cross", 6, {.heads = 3, .source_channels = 4, .key_heads = 1});
  CHECK(root.parameter("cross.key.weight").shape() == Shape{2, 4});
  CHECK(cross(x, Tensor::zeros(Shape{7, 4}, DType::float64), Support::pairs(Ragged({0, 5}), Ragged({0, 7}))).shape() ==
        Shape{5, 6});
}
