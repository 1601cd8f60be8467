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

AttentionSizes sizes_of(const AttentionOptions& o) {
  return {.channels = o.channels,
          .heads = o.heads,
          .head_width = o.head_width,
          .value_width = o.head_width,
          .edge_channels = o.edge_channels,
          .source_channels = o.source_channels};
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
      options_(detail::complete(options, scope)),
      sizes_(sizes_of(options_)),
      normaliser_(options.normaliser.build(scope / "normaliser", sizes_)),
      bias_(options.output == Output::bias || options.output == Output::mean
                ? scope.parameter(
                      "bias",
                      Shape{options.output == Output::mean ? sizes_.value_width : sizes_.heads * sizes_.value_width},
                      init::zeros())
                : Parameter::none()),
      projections_(scope, options_, *normaliser_) {
  const AttentionOptions& o = options_;
  const std::int64_t maps = normaliser_->maps();
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
  if (o.output == Output::linear)
    output_.emplace(scope / "output", o.heads * width, o.output_channels,
                    projections_.linear_options(o.heads * width, o.output_channels));
  if (bias_.defined() && width != sizes_.value_width)
    detail::refuse_attention(scope, "output", "a bias on heads of width " + std::to_string(width),
                             "width " + std::to_string(sizes_.value_width), "choose Output::linear or Output::none");
  if (o.causal)
    for (const SlotPointer& slot : {score_, pair_, normaliser_, gate_, aggregator_, finish_})
      if (const std::string reason = slot->looks_ahead(); !reason.empty())
        detail::refuse_attention(scope, "causal", slot->name() + ", which looks ahead: " + reason,
                                 "slots that see no later position");
}

Var GraphAttention::operator()(const AttentionInputs& inputs, const Support& support) const {
  const auto here = enter();
  remember(inputs, support);
  check_support(support);
  EdgeView view = projections_(inputs, support);
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

EdgeView GraphAttention::view(const AttentionInputs& inputs, const Support& support) const {
  check_support(support);
  return with_all_heads(projections_(inputs, support), options_.heads);
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
  const bool plain = gate_->name().empty() && options_.dropout == 0;
  if (normaliser_->maps() > 1 && !plain) return "it gates and drops each map and not the difference of two";
  if (aggregator_->needs_unit_rows() && !(plain && normaliser_->maps() == 1))
    return "it has " + aggregator_->name() + " only of weights that add up to 1";
  if (op == FusedOp::gatv2 && !projections_.value_is_key())
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
    detail::refuse_attention(scope(), "support", support.name(), "causal",
                             "this attention was built with .causal = true");
  if (options_.rotary && support.kind() == Support::Kind::edges)
    detail::refuse_attention(scope(), "support", support.name(), "pairs or causal",
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
