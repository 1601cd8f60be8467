// Tensors that are slow to compute, kept on disk between runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/hash.hpp"
#include "core/tensor.hpp"

namespace atto {

/// What was computed, from what, and how. Tensors with equal keys are equal.
struct CacheKey {
  std::string name;           ///< of the computation: part of the file name, letters, digits and - only
  std::string parameters;     ///< everything that the result depends on beside the content
  std::uint32_t version = 1;  ///< raised whenever the computation gives other results
  Hash content{};             ///< of the input
};

/// A folder of tensors, one file per key. A file is used only if its whole header and the checksum of its data are
/// right; anything else (damaged, cut short, another version, foreign) is as good as no file, and is replaced. Files
/// appear whole or not at all, so several processes may share a folder. A folder that cannot be written costs time, not
/// the run: then everything is computed. Safe to use from several threads.
class TensorCache {
 public:
  /// Keeps nothing.
  TensorCache() = default;
  /// The folder is created when something is stored.
  explicit TensorCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The tensor of this key: from the disk, or by calling `compute` and keeping what it returns. ShapeError when that
  /// has another shape or dtype than announced (which is what a file is checked against before anything is allocated).
  Tensor get(const CacheKey& key, const Shape& shape, DType dtype, const std::function<Tensor()>& compute) const;

  /// Where the tensor of this key lies, or would lie.
  std::filesystem::path path(const CacheKey& key) const;

  struct Statistics {
    std::int64_t read = 0;       ///< taken from the disk
    std::int64_t computed = 0;   ///< not there, or not to be trusted
    std::int64_t rejected = 0;   ///< there, but not to be trusted
    std::int64_t unwritten = 0;  ///< computed, but could not be stored
  };
  Statistics statistics() const;

 private:
  struct Counters {
    std::atomic<std::int64_t> read{0}, computed{0}, rejected{0}, unwritten{0};
  };
  std::filesystem::path folder_;
  std::shared_ptr<Counters> counters_ = std::make_shared<Counters>();  // copies count together
};

}  // namespace atto
