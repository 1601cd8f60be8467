#pragma once
// Rotary positions for an attention: frequencies, and a table of their angles that grows as sequences do.

#include <cstdint>
#include <memory>

#include "autograd/var.hpp"
#include "graph/ragged.hpp"
#include "ops/rotary/rotary.hpp"

namespace atto {

struct RotaryOptions {
  double theta = 10000;
  RotaryPairs pairs = RotaryPairs::half_split;
  RotaryScaling scaling = {};
};

/// Turns the rows of queries and keys by their positions (ops/rotary). A handle: copies share one table of angles,
/// which holds the positions asked for so far, so the layers of a model that are built from one options struct share
/// it.
class RotaryEmbedding {
 public:
  /// `width` is that of a head, D. ValueError as rotary_frequencies().
  explicit RotaryEmbedding(std::int64_t width, const RotaryOptions& options = {});
  /// x[N,H,D], positions int64 [N], all below `count` -> [N,H,D].
  Var operator()(const Var& x, const Tensor& positions, std::int64_t count) const;

  std::int64_t width() const;
  const RotaryOptions& options() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// int64 [keys.total()]: the place of every key in its segment.
Tensor key_positions(const Ragged& keys);
/// int64 [queries.total()]: the same for queries, which are the last ones where a segment has more keys than queries.
Tensor query_positions(const Ragged& queries, const Ragged& keys);

}  // namespace atto
