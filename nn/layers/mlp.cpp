#include "nn/layers/mlp.hpp"

#include "core/error.hpp"

namespace atto {

Mlp::Mlp(const Scope& scope, const std::vector<std::int64_t>& widths, const MlpOptions& options)
    : Module(scope), options_(options), dropout_(scope, options.dropout) {
  if (widths.size() < 2)
    throw ValueError({.op = "Mlp",
                      .argument = "widths",
                      .got = std::to_string(widths.size()) + " widths",
                      .expected = "at least two: that of the input and that of the output",
                      .hint = {}});
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    const Scope at = scope / static_cast<std::int64_t>(i);
    const bool last = i + 2 == widths.size();
    layers_.emplace_back(
        at, widths[i], widths[i + 1],
        LinearOptions{.bias = options.bias,
                      .activation = last || options.batch_norm ? Activation::none : options.activation});
    if (!last && options.batch_norm) norms_.emplace_back(at / "norm", widths[i + 1]);
  }
}

Var Mlp::operator()(const Var& x) const {
  Var y = layers_[0](x);
  for (std::size_t i = 1; i < layers_.size(); ++i) {
    if (options_.batch_norm) {
      y = norms_[i - 1](y);
      const auto here = enter();
      y = activate(y, options_.activation);
    }
    y = layers_[i](dropout_(y));
  }
  return y;
}

}  // namespace atto
