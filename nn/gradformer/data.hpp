#pragma once
// A data set together with what the models derive from its graphs, computed once before training.

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "core/random.hpp"
#include "graph/dataset.hpp"
#include "nn/gradformer/batch.hpp"

namespace atto {

enum class Encoding {
  none,
  rwse,   ///< return probabilities of random walks
  lappe,  ///< eigenvectors of the normalised Laplacian
};
std::string_view name_of(Encoding encoding);
Encoding encoding(std::string_view name);

struct PreparationOptions {
  Encoding encoding = Encoding::rwse;
  std::int64_t encoding_width = 20;  ///< K
  bool hops = true;                  ///< hop distances between all pairs of each graph
  std::filesystem::path cache = {};  ///< folder where results are kept for the next run; empty = nowhere
};

/// Samples, encodings and hop distances. Memory beside the data: 4 N K bytes, and the sum of n^2 bytes for the
/// distances.
class PreparedData {
 public:
  PreparedData(Dataset dataset, const PreparationOptions& options);

  const Dataset& dataset() const { return dataset_; }
  std::int64_t size() const { return dataset_.size(); }
  std::int64_t encoding_width() const { return options_.encoding == Encoding::none ? 0 : options_.encoding_width; }
  const BucketPlane& hops() const { return hops_; }
  /// The largest finite distance, 0 when distances were not computed.
  int diameter() const;

  /// The `chosen` samples as a batch. With `flips` the eigenvectors of a Laplacian encoding get random signs, one per
  /// column (training; Dwivedi et al. 2020, section 4.2).
  Batch batch(std::span<const std::int64_t> chosen, const std::optional<RandomStream>& flips = std::nullopt) const;

 private:
  Dataset dataset_;
  PreparationOptions options_;
  std::vector<Tensor> encodings_;
  BucketPlane hops_;
};

}  // namespace atto
