#pragma once
// The attention of a layer as a graph: what a threshold leaves of it, and a page that shows it.

#include <cstdint>
#include <string>
#include <vector>

#include "nn/adapters/sparse_map.hpp"
#include "nn/module.hpp"

namespace atto::examples {

/// The weights of one call of an attention.
struct AttentionPicture {
  Graph graph;     ///< over the tokens
  Tensor weights;  ///< [E,H]
  std::vector<std::string> labels;
};

/// What a threshold leaves.
struct ThresholdedMap {
  double threshold = 0;
  SparseMap map;           ///< sharpened
  double mean_degree = 0;  ///< senders per token
  double kept = 0;         ///< share of the combined weight that stands on pairs that stay
};

/// The sparse graphs of Sparse-GIN (Buehler, arXiv 2501.02393) at several thresholds: heads are combined by min(sum,
/// 1), a pair stays where that is above the threshold, and weighs sigmoid(sharpness (a - threshold)), or a where the
/// sharpness is 0. Threshold 0 keeps every pair. ValueError unless 0 <= threshold < 1.
std::vector<ThresholdedMap> thresholded_maps(const AttentionPicture& picture, double sharpness,
                                             const std::vector<double>& thresholds);

struct AttentionPage {
  std::string title;
  std::vector<std::string> remarks = {};
  double sharpness = 10;
  std::vector<double> thresholds = {};
};
/// A self-contained page: the map, its graph at every threshold, and what is left as a function of the threshold.
std::string attention_page(const AttentionPicture& picture, const AttentionPage& page);

}  // namespace atto::examples
