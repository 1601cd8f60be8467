#pragma once

#include "nn/conv/looped_graph.hpp"
#include "nn/layers/linear.hpp"
#include "nn/module.hpp"

namespace atto {

/// Graph convolution (Kipf and Welling 2017, eq. 2): x_i' = b + sum over j in N(i) and i of W x_j / sqrt(deg_i deg_j).
/// x [N,in] -> [N,out]; parameters weight [out,in], bias [out]. An isolated node keeps its own W x_i. Cost: 2 N in out
/// + 2 E out FLOP.
class GcnConv : public Module {
 public:
  GcnConv(const Scope& scope, std::int64_t in, std::int64_t out);
  Var operator()(const Var& x, const NormalisedGraph& graph) const;

 private:
  Linear linear_;
  Parameter bias_;
};

}  // namespace atto
