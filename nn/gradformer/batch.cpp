#include "nn/gradformer/batch.hpp"

namespace atto {

const NormalisedGraph& Batch::looped() const {
  std::call_once(looped_->made, [&] { looped_->graph = normalise(graphs.graph(), looped_->dtype); });
  return looped_->graph;
}

Batch Batch::to(DType dtype) const {
  Batch batch = *this;
  for (Tensor* tensor : {&batch.x, &batch.edge_attr, &batch.encoding, &batch.y})
    if (tensor->defined() && is_floating(tensor->dtype())) *tensor = tensor->to(dtype);
  batch.looped_ = std::make_shared<Looped>();
  batch.looped_->dtype = dtype;
  return batch;
}

}  // namespace atto
