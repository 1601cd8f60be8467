#include "nn/adapters/sparse_gin.hpp"

#include <utility>

#include "core/error.hpp"
#include "nn/adapters/scopes.hpp"
#include "nn/checkpoint.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/index/index.hpp"
#include "ops/pointwise/pointwise.hpp"

namespace atto {
namespace {

// Of every node's edges the one to itself.
SparseMap loops_of(const SparseMap& map) {
  std::vector<std::int32_t> offsets{0}, sender, kept;
  for (std::int64_t e = 0, i = 0; i < map.graph.num_nodes(); ++i) {
    for (; e < map.graph.in_offsets()[static_cast<std::size_t>(i) + 1]; ++e)
      if (map.graph.in_src()[static_cast<std::size_t>(e)] == i) {
        sender.push_back(static_cast<std::int32_t>(i));
        kept.push_back(static_cast<std::int32_t>(e));
      }
    offsets.push_back(static_cast<std::int32_t>(sender.size()));
  }
  const std::int64_t nodes = map.graph.num_nodes();
  return {.graph = Graph::from_in_csr(nodes, std::move(offsets), std::move(sender)),
          .weights = gather_rows(map.weights, Tensor::from(kept))};
}

}  // namespace

GinStack::Layer::Layer(const Scope& scope, const GinStackOptions& o)
    : epsilon(scope, "epsilon", Shape{1}, init::zeros()) {
  const auto width = static_cast<std::int64_t>(o.multiplier * static_cast<double>(o.hidden));
  first.emplace(scope / "first", o.hidden, o.perceptron ? width : o.hidden);
  if (!o.perceptron) return;
  if (o.norm) norm.emplace(scope / "norm", width);
  second.emplace(scope / "second", width, o.hidden);
}

GinStack::GinStack(const Scope& scope, std::int64_t channels, const GinStackOptions& options)
    : Module(scope),
      options_(options),
      slope_(options.activation == GinActivation::prelu ? scope.parameter("slope", Shape{1}, init::constant(0.25))
                                                        : Parameter::none()),
      dropout_(scope, options.dropout) {
  const bool projected = options.hidden != channels;
  if (projected) in_.emplace(scope / "in", channels, options.hidden);
  for (std::int64_t l = 0; l < options.layers; ++l) layers_.emplace_back(scope / "layers" / l, options);
  if (projected) out_.emplace(scope / "out", options.hidden, channels);
}

Var GinStack::activate(const Var& x) const {
  switch (options_.activation) {
    case GinActivation::relu:
      return relu(x);
    case GinActivation::tanh:
      return tanh(x);
    case GinActivation::gelu:
      return gelu(x);
    case GinActivation::prelu:
      break;
  }
  const Var positive = relu(x);
  return positive + (x - positive) * slope_.var();
}

Var GinStack::operator()(const Var& input, const SparseMap& given) const {
  const auto here = enter();
  const SparseMap map = options_.direction == EdgeDirection::literal ? loops_of(given) : given;
  Var x = in_ ? (*in_)(input) : input;
  for (const Layer& layer : layers_) {
    const Var z = x * layer.epsilon.var() + spmm(map.graph, options_.edge_weights ? map.weights : Var(), x);
    Var t = (*layer.first)(z);
    if (layer.norm) t = (*layer.norm)(t);
    t = activate(t);
    if (layer.second) t = (*layer.second)(t) + z;
    t = dropout_(activate(t));
    x = options_.residual ? t + x : t;
  }
  return out_ ? (*out_)(x) : x;
}

double ramp(double first, double last, std::int64_t k, std::int64_t layers) {
  return layers < 2 ? first : first + (last - first) * static_cast<double>(k) / static_cast<double>(layers - 1);
}

SparseGin::Target::Target(const Scope& scope, std::int64_t channels, const SparseGinOptions& o, double initial,
                          std::shared_ptr<LayerSocket> layer)
    : socket(std::move(layer)),
      map(scope / "map", socket->attention->heads(), o.map),
      gin(scope / "gin", channels, o.gin),
      scale(scope, "scale", Shape{1}, init::constant(initial)) {
  if (o.norm) norm.emplace(scope / "norm", channels, 1e-5);
}

Var SparseGin::Target::term(const Var& x) const {
  const auto& [inputs, support] = socket->attention->last_call();
  const Var y = gin(x, map(*socket->attention, inputs, support));
  return (norm ? (*norm)(y) : y) * scale.var();
}

SparseGin::SparseGin(const Model& model, std::int64_t channels, const SparseGinOptions& options)
    : Module(model / options.name), model_(model), options_(options) {
  std::vector<std::shared_ptr<LayerSocket>> chosen;
  for (const auto& offered : model.sockets())
    if (const auto socket = std::dynamic_pointer_cast<LayerSocket>(offered);
        socket && matches(socket->path(), options.layers))
      chosen.push_back(socket);
  if (chosen.empty())
    throw ValueError({.op = "SparseGin",
                      .argument = "layers",
                      .got = "\"" + options.layers + "\", which fits no layer with an attention",
                      .expected = "the path of a transformer layer, or a pattern with '*' and '?'",
                      .hint = {}});
  for (const auto& socket : chosen) {
    for (const auto& edit : socket->edits)
      if (edit)
        throw StateError({.op = "SparseGin",
                          .argument = "layers",
                          .got = "\"" + socket->path() + "\", which has an adapter",
                          .expected = "a layer without one",
                          .hint = {}});
    if (options.placement == Placement::parallel && !socket->norm)
      throw ValueError({.op = "SparseGin",
                        .argument = "placement",
                        .got = "parallel",
                        .expected = "a layer with a norm before its feed-forward network",
                        .hint = "\"" + socket->path() + "\" has none"});
  }
  const auto count = static_cast<std::int64_t>(chosen.size());
  for (std::int64_t k = 0; k < count; ++k) {
    const auto& socket = chosen[static_cast<std::size_t>(k)];
    targets_.emplace_back(scope_at(scope(), socket->path()), channels, options,
                          ramp(options.first_scale, options.last_scale, k, count), socket);
  }
  for (Target& target : targets_) attach(target);
}

SparseGin::~SparseGin() {
  for (Target& target : targets_) {
    for (auto& edit : target.socket->edits) edit = nullptr;
    target.socket->attention->keep_last_call(false);
  }
}

void SparseGin::attach(Target& target) const {
  target.socket->attention->keep_last_call(true);
  const auto add = [&target](const Var& x) { return x + target.term(x); };
  switch (options_.placement) {
    case Placement::before_mlp:
      target.socket->at(Station::after_attention) = add;
      return;
    case Placement::after_mlp:
      target.socket->at(Station::after_feed_forward) = add;
      return;
    case Placement::parallel:
      break;
  }
  target.socket->at(Station::before_feed_forward) = [&target](const Var& q) {
    target.waiting = q + target.term(q);
    return q;
  };
  target.socket->at(Station::after_feed_forward) = [&target](const Var& stream) {
    return target.socket->norm(stream + std::exchange(target.waiting, {}));
  };
}

std::vector<std::string> SparseGin::targets() const {
  std::vector<std::string> paths;
  for (const Target& target : targets_) paths.push_back(target.socket->path());
  return paths;
}

std::int64_t SparseGin::parameter_count() const {
  std::int64_t count = 0;
  for (const NamedParameter& parameter : model_.parameters())
    if (matches(parameter.name, scope().path() + ".*")) count += parameter.value.value().numel();
  return count;
}

std::vector<double> SparseGin::scales() const {
  std::vector<double> result;
  for (const Target& target : targets_) result.push_back(target.scale.value().item());
  return result;
}

void SparseGin::save(const std::filesystem::path& path) const {
  save_weights(model_, path, {{"adapter", "sparse_gin"}}, scope().path() + ".*");
}

void SparseGin::load(const std::filesystem::path& path) {
  load_weights(model_, path, {.only = scope().path() + ".*"});
}

}  // namespace atto
