#pragma once
// Keys and values of the tokens that a model has read, so that a further token costs one row and not all of them.

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "autograd/var.hpp"
#include "graph/ragged.hpp"
#include "graph/support.hpp"

namespace atto {

/// A cache for some sequences and all layers of a model. Every sequence has a range of rows of its own, of which the
/// first are in use; the support that extend() returns has the unused ones as segments without queries, so new rows are
/// written where they belong and nothing is moved. A range that is full is doubled.
///
///     KeyValueCache cache(layers, sequences);
///     const Support support = cache.extend(fresh);                      // how many new tokens each sequence has
///     attention({.query = x, .cache = &cache.layer(i)}, support);       // for every layer i, new rows alone
///
/// Not for training: what a cache gives back is cut off from the tape.
class KeyValueCache {
 public:
  class Layer {
   public:
    /// Writes the new rows [n,G,D] to their places and returns all rows [capacity,G,D], of which the support names
    /// those in use. StateError while gradients are recorded, ShapeError for rows that extend() did not announce.
    Var keys(const Var& fresh) { return put(keys_, fresh); }
    Var values(const Var& fresh) { return put(values_, fresh); }

   private:
    friend class KeyValueCache;
    explicit Layer(const KeyValueCache& owner) : owner_(owner) {}
    Var put(Tensor& all, const Var& fresh) const;

    const KeyValueCache& owner_;
    Tensor keys_, values_;
  };

  KeyValueCache(std::int64_t layers, std::int64_t sequences);
  KeyValueCache(const KeyValueCache&) = delete;
  KeyValueCache& operator=(const KeyValueCache&) = delete;

  /// Announces fresh.size(s) new tokens of sequence s and makes room for them. The support is causal: its queries are
  /// the new tokens, its keys all tokens so far. ShapeError when the number of segments is not that of the sequences.
  Support extend(const Ragged& fresh);
  /// Undoes the last extend() after a step that failed, whatever of it was written.
  void take_back(const Ragged& fresh);

  std::int64_t layers() const noexcept { return static_cast<std::int64_t>(layers_.size()); }
  Layer& layer(std::int64_t index) { return layers_[static_cast<std::size_t>(index)]; }
  std::int64_t sequences() const noexcept { return static_cast<std::int64_t>(lengths_.size()); }
  /// Tokens of a sequence so far.
  std::int64_t length(std::int64_t sequence) const { return lengths_[static_cast<std::size_t>(sequence)]; }

 private:
  void grow(const std::vector<std::int64_t>& needed);
  std::int64_t capacity() const noexcept { return begins_.back(); }

  std::deque<Layer> layers_;
  std::vector<std::int64_t> lengths_;  // per sequence
  std::vector<std::int64_t> begins_;   // of the range of each sequence, and the total
  std::vector<std::int64_t> places_;   // of the rows announced last
};

}  // namespace atto
