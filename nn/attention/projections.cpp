#include "nn/attention/projections.hpp"

#include <string>

#include "core/error.hpp"
#include "ops/shape/shape.hpp"

namespace atto {
namespace {

// [N, H W] -> [N, H, W]
Var split_heads(const Var& x, std::int64_t heads) {
  return reshape(x, Shape{x.size(0), heads, x.size(1) / heads});
}

}  // namespace

Projections::Projections(const Scope& scope, const AttentionOptions& o, const SlotModule& normaliser)
    : Module(scope), options_(o), maps_(normaliser.maps()) {
  const bool separate_keys = o.projection == Projection::separate || o.projection == Projection::query_key;
  if (maps_ > 1 && !separate_keys)
    detail::refuse_attention(scope, "normaliser",
                             normaliser.name() + ", which needs " + std::to_string(maps_) + " maps",
                             "queries and keys with projections of their own");
  const auto linear = [&](std::optional<Linear>& slot, const char* name, std::int64_t in, std::int64_t out) {
    slot.emplace(scope / name, in, out, linear_options(in, out));
  };
  const std::int64_t value_width = o.key_heads * o.head_width;
  if (o.projection != Projection::none) linear(query_, "query", o.channels, maps_ * o.heads * o.head_width);
  if (separate_keys || o.projection == Projection::key_value)
    linear(key_, "key", o.source_channels, maps_ * value_width);
  if (o.projection == Projection::separate || o.projection == Projection::tied)
    linear(value_, "value", o.source_channels, value_width);
}

LinearOptions Projections::linear_options(std::int64_t in, std::int64_t out) const {
  LinearOptions result{.bias = options_.bias, .weight_init = options_.weight_init, .bias_init = options_.bias_init};
  if (options_.same_start && query_ && query_->weight().shape() == Shape{out, in}) {
    result.weight_init = init::values(query_->weight().value());
    if (options_.bias) result.bias_init = init::values(query_->bias().value());
  }
  return result;
}

bool Projections::value_is_key() const noexcept {
  return options_.projection == Projection::key_value || options_.projection == Projection::shared ||
         options_.projection == Projection::none;
}

EdgeView Projections::operator()(const AttentionInputs& inputs, const Support& support) const {
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
  view.query = split_heads(query, maps_ * options_.heads);
  view.key = key.node() == query.node() ? view.query : split_heads(key, maps_ * options_.key_heads);
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

}  // namespace atto
