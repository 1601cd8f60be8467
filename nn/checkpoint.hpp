#pragma once
// Models on the disk: weights to use or pass on, and checkpoints to go on training from. Both are safetensors files,
// written whole or not at all, and read so that a file that does not fit changes nothing.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "nn/module.hpp"
#include "nn/optim/optimiser.hpp"
#include "nn/optim/schedule.hpp"
#include "nn/safetensors.hpp"

namespace atto {

/// Writes all parameters and buffers under their names ("layers.0.attention.query.weight", matrices [out,in]).
/// NumericError for a value that is not finite: the file that was there before stays. With `only` those alone whose
/// name matches() the pattern (an adapter's "lora.*").
void save_weights(const Model& model, const std::filesystem::path& path, const Metadata& metadata = {},
                  std::string_view only = "*");

struct LoadOptions {
  bool strict = true;             ///< every parameter and buffer must be in the file, and nothing else
  bool allow_non_finite = false;  ///< accept NaN and infinity
  std::string only = "*";         ///< a pattern: as if the model had no other parameters and buffers
};

struct LoadedWeights {
  std::vector<std::string> missing;     ///< names that only the model has; empty when strict
  std::vector<std::string> unexpected;  ///< names that only the file has
  Metadata metadata;
};

/// Reads parameters and buffers by name; float32 and float64 are converted into each other. One FileError lists every
/// name that is missing, unexpected, of another shape or type; nothing is changed unless all is well.
LoadedWeights load_weights(const Model& model, const std::filesystem::path& path, LoadOptions options = {});

/// Where a run stands: what is counted from zero and done next.
struct Position {
  std::int64_t fold = 0;
  std::int64_t epoch = 0;
  std::int64_t batch = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

/// The parts of a run, which checkpoints read from and load into. `more` are tensors of the caller's, shared with
/// whatever uses them: a best snapshot's state(), an order of samples, sums of an unfinished epoch.
struct RunState {
  const Model& model;
  const Optimiser* optimiser = nullptr;
  const Schedule* schedule = nullptr;
  std::vector<NamedTensor> more = {};
};

/// Appends `part` to `all` with "prefix." before every name.
void append(std::vector<NamedTensor>& all, const std::string& prefix, const std::vector<NamedTensor>& part);

/// Writes everything that a run needs to go on as if it had never stopped, bit for bit: parameters, buffers, the state
/// of optimiser, schedule and random numbers, `more`, and the position.
void save_checkpoint(const std::filesystem::path& path, const RunState& run, Position position,
                     const Metadata& metadata = {});

struct Resumed {
  Position position;
  Metadata metadata;
};

/// The position in a checkpoint, without loading it: which fold to build the run for. FileError when it is not a
/// checkpoint.
Position checkpoint_position(const std::filesystem::path& path);

/// Loads a checkpoint into a run of the same structure; same errors as load_weights(), without conversions.
Resumed load_checkpoint(const std::filesystem::path& path, const RunState& run);

}  // namespace atto
