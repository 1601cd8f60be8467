// The edits of a graph. Each walks the nodes in order and lists the edges into each, so the new list is in canonical
// order.

#include <utility>

#include "graph/graph.hpp"

namespace atto {
namespace {

constexpr std::int32_t kNone = -1;

}  // namespace

// Collects the edges into node 0, then those into node 1, and so on.
class GraphEditor {
 public:
  explicit GraphEditor(const Graph& graph) : graph_(graph) {
    offsets_.reserve(static_cast<std::size_t>(graph.num_dst()) + 1);
    src_.reserve(static_cast<std::size_t>(graph.num_edges()));
    edge_map_.reserve(static_cast<std::size_t>(graph.num_edges()));
  }
  void add(std::int32_t from, std::int32_t origin) {
    src_.push_back(from);
    edge_map_.push_back(origin);
  }
  void end_of_node() { offsets_.push_back(Graph::checked_index(static_cast<std::int64_t>(src_.size()), "edges")); }

  GraphEdit finish() {
    std::vector<std::int32_t> order(edge_map_);
    for (std::int32_t& edge : order)
      if (edge != kNone) edge = graph_.edge_order()[edge];
    return {Graph::from_canonical(graph_.num_src(), graph_.is_square(), std::move(offsets_), std::move(src_),
                                  std::move(order)),
            std::move(edge_map_)};
  }

 private:
  const Graph& graph_;
  std::vector<std::int32_t> offsets_{0}, src_, edge_map_;
};

GraphEdit Graph::with_self_loops() const {
  require_square("with_self_loops");
  GraphEditor editor(*this);
  for (std::int32_t i = 0; i < num_dst(); ++i) {
    bool has_loop = false;
    for (std::int32_t e = in_offsets()[i]; e < in_offsets()[i + 1]; ++e) {
      has_loop = has_loop || in_src()[e] == i;
      editor.add(in_src()[e], e);
    }
    if (!has_loop) editor.add(i, kNone);
    editor.end_of_node();
  }
  return editor.finish();
}

GraphEdit Graph::with_one_self_loop() const {
  require_square("with_one_self_loop");
  GraphEditor editor(*this);
  for (std::int32_t i = 0; i < num_dst(); ++i) {
    for (std::int32_t e = in_offsets()[i]; e < in_offsets()[i + 1]; ++e)
      if (in_src()[e] != i) editor.add(in_src()[e], e);
    editor.add(i, kNone);
    editor.end_of_node();
  }
  return editor.finish();
}

GraphEdit Graph::without_self_loops() const {
  require_square("without_self_loops");
  GraphEditor editor(*this);
  for (std::int32_t i = 0; i < num_dst(); ++i) {
    for (std::int32_t e = in_offsets()[i]; e < in_offsets()[i + 1]; ++e)
      if (in_src()[e] != i) editor.add(in_src()[e], e);
    editor.end_of_node();
  }
  return editor.finish();
}

GraphEdit Graph::coalesced() const {
  return merged(false);
}

GraphEdit Graph::undirected() const {
  require_square("undirected");
  return merged(true);
}

GraphEdit Graph::merged(bool with_reverse) const {
  GraphEditor editor(*this);
  std::vector<std::int32_t> seen_by(static_cast<std::size_t>(num_src()),
                                    kNone);  // last destination that saw this source
  for (std::int32_t i = 0; i < num_dst(); ++i) {
    const auto add_once = [&](std::int32_t j, std::int32_t edge) {
      if (seen_by[j] == i) return;
      seen_by[j] = i;
      editor.add(j, edge);
    };
    for (std::int32_t e = in_offsets()[i]; e < in_offsets()[i + 1]; ++e) add_once(in_src()[e], e);
    if (with_reverse)
      for (std::int32_t k = out_offsets()[i]; k < out_offsets()[i + 1]; ++k) add_once(out_dst()[k], out_edge()[k]);
    editor.end_of_node();
  }
  return editor.finish();
}

}  // namespace atto
