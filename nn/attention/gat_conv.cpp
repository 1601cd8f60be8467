#include "nn/attention/gat_conv.hpp"

#include "core/error.hpp"

namespace atto {
namespace {

AttentionOptions attention_options(std::int64_t in, std::int64_t out, const GatConvOptions& o) {
  if (o.concat && out % o.heads != 0)
    throw ValueError({.op = "GatConv",
                      .argument = "out",
                      .got = std::to_string(out),
                      .expected = "a multiple of heads = " + std::to_string(o.heads),
                      .hint = "or average the heads with .concat = false"});
  AttentionOptions options{.channels = in, .heads = o.heads, .head_width = o.concat ? out / o.heads : out};
  options.output = o.concat ? Output::bias : Output::mean;
  options.edge_channels = o.edge_channels;
  options.dropout = o.dropout;
  options.projection = o.dynamic ? Projection::key_value : Projection::shared;
  options.bias = o.dynamic;
  if (o.dynamic) options.score = DynamicAdditive{.slope = o.slope};
  else options.score = Additive{.slope = o.slope};
  return options;
}

}  // namespace

GatConv::GatConv(const Scope& scope, std::int64_t in, std::int64_t out, const GatConvOptions& options)
    : Module(scope), attention_(scope, attention_options(in, out, options)) {}

Var GatConv::operator()(const Var& x, const Graph& graph, const Var& e) const {
  return attention_(AttentionInputs{.query = x, .source = {}, .value = {}, .edge = e}, Support::edges(graph));
}

Var GatConv::operator()(const Var& x, const NormalisedGraph& looped, const Var& e) const {
  return (*this)(x, looped.graph, e.defined() ? follow_loops(looped, e) : e);
}

}  // namespace atto
