#include "nn/attention/graph_attention.hpp"

#include "core/error.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dropout/dropout.hpp"
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
  if (o.rotary && o.rotary->width() != o.head_width)
    refuse(scope, "rotary", "width " + std::to_string(o.rotary->width()),
           "head_width = " + std::to_string(o.head_width));
  if (!(o.dropout >= 0 && o.dropout < 1)) refuse(scope, "dropout", std::to_string(o.dropout), "0 <= dropout < 1");
  const bool one_matrix = o.projection == Projection::tied || o.projection == Projection::shared;
  if (one_matrix && (o.key_heads != o.heads || o.source_channels != o.channels))
    refuse(scope, "projection", "one matrix for queries and keys", "equal widths and heads on both sides");
  const std::int64_t width = o.heads * o.head_width;
  if (o.projection == Projection::none && (o.channels != width || o.source_channels != width))
    refuse(scope, "projection", "none", "channels = heads x head_width = " + std::to_string(width));
  if (o.projection == Projection::query_key && (o.source_channels != width || o.key_heads != o.heads))
    refuse(scope, "projection", "query_key",
           "source_channels = heads x head_width = " + std::to_string(width) + ", and no grouped queries");
  return o;
}

AttentionSizes sizes_of(const AttentionOptions& o) {
  return {.channels = o.channels,
          .heads = o.heads,
          .head_width = o.head_width,
          .value_width = o.head_width,
          .edge_channels = o.edge_channels,
          .source_channels = o.source_channels};
}

// [N, H W] -> [N, H, W]
Var split_heads(const Var& x, std::int64_t heads) {
  return reshape(x, Shape{x.size(0), heads, x.size(1) / heads});
}

// What operations take that know nothing of grouped queries.
EdgeView with_all_heads(EdgeView view, std::int64_t heads) {
  const bool one = view.value.node() == view.key.node();
  view.key = repeat_heads(view.key, view.query.size(1));
  view.value = one ? view.key : repeat_heads(view.value, heads);
  return view;
}

