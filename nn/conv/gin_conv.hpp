#pragma once

#include <optional>

#include "graph/graph.hpp"
#include "nn/conv/edge_rows.hpp"
#include "nn/layers/linear.hpp"
#include "nn/module.hpp"

namespace atto {

struct GinOptions {
  double epsilon = 0;  ///< weight of the node itself is 1 + epsilon
  bool learn_epsilon = false;
};

/// Graph isomorphism network (Xu et al. 2019, eq. 4.1): x_i' = MLP((1 + epsilon) x_i + sum over j in N(i) of x_j), with
/// the perceptron in -> out -> out, ReLU between. Self-loops count as edges. x [N,in] -> [N,out]; parameters hidden.*,
/// output.*.
class GinConv : public Module {
 public:
  GinConv(const Scope& scope, std::int64_t in, std::int64_t out, GinOptions options = {});
  Var operator()(const Var& x, const Graph& graph) const;

 private:
  friend class GineConv;
  Var self(const Var& x) const;

  GinOptions options_;
  Parameter epsilon_;
  Linear hidden_, output_;
};

/// GIN with edge features (Hu et al. 2020, eq. A.1): the messages are ReLU(x_j + e_ij); e goes through one linear layer
/// first when its width differs (parameters edge.*). e [E,F] in canonical order, or a row for each kind of edge.
class GineConv : public Module {
 public:
  GineConv(const Scope& scope, std::int64_t in, std::int64_t out, std::int64_t edge_channels, GinOptions options = {});
  Var operator()(const Var& x, const Graph& graph, const EdgeRows& e) const;

 private:
  GinConv gin_;
  std::optional<Linear> edge_;
};

}  // namespace atto
