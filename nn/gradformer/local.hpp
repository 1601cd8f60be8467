#pragma once
// The message-passing branch of a graph transformer layer, chosen by name.

#include <memory>
#include <string_view>

#include "nn/conv/gated_gcn_conv.hpp"
#include "nn/gradformer/batch.hpp"

namespace atto {

enum class Local { none, gcn, gin, gine, gatedgcn, gat, gatv2 };
std::string_view name_of(Local local);
/// ValueError listing the names when there is no such branch.
Local local(std::string_view name);
/// Whether the convolution reads edge features.
bool reads_edges(Local local);

struct LocalOptions {
  std::int64_t channels = 64;
  std::int64_t heads = 4;   ///< of gat and gatv2
  double dropout = 0;       ///< of gatedgcn's own dropout, and of the weights of gat and gatv2
  bool edge_state = false;  ///< gatedgcn passes its edge state on
};

/// One convolution of any kind behind one interface: x [N,d], e [E,d] -> x' [N,d], and e' where there is an edge state.
class LocalConv {
 public:
  virtual ~LocalConv() = default;
  virtual NodesAndEdges operator()(const Var& x, const Batch& batch, const EdgeRows& e) const = 0;
};

/// Null for Local::none.
std::unique_ptr<LocalConv> make_local(Local local, const Scope& scope, const LocalOptions& options);

}  // namespace atto
