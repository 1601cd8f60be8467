#include "nn/layers/embedding.hpp"

#include "ops/index/index.hpp"

namespace atto {

Embedding::Embedding(const Scope& scope, std::int64_t count, std::int64_t width, const Initialiser& initialiser)
    : Module(scope), weight_(scope.parameter("weight", Shape{count, width}, initialiser)) {}

Var Embedding::operator()(const Tensor& index) const {
  const auto here = enter();
  return embedding(weight_, index);
}

}  // namespace atto
