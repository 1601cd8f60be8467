#pragma once
// Where a transformer layer lets adapters in.

#include <array>
#include <functional>
#include <memory>

#include "nn/attention/graph_attention.hpp"
#include "nn/module.hpp"

namespace atto {

/// Points on the way through a transformer layer.
enum class Station {
  after_attention,      ///< the residual stream with the attention's result added
  before_feed_forward,  ///< what the feed-forward network reads: the stream, normed where the layer norms first
  after_feed_forward,   ///< the residual stream with the feed-forward network's result added
};

/// Offered by every layer that consists of an attention and a feed-forward network:
///
///     h = socket_->pass(Station::after_attention, h + attention(norm(h)));
class LayerSocket final : public Socket {
 public:
  GraphAttention* attention = nullptr;  ///< of the layer; valid while the layer lives
  std::function<Var(const Var&)> norm;  ///< the norm before the feed-forward network; empty where there is none
  std::array<std::function<Var(const Var&)>, 3> edits;  ///< by station; empty: nothing happens there

  Var pass(Station station, const Var& x) const {
    const auto& edit = edits[static_cast<std::size_t>(station)];
    return edit ? edit(x) : x;
  }
  bool in_use() const noexcept { return edits[0] || edits[1] || edits[2]; }
  std::function<Var(const Var&)>& at(Station station) { return edits[static_cast<std::size_t>(station)]; }
};

}  // namespace atto
