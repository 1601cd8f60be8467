#pragma once

#include "nn/module.hpp"

namespace atto {

/// Row index_m of a learned table. index int32 or int64 [M] -> [M,width]; parameter weight [count,width], normal(0, 1).
/// IndexError for an index outside 0..count-1.
class Embedding : public Module {
 public:
  Embedding(const Scope& scope, std::int64_t count, std::int64_t width,
            const Initialiser& initialiser = init::normal(1.0));
  Var operator()(const Tensor& index) const;
  const Parameter& weight() const { return weight_; }

 private:
  Parameter weight_;
};

}  // namespace atto
