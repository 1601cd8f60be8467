#include "nn/gradformer/batch.hpp"

namespace atto {

const NormalisedGraph& Batch::looped() const {
  std::call_once(looped_->made, [&] { looped_->graph = normalise(graphs.graph()); });
  return looped_->graph;
}

}  // namespace atto
