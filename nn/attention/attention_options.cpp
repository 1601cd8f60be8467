#include "nn/attention/attention_options.hpp"

#include <utility>

#include "core/error.hpp"

namespace atto::detail {

void refuse_attention(const Scope& scope, const char* argument, std::string got, std::string expected,
                      std::string hint) {
  throw ValueError({.op = scope.path().empty() ? "GraphAttention" : scope.path(),
                    .argument = argument,
                    .got = std::move(got),
                    .expected = std::move(expected),
                    .hint = std::move(hint)});
}

AttentionOptions complete(AttentionOptions o, const Scope& scope) {
  if (o.channels < 1 || o.heads < 1)
    refuse_attention(scope, "channels, heads", std::to_string(o.channels) + ", " + std::to_string(o.heads),
                     "at least 1");
  if (o.source_channels == 0) o.source_channels = o.channels;
  if (o.key_heads == 0) o.key_heads = o.heads;
  if (o.output_channels == 0) o.output_channels = o.channels;
  if (o.head_width == 0) {
    if (o.channels % o.heads != 0)
      refuse_attention(scope, "heads", std::to_string(o.heads), "a divisor of channels = " + std::to_string(o.channels),
                       "or set head_width");
    o.head_width = o.channels / o.heads;
  }
  if (o.heads % o.key_heads != 0)
    refuse_attention(scope, "key_heads", std::to_string(o.key_heads),
                     "a divisor of heads = " + std::to_string(o.heads));
  if (o.rotary && o.rotary->width() != o.head_width)
    refuse_attention(scope, "rotary", "width " + std::to_string(o.rotary->width()),
                     "head_width = " + std::to_string(o.head_width));
  if (!(o.dropout >= 0 && o.dropout < 1))
    refuse_attention(scope, "dropout", std::to_string(o.dropout), "0 <= dropout < 1");
  const bool one_matrix = o.projection == Projection::tied || o.projection == Projection::shared;
  if (one_matrix && (o.key_heads != o.heads || o.source_channels != o.channels))
    refuse_attention(scope, "projection", "one matrix for queries and keys", "equal widths and heads on both sides");
  const std::int64_t width = o.heads * o.head_width;
  if (o.projection == Projection::none && (o.channels != width || o.source_channels != width))
    refuse_attention(scope, "projection", "none", "channels = heads x head_width = " + std::to_string(width));
  if (o.projection == Projection::query_key && (o.source_channels != width || o.key_heads != o.heads))
    refuse_attention(scope, "projection", "query_key",
                     "source_channels = heads x head_width = " + std::to_string(width) + ", and no grouped queries");
  return o;
}

}  // namespace atto::detail
