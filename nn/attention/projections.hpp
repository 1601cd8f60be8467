#pragma once
// From nodes to queries, keys and values.

#include <cstdint>
#include <optional>

#include "graph/support.hpp"
#include "nn/attention/attention_options.hpp"
#include "nn/layers/linear.hpp"
#include "nn/module.hpp"

namespace atto {

/// The linear maps before an attention: q = W_q x, k = W_k source, v = W_v value, split into heads, queries and keys
/// turned by their places where the options say so, and keys and values behind those of a cache. Options of one matrix
/// apply it once. A normaliser of several maps gets queries and keys for each.
class Projections : public Module {
 public:
  /// `options` are complete and outlive this. ValueError when the normaliser wants more maps than they can give.
  Projections(const Scope& scope, const AttentionOptions& options, const SlotModule& normaliser);

  /// query [N_dst,maps H,D], key [N_src,maps G,D] and value [N_src,G,D], G the heads of keys; what is one projection
  /// stays one value. ShapeError for inputs that are not those of the support.
  EdgeView operator()(const AttentionInputs& inputs, const Support& support) const;

  bool value_is_key() const noexcept;
  /// Of a further linear map of the attention: same bias and initial values, those of the queries with `same_start`.
  LinearOptions linear_options(std::int64_t in, std::int64_t out) const;

 private:
  const AttentionOptions& options_;
  std::int64_t maps_;
  std::optional<Linear> query_, key_, value_;
};

}  // namespace atto
