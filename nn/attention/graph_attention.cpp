#include "nn/attention/graph_attention.hpp"

#include "core/error.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dropout/dropout.hpp"
#include "ops/edge_attention/edge_attention.hpp"
#include "ops/gat/gat.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"
#include "ops/reduce/reduce.hpp"
#include "ops/shape/shape.hpp"

namespace atto {
namespace {

[[noreturn]] void refuse(const Scope& scope, const char* argument, std::string got, std::string expected,
                         std::string hint = {}) {
  throw ValueError({.op = scope.path().empty() ? "GraphAttention" : scope.path(),
                    .argument = argument,
                    .got = std::move(got),
                    .expected = std::move(expected),
                    .hint = std::move(hint)});
}

AttentionOptions with_defaults(AttentionOptions o, const Scope& scope) {
  if (o.channels < 1 || o.heads < 1)
    refuse(scope, "channels, heads", std::to_string(o.channels) + ", " + std::to_string(o.heads), "at least 1");
  if (o.source_channels == 0) o.source_channels = o.channels;
  if (o.key_heads == 0) o.key_heads = o.heads;
  if (o.output_channels == 0) o.output_channels = o.channels;
  if (o.head_width == 0) {
    if (o.channels % o.heads != 0)
      refuse(scope, "heads", std::to_string(o.heads), "a divisor of channels = " + std::to_string(o.channels),
             "or set head_width");
    o.head_width = o.channels / o.heads;
  }
  if (o.heads % o.key_heads != 0)
    refuse(scope, "key_heads", std::to_string(o.key_heads), "a divisor of heads = " + std::to_string(o.heads));
  if (!(o.dropout >= 0 && o.dropout < 1)) refuse(scope, "dropout", std::to_string(o.dropout), "0 <= dropout < 1");
  const bool one_matrix = o.projection == Projection::tied || o.projection == Projection::shared;
  if (one_matrix && (o.key_heads != o.heads || o.source_channels != o.channels))
    refuse(scope, "projection", "one matrix for queries and keys", "equal widths and heads on both sides");
  const std::int64_t width = o.heads * o.head_width;
  if (o.projection == Projection::none && (o.channels != width || o.source_channels != width))
    refuse(scope, "projection", "none", "channels = heads x head_width = " + std::to_string(width));
  return o;
}

AttentionSizes sizes_of(const AttentionOptions& o) {
  return {.channels = o.channels,
          .heads = o.heads,
          .head_width = o.head_width,
          .value_width = o.head_width,
          .edge_channels = o.edge_channels};
}

// [N, G W] -> [N, H, W]; with fewer heads than H each serves H / G neighbours.
Var split_heads(const Var& x, std::int64_t heads, std::int64_t key_heads) {
  const std::int64_t rows = x.size(0), width = x.size(1) / key_heads;
  if (heads == key_heads) return reshape(x, Shape{rows, heads, width});
  const std::int64_t group = heads / key_heads;
  const Var repeated =
      reshape(x, Shape{rows, key_heads, 1, width}) * Var(Tensor::full(Shape{group, 1}, 1.0, x.dtype()));
  return reshape(repeated, Shape{rows, heads, width});
}

// [N, H, W] -> [N, H W]
Var flat(const Var& heads) {
  return reshape(heads, Shape{heads.size(0), heads.size(1) * heads.size(2)});
}

}  // namespace

GraphAttention::GraphAttention(const Scope& scope, const AttentionOptions& options)
    : Module(scope),
      options_(with_defaults(options, scope)),
      sizes_(sizes_of(options_)),
      bias_(options.output == Output::bias || options.output == Output::mean
                ? scope.parameter(
                      "bias",
                      Shape{options.output == Output::mean ? sizes_.value_width : sizes_.heads * sizes_.value_width},
                      init::zeros())
                : Parameter::none()) {
  const AttentionOptions& o = options_;
  const std::int64_t query_width = o.heads * o.head_width, key_width = o.key_heads * o.head_width;
  const auto linear = [&](std::optional<Linear>& slot, const char* name, std::int64_t in, std::int64_t out, bool bias) {
    LinearOptions like_query{.bias = bias};
    if (o.same_start && query_ && in == o.channels && out == query_width) {
      like_query.weight_init = init::values(query_->weight().value());
      if (bias) like_query.bias_init = init::values(query_->bias().value());
    }
    slot.emplace(scope / name, in, out, like_query);
  };
  if (o.projection != Projection::none) linear(query_, "query", o.channels, query_width, o.bias);
  if (o.projection == Projection::separate || o.projection == Projection::key_value)
    linear(key_, "key", o.source_channels, key_width, o.bias);
  if (o.projection == Projection::separate || o.projection == Projection::tied)
    linear(value_, "value", o.source_channels, key_width, o.bias);
  if (o.output == Output::linear) linear(output_, "output", o.heads * sizes_.value_width, o.output_channels, o.bias);

  score_ = o.score.build(scope / "score", sizes_);
  pair_ = o.pair.build(scope / "pair", sizes_);
  normaliser_ = o.normaliser.build(scope / "normaliser", sizes_);
  gate_ = o.gate.build(scope / "gate", sizes_);
  aggregator_ = o.aggregator.build(scope / "aggregator", sizes_);
  finish_ = o.finish.build(scope / "finish", sizes_);
  if (o.causal)
    for (const SlotPointer& slot : {score_, pair_, normaliser_, gate_, aggregator_, finish_})
      if (const std::string reason = slot->looks_ahead(); !reason.empty())
        refuse(scope, "causal", slot->name() + ", which looks ahead: " + reason, "slots that see no later position");
}

Var GraphAttention::operator()(const AttentionInputs& inputs, const Support& support) const {
  const auto here = enter();
  if (keep_last_call_) last_call_.emplace(inputs, support);
  EdgeView view = project(inputs, support);
  const std::optional<FusedOp> op = fused_op(support);
  // GATv2's op reads values and keys from one tensor; whether they are one is known only now.
  if (!op || (*op == FusedOp::gatv2 && view.value.node() != view.key.node())) return lower(view, support);
  if (finish_->name().empty() && options_.output == Output::bias)
    return flat(run(*op, view, support, reshape(bias_, Shape{options_.heads, sizes_.value_width})));
  const Var heads = run(*op, view, support, {});
  if (finish_->name().empty()) return combine(heads);
  view.graph = support.graph();
  return combine((*finish_)(view, heads));
}

Var GraphAttention::run(FusedOp op, const EdgeView& view, const Support& support, const Var& bias) const {
  const auto biased = [&](const Var& heads) { return bias.defined() ? heads + bias : heads; };
  const double rate = training() ? options_.dropout : 0.0;
  const RandomStream random = rate > 0 ? scope().dropout_stream() : RandomStream{};
  if (op == FusedOp::ragged_attention) {
    RaggedForm form;
    for (const SlotModule* slot : stages()) slot->fill(form);
    form.options.causal = support.kind() == Support::Kind::causal;
    form.options.dropout = rate;
    form.options.random = random;
    return biased(ragged_attention(view.query, view.key, view.value, support.queries(), support.keys(),
                                   support.planes(), form.fitted(), {}, form.options));
  }
  if (op == FusedOp::edge_attention) {
    EdgeForm form;
    for (const SlotModule* slot : stages()) slot->fill(view, form);
    const AttentionTables tables = form.fitted();
    return biased(edge_attention(
        support.graph(), view.query, view.key, view.value,
        {.multiply = tables.multiply, .add = tables.add, .bias = form.bias, .buckets = support.edge_buckets()},
        {.scale = form.options.scale, .clip = form.clip, .dropout = rate, .random = random}));
  }
  GatForm form;
  for (const SlotModule* slot : stages()) slot->fill(view, form);
  const GatOptions options{.slope = form.slope, .dropout = rate, .random = random};
  if (op == FusedOp::gat && form.self)
    return gat_self(support.graph(), view.value, form.source, form.destination, form.edge, bias, options);
  if (op == FusedOp::gat)
    return biased(gat(support.graph(), view.value, form.source, form.destination, form.edge, options));
  return biased(gatv2(support.graph(), view.key, view.query, form.vector, form.edge, options));
}

Var GraphAttention::lowered(const AttentionInputs& inputs, const Support& support) const {
  const auto here = enter();
  return lower(project(inputs, support), support);
}

Var GraphAttention::lower(EdgeView view, const Support& support) const {
  view.graph = support.graph();
  view.buckets = support.edge_buckets();
  Var weights = edge_weights(view);
  if (training() && options_.dropout > 0) weights = dropout(weights, options_.dropout, scope().dropout_stream());
  return combine((*finish_)(view, (*aggregator_)(view, weights)));
}

std::array<const SlotModule*, 5> GraphAttention::stages() const {
  return {score_.get(), pair_.get(), normaliser_.get(), gate_.get(), aggregator_.get()};
}

Var GraphAttention::edge_weights(const EdgeView& view) const {
  const Var logits = (*pair_)(view, (*score_)(view, {}));
  return (*gate_)(view, (*normaliser_)(view, logits));
}

EdgeView GraphAttention::project(const AttentionInputs& inputs, const Support& support) const {
  check_support(support);
  const Var& source = inputs.source.defined() ? inputs.source : inputs.query;
  const Var& value = inputs.value.defined() ? inputs.value : source;
  const auto expect = [&](const char* name, const Var& x, std::int64_t rows, std::int64_t columns) {
    if (!x.defined() || x.shape() != Shape{rows, columns})
      throw ShapeError({.op = scope().path().empty() ? "GraphAttention" : scope().path(),
                        .argument = name,
                        .got = x.defined() ? x.shape().str() : "undefined",
                        .expected = Shape{rows, columns}.str(),
                        .hint = "the rows are those of the support"});
  };
  expect("query", inputs.query, support.num_dst(), options_.channels);
  expect("source", source, support.num_src(), options_.source_channels);
  expect("value", value, support.num_src(), options_.source_channels);

  EdgeView view;
  view.self = inputs.query;
  view.edge = inputs.edge;
  const auto apply_to = [](const std::optional<Linear>& projection, const Var& x) {
    return projection ? (*projection)(x) : x;
  };
  const bool query_serves_key = options_.projection == Projection::tied || options_.projection == Projection::shared;
  const Var query = apply_to(query_, inputs.query);
  const Var key = query_serves_key ? (source.node() == inputs.query.node() ? query : apply_to(query_, source))
                                   : apply_to(key_, source);
  const bool key_serves_value =
      options_.projection == Projection::key_value || options_.projection == Projection::shared;
  const Var& projected_value = key_serves_value && value.node() == source.node() ? key
                               : key_serves_value ? apply_to(query_serves_key ? query_ : key_, value)
                                                  : apply_to(value_, value);
  view.query = split_heads(query, options_.heads, options_.heads);
  view.key = key.node() == query.node() ? view.query : split_heads(key, options_.heads, options_.key_heads);
  view.value = projected_value.node() == key.node() ? view.key
                                                    : split_heads(projected_value, options_.heads, options_.key_heads);
  return view;
}

Var GraphAttention::combine(const Var& heads) const {
  if (options_.output == Output::mean) return mean(heads, 1) + bias_;
  const Var side_by_side = flat(heads);
  if (output_) return (*output_)(side_by_side);
  return bias_.defined() ? side_by_side + bias_ : side_by_side;
}

std::string GraphAttention::refusal(FusedOp op, const Support& support) const {
  const bool on_edges = support.kind() == Support::Kind::edges;
  if (on_edges != (op != FusedOp::ragged_attention)) return "it does not run on a support of " + support.name();
  for (const SlotModule* slot : stages())
    if (!slot->fits(op))
      return "it has no " + (slot->name().empty() ? std::string("way to leave the softmax out") : slot->name());
  const bool value_is_key = options_.projection != Projection::separate && options_.projection != Projection::tied;
  if (op == FusedOp::gatv2 && !value_is_key)
    return "its values are its keys, and here they have projections of their own";
  return {};
}

std::optional<FusedOp> GraphAttention::fused_op(const Support& support) const {
  for (const FusedOp op : {FusedOp::ragged_attention, FusedOp::edge_attention, FusedOp::gat, FusedOp::gatv2})
    if (refusal(op, support).empty()) return op;
  return std::nullopt;
}

std::string GraphAttention::plan(const Support& support) const {
  check_support(support);
  const std::string finish = finish_->name().empty() ? "" : " > " + finish_->name();
  if (const auto op = fused_op(support)) return std::string(name_of(*op)) + finish + ", fused";
  std::string composed;
  for (const SlotModule* slot : stages())
    if (!slot->name().empty()) composed += (composed.empty() ? "" : " > ") + slot->name();
  FusedOp nearest = FusedOp::ragged_attention;
  if (support.kind() == Support::Kind::edges)
    for (const FusedOp op : {FusedOp::gat, FusedOp::gatv2, FusedOp::edge_attention})
      if (nearest == FusedOp::ragged_attention || score_->fits(op)) nearest = op;
  return composed + finish + ", composed: " + std::string(name_of(nearest)) + " will not do, " +
         refusal(nearest, support);
}

void GraphAttention::check_support(const Support& support) const {
  if (options_.causal && support.kind() != Support::Kind::causal)
    refuse(scope(), "support", support.name(), "causal", "this attention was built with .causal = true");
}

Tensor GraphAttention::weights(const AttentionInputs& inputs, const Support& support) const {
  const NoGrad no_grad;
  EdgeView view = project(inputs, support);
  view.graph = support.graph();
  view.buckets = support.edge_buckets();
  return edge_weights(view).value();
}

Tensor GraphAttention::weights() const {
  if (!last_call_)
    throw StateError({.op = "GraphAttention::weights",
                      .argument = "last call",
                      .got = "none",
                      .expected = "a call",
                      .hint = "keep_last_call(true) before calling the layer"});
  return weights(last_call_->first, last_call_->second);
}

void GraphAttention::keep_last_call(bool keep) {
  keep_last_call_ = keep;
  if (!keep) last_call_.reset();
}

}  // namespace atto
