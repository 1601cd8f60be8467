#include "graph/components.hpp"

#include <algorithm>
#include <span>

namespace atto {
namespace {

Tensor lengths(std::span<const std::int32_t> offsets) {
  const Tensor result = Tensor::empty({std::ssize(offsets) - 1}, DType::int64);
  for (std::int64_t i = 0; i + 1 < std::ssize(offsets); ++i)
    result.data<std::int64_t>()[i] = offsets[i + 1] - offsets[i];
  return result;
}

}  // namespace

Tensor in_degrees(const Graph& graph) {
  return lengths(graph.in_offsets());
}

Tensor out_degrees(const Graph& graph) {
  return lengths(graph.out_offsets());
}

std::int64_t count_self_loops(const Graph& graph) {
  std::int64_t loops = 0;
  for (std::int64_t e = 0; e < graph.num_edges(); ++e) loops += graph.in_src()[e] == graph.edge_dst()[e] ? 1 : 0;
  return loops;
}

bool is_symmetric(const Graph& graph) {
  std::vector<std::int32_t> sends_to(static_cast<std::size_t>(graph.num_nodes()), -1);  // the last i that j sends to
  for (std::int32_t i = 0; i < graph.num_nodes(); ++i) {
    for (std::int32_t e = graph.in_offsets()[i]; e < graph.in_offsets()[i + 1]; ++e) sends_to[graph.in_src()[e]] = i;
    for (std::int32_t k = graph.out_offsets()[i]; k < graph.out_offsets()[i + 1]; ++k)
      if (sends_to[graph.out_dst()[k]] != i) return false;
  }
  return true;
}

std::vector<std::int32_t> components(const Graph& graph) {
  std::vector<std::int32_t> component(static_cast<std::size_t>(graph.num_nodes()), -1), stack;
  std::int32_t count = 0;
  for (std::int32_t start = 0; start < graph.num_nodes(); ++start) {
    if (component[start] >= 0) continue;
    component[start] = count;
    stack.push_back(start);
    while (!stack.empty()) {
      const std::int32_t i = stack.back();
      stack.pop_back();
      const auto visit = [&](std::int32_t j) {
        if (component[j] >= 0) return;
        component[j] = count;
        stack.push_back(j);
      };
      for (std::int32_t e = graph.in_offsets()[i]; e < graph.in_offsets()[i + 1]; ++e) visit(graph.in_src()[e]);
      for (std::int32_t k = graph.out_offsets()[i]; k < graph.out_offsets()[i + 1]; ++k) visit(graph.out_dst()[k]);
    }
    ++count;
  }
  return component;
}

std::int64_t count_components(const Graph& graph) {
  const std::vector<std::int32_t> component = components(graph);
  return component.empty() ? 0 : *std::max_element(component.begin(), component.end()) + 1;
}

}  // namespace atto
