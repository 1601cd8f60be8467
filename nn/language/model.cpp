#include "nn/language/model.hpp"

#include "core/error.hpp"
#include "nn/recompute.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/linear/linear.hpp"

namespace atto {
namespace {

LanguageModelOptions with_defaults(LanguageModelOptions o) {
  const auto refuse = [](const char* argument, std::int64_t got, std::string expected) {
    throw ValueError({.op = "LanguageModel",
                      .argument = argument,
                      .got = std::to_string(got),
                      .expected = std::move(expected),
                      .hint = {}});
  };
  if (o.vocabulary < 1) refuse("vocabulary", o.vocabulary, "at least 1");
  if (o.channels < 1) refuse("channels", o.channels, "at least 1");
  if (o.heads < 1) refuse("heads", o.heads, "at least 1");
  if (o.layers < 0) refuse("layers", o.layers, "at least 0");
  if (o.key_heads == 0) o.key_heads = o.heads;
  if (o.head_width == 0) {
    if (o.channels % o.heads != 0)
      refuse("heads", o.heads, "a divisor of channels = " + std::to_string(o.channels) + ", or a head_width");
    o.head_width = o.channels / o.heads;
  }
  if (o.hidden == 0) o.hidden = ((8 * o.channels + 2) / 3 + 15) / 16 * 16;
  if (o.hidden < 1) refuse("hidden", o.hidden, "at least 1");
  return o;
}

// Drawing numbers that a file will replace would take longer than reading them.
Initialiser weights(const LanguageModelOptions& o) {
  return o.deviation > 0 ? init::normal(o.deviation) : init::zeros();
}

}  // namespace

DecoderLayer::DecoderLayer(const Scope& scope, const AttentionOptions& attention, const FeedForwardChoice& feed_forward,
                           const FeedForwardSizes& sizes, double epsilon)
    : Module(scope),
      attention_norm_(scope / "attention_norm", sizes.channels, epsilon),
      attention_(scope / "attention", attention),
      feed_forward_norm_(scope / "feed_forward_norm", sizes.channels, epsilon),
      feed_forward_(feed_forward.build(scope / "feed_forward", sizes)) {
  socket_->attention = &attention_;
  socket_->norm = [this](const Var& x) { return feed_forward_norm_(x); };
  scope.offer(socket_);
}

Var DecoderLayer::operator()(const Var& h, const Support& support, KeyValueCache::Layer* cache) const {
  const auto here = enter();
  const AttentionInputs inputs{.query = attention_norm_(h), .cache = cache};
  AttentionMap map;
  Var mixed;
  if (reads_map()) {
    mixed = attention_.lowered(inputs, support, &map.weights);
    map.graph = support.graph();
  } else {
    mixed = attention_(inputs, support);
  }
  const Var h1 = socket_->pass(Station::after_attention, h + mixed);
  const Var normed = socket_->pass(Station::before_feed_forward, feed_forward_norm_(h1));
  return socket_->pass(Station::after_feed_forward, feed_forward_ ? h1 + (*feed_forward_)(normed, map) : normed);
}

LanguageModel::LanguageModel(const Scope& scope, const LanguageModelOptions& options)
    : Module(scope),
      options_(with_defaults(options)),
      embedding_(scope / "embedding", options_.vocabulary, options_.channels, weights(options_)),
      norm_(scope / "norm", options_.channels, options_.epsilon) {
  const LanguageModelOptions& o = options_;
  const AttentionOptions base{.channels = o.channels,
                              .heads = o.heads,
                              .head_width = o.head_width,
                              .key_heads = o.key_heads,
                              .bias = o.attention_bias,
                              .dropout = o.attention_dropout,
                              .rotary = RotaryEmbedding(o.head_width, o.rotary),
                              .weight_init = weights(o),
                              .bias_init = init::zeros(),
                              .causal = true};
  for (std::int64_t i = 0; i < o.layers; ++i) {
    AttentionOptions attention = base;
    if (o.attention) o.attention(attention, i);
    layers_.emplace_back(scope / "layers" / i, attention, o.feed_forward,
                         FeedForwardSizes{.channels = o.channels,
                                          .hidden = o.hidden,
                                          .heads = o.heads,
                                          .bias = o.feed_forward_bias,
                                          .weight_init = weights(o),
                                          .bias_init = init::zeros()},
                         o.epsilon);
  }
  if (!o.tied)
    head_.emplace(scope / "head", o.channels, o.vocabulary, LinearOptions{.bias = false, .weight_init = weights(o)});
}

Var LanguageModel::states(const Tensor& tokens, const Ragged& sequences) const {
  return run(tokens, Support::causal(sequences), nullptr);
}

Var LanguageModel::states(const Tensor& tokens, const Ragged& fresh, KeyValueCache& cache) const {
  if (!incremental())
    throw StateError({.op = "LanguageModel",
                      .argument = "cache",
                      .got = "a model whose layers need whole sequences: feed-forward blocks or adapters that read the "
                             "attention map, or a map whose rows depend on each other",
                      .expected = {},
                      .hint = "call it with whole sequences"});
  if (cache.layers() != options_.layers)
    throw ShapeError({.op = "LanguageModel",
                      .argument = "cache",
                      .got = std::to_string(cache.layers()) + " layers",
                      .expected = std::to_string(options_.layers),
                      .hint = {}});
  const Support support = cache.extend(fresh);
  try {
    return run(tokens, support, &cache);
  } catch (...) {
    cache.take_back(fresh);  // so that the step can be made again
    throw;
  }
}

Var LanguageModel::run(const Tensor& tokens, const Support& support, KeyValueCache* cache) const {
  const auto here = enter();
  if (!tokens.defined() || tokens.shape() != Shape{support.num_dst()})
    throw ShapeError({.op = "LanguageModel",
                      .argument = "tokens",
                      .got = tokens.str(),
                      .expected = "one token for each of the " + std::to_string(support.num_dst()) + " positions",
                      .hint = {}});
  Var h = embedding_(tokens);
  std::int64_t index = 0;
  for (const DecoderLayer& layer : layers_) {
    if (options_.recompute && cache == nullptr)
      h = recompute(
          layer.scope(), [&layer, support](std::span<const Var> in) { return layer(in[0], support); },
          std::span<const Var>(&h, 1));
    else h = layer(h, support, cache != nullptr ? &cache->layer(index++) : nullptr);
  }
  return norm_(h);
}

Var LanguageModel::logits(const Var& states) const {
  const auto here = enter();
  return head_ ? (*head_)(states) : linear(states, embedding_.weight(), {});
}

bool LanguageModel::incremental() const {
  for (const DecoderLayer& layer : layers_)
    if (!layer.incremental()) return false;
  return true;
}

Tensor next_tokens(const Tensor& tokens, const Ragged& sequences) {
  if (tokens.shape() != Shape{sequences.total()})
    throw ShapeError({.op = "next_tokens",
                      .argument = "tokens",
                      .got = tokens.str(),
                      .expected = "[" + std::to_string(sequences.total()) + "], as the sequences say",
                      .hint = {}});
  const Tensor from = tokens.to(DType::int64);
  Tensor next = Tensor::full(tokens.shape(), -100, DType::int64);
  for (std::int64_t s = 0; s < sequences.count(); ++s)
    for (std::int64_t i = sequences.begin(s); i + 1 < sequences.end(s); ++i)
      next.data<std::int64_t>()[i] = from.data<std::int64_t>()[i + 1];
  return next;
}

}  // namespace atto
