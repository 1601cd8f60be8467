#include "nn/gradformer/model.hpp"

#include "core/error.hpp"
#include "nn/names.hpp"
#include "nn/recompute.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/index/index.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/segment/segment.hpp"
#include "ops/shape/shape.hpp"

namespace atto {
namespace {

constexpr Names<Architecture, 8> kArchitectures{"model",
                                                {{{Architecture::gradformer, "gradformer"},
                                                  {Architecture::gps, "gps"},
                                                  {Architecture::transformer, "transformer"},
                                                  {Architecture::gat, "gat"},
                                                  {Architecture::gatv2, "gatv2"},
                                                  {Architecture::gcn, "gcn"},
                                                  {Architecture::gin, "gin"},
                                                  {Architecture::gatedgcn, "gatedgcn"}}}};

bool has_attention(Architecture a) {
  return a == Architecture::gradformer || a == Architecture::gps || a == Architecture::transformer;
}

// The convolution of an architecture that is nothing else.
Local local_of(const GraphModelOptions& o) {
  if (o.architecture == Architecture::transformer) return Local::none;
  return has_attention(o.architecture) ? o.local : local(name_of(o.architecture));
}

std::vector<DecayMask> masks_of(const Scope& scope, const GraphModelOptions& o) {
  if (o.architecture != Architecture::gradformer) return {};
  const DecayMaskOptions options{.mode = o.mask,
                                 .gamma = o.gamma,
                                 .hop = o.hop,
                                 .slope = o.slope,
                                 .learn_gamma = o.learn_gamma,
                                 .disconnected = o.disconnected};
  if (o.share_mask) return {DecayMask(scope, o.heads, options)};
  std::vector<DecayMask> masks;
  for (std::int64_t i = 0; i < o.layers; ++i) masks.emplace_back(scope / "layers" / i, o.heads, options);
  return masks;
}

// A batch of no graphs has no tensors; here they are with the widths that layers expect.
Tensor or_no_rows(const Tensor& x, const Features& features, std::int64_t rows, DType dtype) {
  if (x.defined() || rows > 0) return x;
  return features.kind == Features::Kind::category ? Tensor::zeros(Shape{0}, DType::int64)
                                                   : Tensor::zeros(Shape{0, features.width}, dtype);
}

}  // namespace

std::string_view name_of(Architecture architecture) {
  return kArchitectures.name(architecture);
}
Architecture architecture(std::string_view name) {
  return kArchitectures.parse(name);
}

InputEncoder::InputEncoder(const Scope& scope, const GraphModelOptions& o, Local local)
    : Module(scope),
      node_features_(o.node_features),
      edge_features_(o.edge_features),
      encoding_width_(o.encoding_width) {
  const std::int64_t beside = o.encoding_width > 0 ? o.encoding_channels : 0;
  if (beside < 0 || beside >= o.channels)
    throw ValueError({.op = "GraphModel",
                      .argument = "encoding_channels",
                      .got = std::to_string(beside),
                      .expected = "less than channels = " + std::to_string(o.channels),
                      .hint = {}});
  const std::int64_t node_channels = o.channels - beside;
  if (o.node_features.kind == Features::Kind::real)
    node_linear_.emplace(scope / "node", o.node_features.width, node_channels);
  else if (o.node_features.kind == Features::Kind::category)
    node_embedding_.emplace(scope / "node", o.node_features.width, node_channels);
  else
    throw ValueError({.op = "GraphModel",
                      .argument = "node_features",
                      .got = "none",
                      .expected = "real features or categories",
                      .hint = {}});
  if (o.encoding_width > 0) {
    if (beside > 0) encoding_norm_.emplace(scope / "encoding_norm", o.encoding_width);
    encoding_linear_.emplace(scope / "encoding", o.encoding_width, beside > 0 ? beside : o.channels);
  }
  if (!reads_edges(local)) return;
  if (o.edge_features.kind == Features::Kind::real)
    edge_linear_.emplace(scope / "edge", o.edge_features.width, o.channels);
  else
    edge_embedding_.emplace(scope / "edge",
                            o.edge_features.kind == Features::Kind::category ? o.edge_features.width : 1, o.channels);
}

NodesAndEdges InputEncoder::operator()(const Batch& batch) const {
  const auto here = enter();
  const Graph& graph = batch.graphs.graph();
  const std::int64_t nodes = graph.num_nodes(), edges = graph.num_edges();
  NodesAndEdges out;
  const Tensor x = or_no_rows(batch.x, node_features_, nodes, scope().dtype());
  out.node = node_linear_ ? (*node_linear_)(x) : (*node_embedding_)(x);
  if (encoding_linear_) {
    const Var given =
        or_no_rows(batch.encoding, {.kind = Features::Kind::real, .width = encoding_width_}, nodes, scope().dtype());
    const Var encoding = (*encoding_linear_)(encoding_norm_ ? (*encoding_norm_)(given) : given);
    out.node = encoding_norm_ ? concat({out.node, encoding}, 1) : out.node + encoding;
  }
  if (!edge_linear_ && !edge_embedding_) return out;
  const Tensor e = edge_features_.kind == Features::Kind::none
                       ? Tensor::zeros(Shape{edges}, DType::int64)
                       : or_no_rows(batch.edge_attr, edge_features_, edges, scope().dtype());
  if (edge_linear_) out.edge = (*edge_linear_)(e);
  else out.edge = EdgeRows(edge_embedding_->weight().var(), e);
  return out;
}

GraphModel::GraphModel(const Scope& scope, const GraphModelOptions& o)
    : Module(scope), options_(o), masks_(masks_of(scope, o)), encoder_(scope / "encoder", o, local_of(o)) {
  if (o.layers < 1 || o.outputs < 1)
    throw ValueError({.op = "GraphModel",
                      .argument = "layers, outputs",
                      .got = std::to_string(o.layers) + ", " + std::to_string(o.outputs),
                      .expected = "at least 1",
                      .hint = {}});
  if (o.recompute && (o.edge_state || o.architecture == Architecture::gatedgcn))
    throw ValueError({.op = "GraphModel",
                      .argument = "recompute",
                      .got = "layers that hand on edge states",
                      .expected = "layers of nodes alone",
                      .hint = {}});
  for (std::int64_t i = 0; i < o.layers; ++i) {
    const Scope place = scope / "layers" / i;
    const DecayMask* mask = masks_.empty() ? nullptr : &masks_[o.share_mask ? 0 : static_cast<std::size_t>(i)];
    if (has_attention(o.architecture))
      layers_.emplace_back(place, GraphTransformerLayerOptions{.channels = o.channels,
                                                               .heads = o.heads,
                                                               .local = local_of(o),
                                                               .pair = mask ? mask->pair() : NoPair{},
                                                               .gate = mask ? mask->gate() : NoGate{},
                                                               .same_start = o.same_start,
                                                               .edge_state = o.edge_state,
                                                               .dropout = o.dropout,
                                                               .attention_dropout = o.attention_dropout});
    else
      conv_layers_.emplace_back(
          place, local_of(o),
          LocalOptions{.channels = o.channels, .heads = o.heads, .dropout = o.dropout, .edge_state = true}, o.dropout);
  }
  std::vector<std::int64_t> widths{o.channels};
  if (o.deep_head)
    widths.insert(widths.end(), {std::max<std::int64_t>(1, o.channels / 2), std::max<std::int64_t>(1, o.channels / 4)});
  widths.push_back(o.outputs);
  for (std::size_t i = 0; i + 1 < widths.size(); ++i)
    head_.emplace_back(scope / "head" / static_cast<std::int64_t>(i), widths[i], widths[i + 1],
                       LinearOptions{.activation = i + 2 < widths.size() ? Activation::relu : Activation::none});
}

Var GraphModel::operator()(const Batch& batch) const {
  const auto here = enter();
  NodesAndEdges state = encoder_(batch);
  const auto run = [&](const auto& layer) {
    if (!options_.recompute) return layer(state, batch);
    std::vector<Var> inputs{state.node};
    if (state.edge.defined()) inputs.push_back(state.edge.rows);
    const auto again = [&layer, batch, kind = state.edge.kind](std::span<const Var> in) {
      return layer(NodesAndEdges{.node = in[0], .edge = {in.size() > 1 ? in[1] : Var(), kind}}, batch).node;
    };
    return NodesAndEdges{.node = recompute(layer.scope(), again, inputs), .edge = state.edge};
  };
  for (const auto& layer : layers_) state = run(layer);
  for (const auto& layer : conv_layers_) state = run(layer);
  Var out = state.node;
  if (options_.pooling == Pooling::sum) out = segment_sum(out, batch.graphs.nodes());
  if (options_.pooling == Pooling::mean) out = segment_mean(out, batch.graphs.nodes());
  for (const Linear& layer : head_) out = layer(out);
  return out;
}

bool GraphModel::needs_pairs() const {
  return has_attention(options_.architecture);
}

std::vector<double> GraphModel::hops() const {
  std::vector<double> hops;
  for (const DecayMask& mask : masks_) {
    const Tensor values = mask.slot().hop().value().to(DType::float64);
    hops.insert(hops.end(), values.values<double>().begin(), values.values<double>().end());
  }
  return hops;
}

std::vector<double> GraphModel::gammas() const {
  const NoGrad no_grad;
  std::vector<double> gammas;
  for (const DecayMask& mask : masks_) {
    const Tensor values = mask.slot().gamma().value().to(DType::float64);  // [H], or [1] for all heads
    for (std::int64_t head = 0; head < options_.heads; ++head)
      gammas.push_back(values.data<double>()[values.numel() == 1 ? 0 : head]);
  }
  return gammas;
}

const GraphAttention& GraphModel::attention(std::int64_t layer) const {
  if (layer < 0 || layer >= static_cast<std::int64_t>(layers_.size()))
    throw ValueError({.op = "GraphModel::attention",
                      .argument = "layer",
                      .got = std::to_string(layer),
                      .expected = "a layer with attention, of " + std::to_string(layers_.size()),
                      .hint = {}});
  return layers_[static_cast<std::size_t>(layer)].attention();
}

}  // namespace atto
