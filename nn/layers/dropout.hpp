#pragma once

#include "nn/module.hpp"

namespace atto {

/// In training each value is zero with probability `rate` and otherwise multiplied by 1/(1 - rate), by a fresh stream
/// of the model's random numbers at each call; in evaluation, and with rate 0, x itself. ValueError unless 0 <= rate
/// < 1.
class Dropout : public Module {
 public:
  Dropout(const Scope& scope, double rate);
  Var operator()(const Var& x) const;

 private:
  double rate_;
};

}  // namespace atto
