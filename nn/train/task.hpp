#pragma once
// What a Trainer trains: samples that are taken by number, and a model that reads them.

#include <cstdint>
#include <optional>
#include <span>

#include "autograd/var.hpp"
#include "core/random.hpp"

namespace atto {

class TrainingTask {
 public:
  struct Result {
    Var outputs;     ///< [T,outputs()]
    Tensor targets;  ///< T of them
  };

  virtual ~TrainingTask() = default;
  /// The chosen samples, as one batch, through the model. `augment` is there in training, for changes at random.
  virtual Result run(std::span<const std::int64_t> chosen, const std::optional<RandomStream>& augment) const = 0;
  /// Targets of a sample: the rows that it adds to a result.
  virtual std::int64_t target_count(std::int64_t sample) const = 0;
  /// The targets themselves.
  virtual Tensor targets(std::int64_t sample) const = 0;
  /// Columns of the outputs.
  virtual std::int64_t outputs() const = 0;
};

}  // namespace atto