void list_edges(EdgeView& view, const Support& support) {
  view.graph = support.graph();
  view.buckets = support.edge_buckets();
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
      normaliser_(options.normaliser.build(scope / "normaliser", sizes_)),
      bias_(options.output == Output::bias || options.output == Output::mean
                ? scope.parameter(
                      "bias",
                      Shape{options.output == Output::mean ? sizes_.value_width : sizes_.heads * sizes_.value_width},
                      init::zeros())
                : Parameter::none()) {
  const AttentionOptions& o = options_;
  const std::int64_t maps = normaliser_->maps(), value_width = o.key_heads * o.head_width;
  const std::int64_t query_width = maps * o.heads * o.head_width, key_width = maps * value_width;
  if (maps > 1 && o.projection != Projection::separate && o.projection != Projection::query_key)
    refuse(scope, "normaliser", normaliser_->name() + ", which needs " + std::to_string(maps) + " maps",
           "queries and keys with projections of their own");
  const auto linear = [&](std::optional<Linear>& slot, const char* name, std::int64_t in, std::int64_t out, bool bias) {
    LinearOptions like_query{.bias = bias, .weight_init = o.weight_init, .bias_init = o.bias_init};
    if (o.same_start && query_ && in == o.channels && out == query_width) {
      like_query.weight_init = init::values(query_->weight().value());
      if (bias) like_query.bias_init = init::values(query_->bias().value());
    }
    slot.emplace(scope / name, in, out, like_query);
  };
  if (o.projection != Projection::none) linear(query_, "query", o.channels, query_width, o.bias);
  if (o.projection == Projection::separate || o.projection == Projection::key_value ||
      o.projection == Projection::query_key)
    linear(key_, "key", o.source_channels, key_width, o.bias);
  if (o.projection == Projection::separate || o.projection == Projection::tied)
    linear(value_, "value", o.source_channels, value_width, o.bias);
  AttentionSizes sizes = sizes_;
  sizes.heads = maps * o.heads;
  score_ = o.score.build(scope / "score", sizes);
  pair_ = o.pair.build(scope / "pair", sizes);
  gate_ = o.gate.build(scope / "gate", sizes_);
  aggregator_ = o.aggregator.build(scope / "aggregator", sizes_);
  sizes = sizes_;
  sizes.value_width = aggregator_->width(sizes_.value_width);
  finish_ = o.finish.build(scope / "finish", sizes);
  const std::int64_t width = finish_->width(sizes.value_width);
  if (o.output == Output::linear) linear(output_, "output", o.heads * width, o.output_channels, o.bias);
  if (bias_.defined() && width != sizes_.value_width)
    refuse(scope, "output", "a bias on heads of width " + std::to_string(width),
           "width " + std::to_string(sizes_.value_width), "choose Output::linear or Output::none");
  if (o.causal)
    for (const SlotPointer& slot : {score_, pair_, normaliser_, gate_, aggregator_, finish_})
      if (const std::string reason = slot->looks_ahead(); !reason.empty())
        refuse(scope, "causal", slot->name() + ", which looks ahead: " + reason, "slots that see no later position");
}

Var GraphAttention::operator()(const AttentionInputs& inputs, const Support& support) const {
  const auto here = enter();
  remember(inputs, support);
  EdgeView view = project(inputs, support);
  const std::optional<FusedOp> op = fused_op(support);
  // GATv2's op reads values and keys from one tensor; whether they are one is known only now.
  if (!op || (*op == FusedOp::gatv2 && view.value.node() != view.key.node()))
    return lower(with_all_heads(std::move(view), options_.heads), support);
  if (*op != FusedOp::ragged_attention) view = with_all_heads(std::move(view), options_.heads);
  if (finish_->name().empty() && options_.output == Output::bias)
    return flat(run(*op, view, support, reshape(bias_, Shape{options_.heads, sizes_.value_width})));
  const Var heads = run(*op, view, support, {});
  if (finish_->name().empty()) return combine(heads);
  if (finish_->needs_graph()) view.graph = support.graph();
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
    const Var query = form.query_scale.defined() ? view.query * form.query_scale : view.query;
    Var value = aggregator_->summands(view);
    // Every map sums the same values; merging is linear, so what it does to weights it does to sums.
    if (const std::int64_t maps = normaliser_->maps(); maps > 1)
      value = concat(std::vector<Var>(static_cast<std::size_t>(maps), value), 1);
    const Var sums = ragged_attention(query, view.key, value, support.queries(), support.keys(), support.planes(),
                                      form.fitted(), {}, form.options);
    return biased(aggregator_->from_sums(view, normaliser_->merge(sums)));
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

EdgeView GraphAttention::view(const AttentionInputs& inputs, const Support& support) const {
  return with_all_heads(project(inputs, support), options_.heads);
}

Var GraphAttention::lowered(const AttentionInputs& inputs, const Support& support, Var* map) const {
  const auto here = enter();
  remember(inputs, support);
  return lower(view(inputs, support), support, map);
}

// The rest of a call that reads a cache lies there, so such a call cannot be made again.
void GraphAttention::remember(const AttentionInputs& inputs, const Support& support) const {
  if (!keep_last_call_) return;
  if (inputs.cache == nullptr) last_call_.emplace(inputs, support);
  else last_call_.reset();
}

Var GraphAttention::lower(EdgeView view, const Support& support, Var* map) const {
  list_edges(view, support);
  Var weights = edge_weights(view);
  if (training() && options_.dropout > 0) weights = dropout(weights, options_.dropout, scope().dropout_stream());
  if (map != nullptr) *map = weights;
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
  const std::int64_t source_rows = inputs.cache != nullptr ? support.num_dst() : support.num_src();
  expect("source", source, source_rows, options_.source_channels);
  expect("value", value, source_rows, options_.source_channels);

  EdgeView view;
  view.self = inputs.query;
  view.source = source;
  view.support = support;
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
  const std::int64_t maps = normaliser_->maps();
  view.query = split_heads(query, maps * options_.heads);
  view.key = key.node() == query.node() ? view.query : split_heads(key, maps * options_.key_heads);
  view.value = projected_value.node() == key.node() ? view.key : split_heads(projected_value, options_.key_heads);
  if (options_.rotary) {
    const RotaryEmbedding& rotary = *options_.rotary;
    const std::int64_t count = support.keys().longest();
    const Tensor positions = query_positions(support.queries(), support.keys());
    view.query = rotary(view.query, positions, count);
    view.key = rotary(view.key, inputs.cache != nullptr ? positions : key_positions(support.keys()), count);
  }
  if (inputs.cache != nullptr) {
    view.key = inputs.cache->keys(view.key);
    view.value = inputs.cache->values(view.value);
  }
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
  const bool value_is_key = options_.projection == Projection::key_value || options_.projection == Projection::shared ||
                            options_.projection == Projection::none;
  const bool plain = gate_->name().empty() && options_.dropout == 0;
  if (normaliser_->maps() > 1 && !plain) return "it gates and drops each map and not the difference of two";
  if (aggregator_->needs_unit_rows() && !(plain && normaliser_->maps() == 1))
    return "it has " + aggregator_->name() + " only of weights that add up to 1";
  if (op == FusedOp::gatv2 && !value_is_key)
    return "its values are its keys, and here they have projections of their own";
  return {};
}

std::optional<FusedOp> GraphAttention::fused_op(const Support& support) const {
  for (const FusedOp op : {FusedOp::ragged_attention, FusedOp::gat, FusedOp::gatv2})
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
  if (support.kind() == Support::Kind::edges) nearest = score_->fits(FusedOp::gatv2) ? FusedOp::gatv2 : FusedOp::gat;
  return composed + finish + ", composed: " + std::string(name_of(nearest)) + " will not do, " +
         refusal(nearest, support);
}

void GraphAttention::check_support(const Support& support) const {
  if (options_.causal && support.kind() != Support::Kind::causal)
    refuse(scope(), "support", support.name(), "causal", "this attention was built with .causal = true");
  if (options_.rotary && support.kind() == Support::Kind::edges)
    refuse(scope(), "support", support.name(), "pairs or causal",
           "rotary positions are places in a sequence, and edges have none");
}

Var GraphAttention::map(const AttentionInputs& inputs, const Support& support) const {
  const auto here = enter();
  EdgeView view = this->view(inputs, support);
  list_edges(view, support);
  return edge_weights(view);
}

Tensor GraphAttention::weights(const AttentionInputs& inputs, const Support& support) const {
  const NoGrad no_grad;
  return map(inputs, support).value();
}

bool GraphAttention::incremental() const {
  return score_->incremental() && pair_->incremental() && normaliser_->incremental() && gate_->incremental();
}

bool GraphAttention::by_row() const {
  return score_->by_row() && pair_->by_row() && normaliser_->by_row() && gate_->by_row();
}

Tensor GraphAttention::weights() const {
  return weights(last_call().first, last_call().second);
}

const std::pair<AttentionInputs, Support>& GraphAttention::last_call() const {
  if (!last_call_)
    throw StateError({.op = "GraphAttention",
                      .argument = "last call",
                      .got = "none",
                      .expected = "a call",
                      .hint = "keep_last_call(true) before calling the layer"});
  return *last_call_;
}

void GraphAttention::keep_last_call(bool keep) {
  keep_last_call_ = keep;
  if (!keep) last_call_.reset();
}

}  // namespace atto
