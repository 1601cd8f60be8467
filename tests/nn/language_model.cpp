// The decoder: its gradients, what a position may depend on, feed-forward blocks, packing.

#include <cmath>

#include "nn/adapters/sparse_gin.hpp"
#include "nn/language/generate.hpp"
#include "nn/language/model.hpp"
#include "ops/edge/edge.hpp"
#include "ops/loss/loss.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/reduce/reduce.hpp"
#include "ops/shape/shape.hpp"
#include "tests/nn/attention_slots.hpp"
#include "tests/nn/model_gradcheck.hpp"
#include "tests/support/errors.hpp"

namespace atto::test {
namespace {

const ModelOptions kDouble{.seed = 3, .dtype = DType::float64};

LanguageModelOptions small_options() {
  return {.vocabulary = 11,
          .channels = 8,
          .layers = 2,
          .heads = 4,
          .key_heads = 2,
          .hidden = 6,
          .rotary = {.theta = 100},
          .deviation = 0.4};
}

Tensor tokens_of(std::vector<std::int32_t> tokens) {
  return Tensor::from(tokens);
}
const std::vector<std::int32_t> kText{3, 1, 6, 0, 10, 2, 2, 9};

// A block that reads the map: each head's channels summed over the tokens that the head attends to.
struct Neighbours {
  class Block final : public FeedForwardModule {
   public:
    Var operator()(const Var& x, const AttentionMap& map) const override {
      const Var heads = reshape(x, {x.size(0), map.weights.size(1), -1});
      return reshape(spmm(map.graph, map.weights, heads), x.shape());
    }
    bool reads_map() const override { return true; }
  };
  FeedForwardPointer build(const Scope&, const FeedForwardSizes&) const { return std::make_shared<Block>(); }
};

}  // namespace

TEST_CASE("language model: gradients of every parameter, for every feed-forward block and both heads") {
  const Tensor tokens = tokens_of({3, 1, 6, 0, 10, 2, 4});
  const Ragged sequences({0, 4, 4, 5, 7});
  const Tensor targets = next_tokens(tokens, sequences);
  for (const char* kind : {"swiglu", "linear", "shallow", "halfway_gin", "multi_hop", "none", "map"})
    for (const bool tied : {false, true}) {
      INFO(kind << (tied ? ", tied" : ""));
      LanguageModelOptions options = small_options();
      if (std::string(kind) == "map") options.feed_forward = Neighbours{};
      else options.feed_forward = feed_forward(kind);
      if (std::string(kind) == "halfway_gin") options.hidden = 8;  // a multiple of the heads
      options.tied = tied;
      options.attention_bias = options.feed_forward_bias = true;
      const Model root(kDouble);
      const LanguageModel model(root, options);
      CHECK(wrong_gradient(
                root, [&] { return cross_entropy(model(tokens, sequences), targets); }, 2, 1e-4) == "");
    }
}

TEST_CASE("language model: later tokens change nothing before them") {
  for (const char* kind : {"swiglu", "linear", "shallow", "halfway_gin", "multi_hop", "none", "map"}) {
    LanguageModelOptions options = small_options();
    if (std::string(kind) == "map") options.feed_forward = Neighbours{};
    else options.feed_forward = feed_forward(kind);
    if (std::string(kind) == "halfway_gin") options.hidden = 8;
    const Model root(kDouble);
    const LanguageModel model(root, options);
    const Tensor whole = model(tokens_of(kText), Ragged::single(8)).value();
    std::vector<std::int32_t> other = kText;
    other[6] = 5, other[7] = 1;
    const Tensor changed = model(tokens_of(other), Ragged::single(8)).value();
    const Tensor shorter = model(tokens_of({kText.begin(), kText.begin() + 6}), Ragged::single(6)).value();
    const Tensor ones = Tensor::full(Shape{6, 11}, 1, DType::float64);
    CHECK(mismatch(changed.rows(0, 6), whole.rows(0, 6), ones, 1e-13) == "");
    CHECK(mismatch(shorter, whole.rows(0, 6), ones, 1e-13) == "");
    CHECK(mismatch(changed.rows(6, 7), whole.rows(6, 7), ones.rows(0, 1), 1e-3) != "");
  }
}

TEST_CASE("language model: packed sequences do not see each other, and their loss is that of each token") {
  const Model root(kDouble);
  const LanguageModel model(root, small_options());
  const Tensor a = model(tokens_of({3, 1, 6}), Ragged::single(3)).value();
  const Tensor b = model(tokens_of({0, 10, 2, 2, 9}), Ragged::single(5)).value();
  const Ragged packed({0, 3, 3, 8});
  const Tensor both = model(tokens_of(kText), packed).value();
  CHECK(mismatch(both.rows(0, 3), a, Tensor::full(a.shape(), 1, DType::float64), 1e-13) == "");
  CHECK(mismatch(both.rows(3, 8), b, Tensor::full(b.shape(), 1, DType::float64), 1e-13) == "");
  const Tensor targets = next_tokens(tokens_of(kText), packed);
  CHECK(targets.data<std::int64_t>()[2] == -100);
  CHECK(targets.data<std::int64_t>()[7] == -100);
  CHECK(targets.data<std::int64_t>()[3] == 10);
  const auto loss = [](const Tensor& logits, std::vector<std::int64_t> wanted) {
    return cross_entropy(logits, Tensor::from(wanted), {.sum = true}).item();
  };
  CHECK(cross_entropy(both, targets).item() ==
        Approx((loss(a.rows(0, 2), {1, 6}) + loss(b.rows(0, 4), {10, 2, 2, 9})) / 6).epsilon(1e-13));
}

TEST_CASE("language model: recomputed layers give the same numbers and gradients") {
  const Tensor tokens = tokens_of(kText);
  const auto run = [&](bool again) {
    LanguageModelOptions options = small_options();
    options.recompute = again;
    options.attention_dropout = 0.3;
    const Model root(kDouble);
    const LanguageModel model(root, options);
    const Var loss = cross_entropy(model(tokens, Ragged::single(8)), next_tokens(tokens, Ragged::single(8)));
    loss.backward();
    std::vector<Tensor> results{loss.value()};
    for (const NamedParameter& parameter : root.parameters()) results.push_back(parameter.value.grad().clone());
    return results;
  };
  const std::vector<Tensor> kept = run(false), recomputed = run(true);
  for (std::size_t i = 0; i < kept.size(); ++i) CHECK(bit_equal(kept[i], recomputed[i]));
}

TEST_CASE("language model: a step that failed can be made again from the same cache") {
  const Model root(kDouble);
  const LanguageModel model(root, small_options());
  root.eval();
  const NoGrad no_grad;
  const Tensor whole = model.states(tokens_of(kText), Ragged::single(8)).value();
  KeyValueCache cache(2, 1);
  model.states(tokens_of(kText).rows(0, 5), Ragged::single(5), cache);
  CHECK_THROWS_AS(model.states(tokens_of({3, 99, 1}), Ragged::single(3), cache), IndexError);
  CHECK_THROWS_AS(model.states(tokens_of({3, 1}), Ragged::single(3), cache), ShapeError);
  CHECK(cache.length(0) == 5);
  const Tensor rest = model.states(tokens_of(kText).rows(5, 8), Ragged::single(3), cache).value();
  CHECK(mismatch(rest, whole.rows(5, 8), Tensor::full(rest.shape(), 1, DType::float64), 1e-12) == "");
  KeyValueCache small(1, 1);
  CHECK_THAT_SAYS(ShapeError, model.states(tokens_of({3}), Ragged::single(1), small), "1 layers");
}

TEST_CASE("language model: with an adapter that reads the attention map, generation reads whole texts") {
  const Model root(kDouble);
  const LanguageModel model(root, small_options());
  const Tensor tokens = tokens_of(kText);
  const Ragged sequence = Ragged::single(8);
  const Tensor plain = model(tokens, sequence).value();
  CHECK(model.incremental());
  {
    const SparseGin adapter(root, model.options().channels, {.gin = {.hidden = 5}, .first_scale = 0.4});
    root.eval();
    CHECK_FALSE(model.incremental());
    CHECK(mismatch(model(tokens, sequence).value(), plain, Tensor::full(plain.shape(), 1, DType::float64), 1e-3) != "");
    KeyValueCache cache(2, 1);
    CHECK_THAT_SAYS(StateError, model.states(tokens, sequence, cache), "adapters that read the attention map");
    const std::vector<Tokens> prompts{{3, 1}};
    Tokens text{3, 1};
    for (int i = 0; i < 6; ++i) {
      const auto length = static_cast<std::int64_t>(text.size());
      const Tensor logits = model(tokens_of(text), Ragged::single(length)).value().rows(length - 1, length);
      text.push_back(choose_token(logits.reshape({-1}), {.greedy = true}, 0));
    }
    const GenerationOptions greedy{.tokens = 6, .sampling = {.greedy = true}};
    CHECK(generate_tokens(model, prompts, greedy)[0] == Tokens(text.begin() + 2, text.end()));
  }
  CHECK(model.incremental());
  CHECK(bit_equal(model(tokens, sequence).value(), plain));
}

TEST_CASE("language model: initial values, names, and an attention of one's own for each layer") {
  LanguageModelOptions options{.vocabulary = 50, .channels = 64, .layers = 2, .heads = 4, .attention_bias = true};
  std::vector<std::int64_t> seen;
  options.attention = [&](AttentionOptions& attention, std::int64_t layer) {
    seen.push_back(layer);
    attention.normaliser = Softmax{.sharpness = 1.0 + static_cast<double>(layer)};
  };
  const Model root(kDouble);
  const LanguageModel model(root, options);
  CHECK(seen == std::vector<std::int64_t>{0, 1});
  for (const NamedParameter& parameter : root.parameters()) {
    INFO(parameter.name);
    double square = 0, mean = 0;
    for (const double value : parameter.value.value().values<double>()) square += value * value, mean += value;
    const double count = static_cast<double>(parameter.value.value().numel());
    if (parameter.name.ends_with("norm.weight")) CHECK(mean == count);
    else if (parameter.name.ends_with("bias")) CHECK(square == 0);
    else CHECK(std::sqrt(square / count) == Approx(0.02).epsilon(0.05));
  }
  CHECK(root.parameter("layers.1.feed_forward.gate.weight").shape() == Shape{176, 64});
  CHECK(root.parameter("head.weight").shape() == Shape{50, 64});
}

TEST_CASE("language model: nothing to read, and what does not fit") {
  const Model root(kDouble);
  const LanguageModel model(root, small_options());
  CHECK(model(Tensor::zeros(Shape{0}, DType::int32), Ragged()).shape() == Shape{0, 11});
  CHECK(model(Tensor::zeros(Shape{0}, DType::int32), Ragged({0, 0, 0})).shape() == Shape{0, 11});
  CHECK_THAT_SAYS(ShapeError, model(tokens_of({1, 2}), Ragged::single(3)), "tokens");
  CHECK_THROWS_AS(model(tokens_of({1, 11}), Ragged::single(2)), IndexError);
  LanguageModelOptions options = small_options();
  options.heads = 3;
  CHECK_THROWS_AS(LanguageModel(Model() / "a", options), ValueError);
  options.vocabulary = 0;
  CHECK_THROWS_AS(LanguageModel(Model() / "a", options), ValueError);
  CHECK_THROWS_AS(feed_forward("mlp"), ValueError);
  struct Future {
    const char* name = "future";
    const char* looks_ahead = "it reads the next position";
    Var operator()(const EdgeView&, const Var& in) const { return in; }
  };
  options = small_options();
  options.attention = [](AttentionOptions& attention, std::int64_t) { attention.gate = Future{}; };
  CHECK_THROWS_AS(LanguageModel(Model() / "a", options), ValueError);
  options.attention = [](AttentionOptions& attention, std::int64_t) {
    attention.gate = Future{};
    attention.causal = false;  // who insists gets it
  };
  CHECK_NOTHROW(LanguageModel(Model() / "a", options));
}

}  // namespace atto::test
