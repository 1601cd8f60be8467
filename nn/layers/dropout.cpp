#include "nn/layers/dropout.hpp"

#include "core/error.hpp"
#include "ops/dropout/dropout.hpp"

namespace atto {

Dropout::Dropout(const Scope& scope, double rate) : Module(scope), rate_(rate) {
  if (!(rate >= 0 && rate < 1))
    throw ValueError(
        {.op = "Dropout", .argument = "rate", .got = std::to_string(rate), .expected = "0 <= rate < 1", .hint = {}});
}

Var Dropout::operator()(const Var& x) const {
  if (!training() || rate_ == 0) return x;
  const auto here = enter();
  return dropout(x, rate_, scope().dropout_stream());
}

}  // namespace atto
