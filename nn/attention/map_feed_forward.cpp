#include "nn/attention/map_feed_forward.hpp"

#include <string>

#include "core/error.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/head_linear/head_linear.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/shape/shape.hpp"

namespace atto {
namespace {

const MapFeedForwardOptions& checked(const char* op, const MapFeedForwardOptions& o, std::int64_t divided) {
  if (o.heads < 1 || o.inner < 1 || divided % o.heads != 0)
    throw ValueError({.op = op,
                      .argument = "heads, inner",
                      .got = std::to_string(o.heads) + ", " + std::to_string(o.inner),
                      .expected = "at least 1, and heads a divisor of " + std::to_string(divided),
                      .hint = {}});
  return o;
}

LinearOptions without_bias(const MapFeedForwardOptions& o, Activation activation = Activation::none) {
  return {.bias = false, .activation = activation, .weight_init = o.weight_init};
}

Initialiser falling_hops() {
  return [](const Tensor& tensor, Generator&) {
    constexpr double kWeights[] = {1, 0.5, 0.1};
    for (std::int64_t k = 0; k < 3; ++k) tensor.rows(k, k + 1).fill(kWeights[k]);
  };
}

}  // namespace

HalfwayGin::HalfwayGin(const Scope& scope, std::int64_t channels, const MapFeedForwardOptions& options)
    : Module(scope),
      heads_(checked("HalfwayGin", options, options.inner).heads),
      gate_(scope / "gate", channels, options.inner, without_bias(options, Activation::silu)),
      up_(scope / "up", channels, options.inner, without_bias(options)),
      down_(scope / "down", options.inner, channels, without_bias(options)),
      epsilon_(scope.parameter("epsilon", Shape{heads_, 1}, init::zeros())),
      mix_(scope.parameter("mix", Shape{heads_, 1}, init::ones())) {}

Var HalfwayGin::operator()(const Var& x, const Graph& graph, const Var& map) const {
  const auto here = enter();
  const Var gated = gate_(x) * up_(x);
  const Var u = reshape(gated, {gated.size(0), heads_, gated.size(1) / heads_});
  const Var z = u * (epsilon_ + 1.0) + spmm(graph, map, u) * mix_.var();
  return down_(reshape(z, gated.shape()));
}

MultiHop::MultiHop(const Scope& scope, std::int64_t channels, const MapFeedForwardOptions& options)
    : Module(scope),
      heads_(checked("MultiHop", options, channels).heads),
      gate_(scope.parameter("gate", Shape{heads_, options.inner, channels / heads_}, options.weight_init)),
      up_(scope.parameter("up", Shape{heads_, options.inner, channels / heads_}, options.weight_init)),
      down_(scope.parameter("down", Shape{heads_, channels / heads_, options.inner}, options.weight_init)),
      epsilon_(scope.parameter("epsilon", Shape{heads_, 1}, init::zeros())),
      hops_(scope.parameter("hops", Shape{3, heads_, 1}, falling_hops())) {}

Var MultiHop::operator()(const Var& x, const Graph& graph, const Var& map) const {
  const auto here = enter();
  const Var own = reshape(x, {x.size(0), heads_, x.size(1) / heads_});
  const Var up = head_linear(own, up_, {});
  Var reached = up, z = up * (epsilon_ + 1.0);
  for (std::int64_t k = 0; k < 3; ++k) {
    reached = spmm(graph, map, reached);
    z = z + reached * reshape(rows(hops_, k, k + 1), Shape{heads_, 1});
  }
  return reshape(head_linear(silu(head_linear(own, gate_, {})) * z, down_, {}), x.shape());
}

}  // namespace atto
