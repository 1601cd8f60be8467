// Graph-aware isomorphic attention and adapters inside the decoder language model.

#include "nn/adapters/lora.hpp"
#include "nn/adapters/sparse_gin.hpp"
#include "nn/language/model.hpp"
#include "ops/loss/loss.hpp"
#include "tests/nn/isomorphic.hpp"

namespace atto::test {
namespace {

LanguageModelOptions small_options() {
  return {.vocabulary = 11,
          .channels = 8,
          .layers = 2,
          .heads = 2,
          .hidden = 6,
          .rotary = {.theta = 100},
          .deviation = 0.4};
}
const Tensor kTokens = Tensor::from(std::vector<std::int32_t>{3, 1, 6, 0, 10, 2, 2, 9});

std::string differ(const Tensor& a, const Tensor& b) {
  return mismatch(a, b, Tensor::full(b.shape(), 1, DType::float64), 1e-12);
}

// The states of some tokens, then of three more, from a cache.
Tensor from_cache(const LanguageModel& model) {
  const NoGrad no_grad;
  KeyValueCache cache(model.options().layers, 1);
  model.states(kTokens.rows(0, 5), Ragged::single(5), cache);
  return model.states(kTokens.rows(5, 8), Ragged::single(3), cache).value();
}

}  // namespace

TEST_CASE("GIN-Attention: the printed loss under the library's own rotary positions") {
  GinAttentionOptions options;
  options.normaliser = Softmax{.learn = true};
  const OracleGin at(options);
  AttentionOptions attention{.channels = 4, .heads = 2, .bias = false, .rotary = RotaryEmbedding(2), .causal = true};
  fill_slots(attention, OracleGin::with_sizes(options));
  const Model model({.seed = 1, .dtype = DType::float64});
  model.eval();
  const GraphAttention rotated(model, attention);
  for (const NamedParameter& parameter : at.model.parameters()) set(model, parameter.name, parameter.value.value());
  check_near(oracle_loss(rotated(at.x, causal(3))).item(), .168721843217, 1e-12);
}

TEST_CASE("language models of isomorphic attention: from a cache as from the whole text") {
  const std::vector<std::pair<std::string, std::function<void(AttentionOptions&)>>> kinds{
      {"GIN", [](AttentionOptions& o) { fill_slots(o, GinAttentionOptions{.normaliser = Softmax{.learn = true}}); }},
      {"GIN, sharp softplus",
       [](AttentionOptions& o) { fill_slots(o, GinAttentionOptions{.gate = adjacency_gate("sharp_softplus")}); }},
      {"GIN, differential",
       [](AttentionOptions& o) { fill_slots(o, GinAttentionOptions{.normaliser = Differential{}}); }},
      {"PNA", [](AttentionOptions& o) { fill_slots(o, PnaAttentionOptions{}); }},
      {"PNA, relu",
       [](AttentionOptions& o) {
         fill_slots(o, PnaAttentionOptions{.softmax = false, .empty = WithoutNeighbours::own});
       }},
      {"PNA_LM", [](AttentionOptions& o) { fill_slots(o, PnaAttentionOptions{.lm = true}); }},
      {"PNA, grouped", [](AttentionOptions& o) {
         o.key_heads = 1;
         fill_slots(o, PnaAttentionOptions{});
       }}};
  for (const auto& [name, fill] : kinds) {
    INFO(name);
    LanguageModelOptions options = small_options();
    options.attention = [&fill = fill](AttentionOptions& o, std::int64_t) { fill(o); };
    const Model root({.seed = 3, .dtype = DType::float64});
    const LanguageModel model(root, options);
    root.eval();
    CHECK(model.incremental());
    CHECK(differ(from_cache(model), model.states(kTokens, Ragged::single(8)).value().rows(5, 8).clone()) == "");
  }
  LanguageModelOptions options = small_options();
  options.attention = [](AttentionOptions& o, std::int64_t) {
    fill_slots(o, GinAttentionOptions{.gate = adjacency_gate("top_k", {.insist = true})});
  };
  const Model root;
  CHECK(!LanguageModel(root / "top", options).incremental());
  options.attention = [](AttentionOptions& o, std::int64_t) { o.score = NodePerceptron{.width = 4}; };
  CHECK(!LanguageModel(root / "nodes", options).incremental());
}

TEST_CASE("adapters attach to a language model: nothing changes at first, and recomputed layers learn the same") {
  const auto gradients = [](bool again) {
    LanguageModelOptions options = small_options();
    options.recompute = again;
    const Model root({.seed = 3, .dtype = DType::float64});
    const LanguageModel model(root, options);
    const Tensor before = model(kTokens, Ragged({0, 3, 8})).value();
    const SparseGin gnn(root, 8, {.map = {.gate = .55}, .gin = {.hidden = 3}, .last_scale = 0});
    CHECK(gnn.targets() == std::vector<std::string>{"layers.0", "layers.1"});
    CHECK(!model.incremental());
    const Lora lora(root, {.rank = 2, .targets = {"layers.*.query", "layers.*.gate"}});
    CHECK(bit_equal(model(kTokens, Ragged({0, 3, 8})).value(), before));
    root.eval();
    for (const NamedParameter& parameter : root.parameters())
      if (parameter.name.ends_with(".scale")) parameter.value.value().fill(.3);
    cross_entropy(model(kTokens, Ragged({0, 3, 8})), next_tokens(kTokens, Ragged({0, 3, 8}))).backward();
    std::vector<Tensor> all;
    for (const NamedParameter& parameter : root.parameters())
      all.push_back(parameter.value.grad().defined() ? parameter.value.grad().clone() : Tensor());
    return all;
  };
  const std::vector<Tensor> once = gradients(false), twice = gradients(true);
  for (std::size_t i = 0; i < once.size(); ++i)
    if (once[i].defined()) CHECK(differ(twice[i], once[i]) == "");
}

}  // namespace atto::test
