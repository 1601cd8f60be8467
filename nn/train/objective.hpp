#pragma once
// What a model is trained for and how it is judged.

#include <memory>
#include <string_view>

#include "graph/dataset.hpp"
#include "nn/losses.hpp"
#include "nn/metrics.hpp"

namespace atto {

/// A loss and the metric that goes with it.
struct Objective {
  Loss loss;
  std::string_view metric_name;  ///< see make_metric()

  std::unique_ptr<Metric> metric() const { return make_metric(metric_name); }
  bool higher_is_better() const { return metric()->higher_is_better(); }

  /// What is usual for a task: mean absolute error for numbers; cross-entropy and accuracy for classes; with `balanced`
  /// weights against the frequent classes of a batch, and the mean recall of the classes (PATTERN).
  static Objective of(const Dataset& dataset, bool balanced = false) {
    if (dataset.task == Task::graph_regression) return {.loss = losses::l1(), .metric_name = "mae"};
    if (balanced) return {.loss = losses::balanced_cross_entropy(), .metric_name = "class_accuracy"};
    return {.loss = losses::cross_entropy(), .metric_name = "accuracy"};
  }
  /// Cross-entropy and perplexity, by token.
  static Objective next_token() { return {.loss = losses::cross_entropy(), .metric_name = "perplexity"}; }
};

}  // namespace atto
