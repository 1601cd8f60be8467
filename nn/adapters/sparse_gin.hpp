#pragma once
// Sparse-GIN fine-tuning: a small graph network beside every layer of a frozen transformer, over the sparse graph of
// its attention (Buehler, arXiv 2501.02393).

#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "nn/adapters/sparse_map.hpp"
#include "nn/attention/layer_socket.hpp"
#include "nn/layers/norm.hpp"
#include "nn/module.hpp"

namespace atto {

/// Which way the edges of the sparse graph run.
enum class EdgeDirection {
  intended,  ///< z_i = eps x_i + sum_j S_ij x_j
  literal,   ///< z_i = eps x_i + S_ii x_i: what is left in the published code, whose edges are turned round and then
             ///< filtered for causality
};

enum class GinActivation { relu, tanh, gelu, prelu };

struct GinStackOptions {
  std::int64_t hidden = 155;  ///< r; where it is the width of the model there are no projections
  std::int64_t layers = 1;
  double multiplier = 1;     ///< rho: the width inside a layer is int(rho r)
  bool edge_weights = true;  ///< false: an edge weighs 1
  bool perceptron = true;    ///< false: phi(W z + b) in its place
  bool norm = false;         ///< a layer norm inside the perceptron
  bool residual = false;     ///< x + t from layer to layer
  double dropout = 0.1;
  GinActivation activation = GinActivation::prelu;
  EdgeDirection direction = EdgeDirection::intended;
};

/// GNN(x, S): x0 = W_in x + b_in; in every layer z = eps x + sum_j S_ij x_j, t = W2 phi(Norm(W1 z + b1)) + b2 + z, then
/// Drop(phi(t)), plus x with `residual`; W_out x + b_out. x [N,channels] -> the same. Parameters in.*,
/// layers.L.{epsilon [1], first.*, norm.*, second.*}, slope [1] of the PReLU that all share, out.*.
class GinStack : public Module {
 public:
  GinStack(const Scope& scope, std::int64_t channels, const GinStackOptions& options);
  Var operator()(const Var& x, const SparseMap& map) const;

 private:
  struct Layer {
    Layer(const Scope& scope, const GinStackOptions& options);
    Parameter epsilon;
    std::optional<Linear> first, second;
    std::optional<LayerNorm> norm;
  };
  Var activate(const Var& x) const;

  GinStackOptions options_;
  std::optional<Linear> in_, out_;
  std::deque<Layer> layers_;
  Parameter slope_;
  Dropout dropout_;
};

/// Where the graph term is added.
enum class Placement {
  before_mlp,  ///< h1 + lambda N(GNN(h1, S)), then the feed-forward network as usual
  after_mlp,   ///< to the layer's result
  parallel,    ///< norm( h1 + FFN(q) + q + lambda N(GNN(q, S)) ), q = norm(h1); needs the layer's norm
};

struct SparseGinOptions {
  SparseMapOptions map = {};
  GinStackOptions gin = {};
  bool norm = true;         ///< N: an RMS norm (1e-5) of the graph term
  double first_scale = 0;   ///< lambda of the first layer ...
  double last_scale = 0.5;  ///< ... and of the last, with a ramp between
  Placement placement = Placement::before_mlp;
  std::string layers = "*";  ///< a pattern of the paths of layers
  std::string name = "gnn";  ///< where the parameters are registered
};

/// lambda_k = l0 + (l1 - l0) k / (N - 1); l0 for one layer.
double ramp(double first, double last, std::int64_t k, std::int64_t layers);

/// Attaches the graph term to every layer of a model that offers a LayerSocket and matches. Parameters
/// NAME.PATH.{map.*, gin.*, norm.weight, scale [1]} for a layer at PATH. Gradients pass through the frozen attention;
/// the rest of the model is frozen by name.
///
///     model.freeze("*");
///     SparseGin adapter(model, channels, {.map = {.causal = true}});
///
/// lambda = 0 leaves a layer as it was, bit for bit. Takes itself off when it is destroyed. ValueError when no layer
/// matches, StateError when one has an adapter at that place already.
class SparseGin : public Module {
 public:
  SparseGin(const Model& model, std::int64_t channels, const SparseGinOptions& options = {});
  ~SparseGin();

  /// The paths of the layers.
  std::vector<std::string> targets() const;
  std::int64_t parameter_count() const;
  /// lambda of every layer.
  std::vector<double> scales() const;

  /// All parameters, in a file of their own.
  void save(const std::filesystem::path& path) const;
  /// FileError unless the file fits; then nothing is changed.
  void load(const std::filesystem::path& path);

 private:
  struct Target {
    Target(const Scope& scope, std::int64_t channels, const SparseGinOptions& options, double scale,
           std::shared_ptr<LayerSocket> socket);
    /// lambda N(GNN(x, S))
    Var term(const Var& x) const;
    std::shared_ptr<LayerSocket> socket;
    SparseMapBuilder map;
    GinStack gin;
    std::optional<RmsNorm> norm;
    Parameter scale;
    Var waiting;  // of Placement::parallel: q + term(q), until the feed-forward network is done
  };
  void attach(Target& target) const;

  const Model& model_;
  SparseGinOptions options_;
  std::deque<Target> targets_;
};

}  // namespace atto
