#include "nn/gradformer/data.hpp"

#include <algorithm>

#include "graph/cached.hpp"
#include "graph/rows.hpp"
#include "nn/names.hpp"

namespace atto {
namespace {

constexpr Names<Encoding, 3> kEncodings{
    "encoding", {{{Encoding::none, "none"}, {Encoding::rwse, "rwse"}, {Encoding::lappe, "lappe"}}}};

}  // namespace

std::string_view name_of(Encoding encoding) {
  return kEncodings.name(encoding);
}
Encoding encoding(std::string_view name) {
  return kEncodings.parse(name);
}

PreparedData::PreparedData(Dataset dataset, const PreparationOptions& options)
    : dataset_(std::move(dataset)), options_(options) {
  std::vector<Graph> graphs;
  graphs.reserve(dataset_.samples.size());
  for (const GraphSample& sample : dataset_.samples) graphs.push_back(sample.graph);
  const TensorCache cache = options.cache.empty() ? TensorCache() : TensorCache(options.cache);
  if (options.hops) hops_ = cached_hop_distances(cache, graphs);
  if (options.encoding == Encoding::none) return;
  const Tensor all = options.encoding == Encoding::rwse
                         ? cached_rwse(cache, graphs, options.encoding_width)
                         : cached_laplacian_eigenvectors(cache, graphs, {.count = options.encoding_width}).vectors;
  std::int64_t begin = 0;
  for (const Graph& graph : graphs) {
    encodings_.push_back(all.rows(begin, begin + graph.num_nodes()));
    begin += graph.num_nodes();
  }
}

int PreparedData::diameter() const {
  int largest = 0;
  if (!hops_.values.defined()) return largest;
  for (const std::uint8_t hop : hops_.values.values<std::uint8_t>())
    if (hop != kUnreachable) largest = std::max<int>(largest, hop);
  return largest;
}

Batch PreparedData::batch(std::span<const std::int64_t> chosen, const std::optional<RandomStream>& flips) const {
  const SampleBatch samples = collate(dataset_, chosen);
  Batch batch;
  batch.graphs = samples.graphs;
  batch.x = samples.x;
  batch.edge_attr = samples.edge_attr;
  batch.y = samples.y;
  if (!encodings_.empty()) {
    std::vector<Tensor> parts;
    parts.reserve(chosen.size());
    for (const std::int64_t i : chosen) parts.push_back(encodings_[static_cast<std::size_t>(i)]);
    batch.encoding = concatenate_rows(parts);
    if (flips && options_.encoding == Encoding::lappe) batch.encoding = flip_signs(batch.encoding, *flips);
  }
  batch.edges = Support::edges(batch.graphs.graph());
  batch.pairs = Support::pairs(batch.graphs.nodes());
  if (hops_.values.defined()) batch.pairs = batch.pairs.with_buckets(take_planes(hops_, chosen));
  return batch;
}

}  // namespace atto
