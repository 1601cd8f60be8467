#pragma once
// A batch of graphs as the models see it.

#include <memory>
#include <mutex>

#include "graph/dataset.hpp"
#include "graph/support.hpp"
#include "nn/conv/looped_graph.hpp"

namespace atto {

/// Some graphs side by side with their features, encodings and supports. Copying copies handles.
struct Batch {
  GraphBatch graphs;
  Tensor x;                                  ///< node features: float [N,F], or int64 [N] categories
  Tensor edge_attr;                          ///< edge features likewise, in canonical order; may be undefined
  Tensor encoding;                           ///< float [N,K] positional or structural encoding; may be undefined
  Tensor y;                                  ///< targets
  Support pairs = Support::pairs(Ragged());  ///< all pairs of each graph, with hop distances where they are known
  Support edges = Support::edges(Graph());

  /// The edges with one self-loop per node, made at the first call and kept.
  const NormalisedGraph& looped() const;

  /// The same with real numbers of another type, for models in float64 (gradient checks).
  Batch to(DType dtype) const;

 private:
  struct Looped {
    DType dtype = DType::float32;
    std::once_flag made;
    NormalisedGraph graph;
  };
  std::shared_ptr<Looped> looped_ = std::make_shared<Looped>();
};

}  // namespace atto
