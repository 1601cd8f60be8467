// Work on each node of several graphs, small and large ones mixed, shared out evenly over the threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "core/parallel.hpp"
#include "graph/graph.hpp"

namespace atto {

/// Calls f(g, begin, end) for ranges of nodes that together cover every graph once, in parallel. `work_per_node(graph)`
/// counts elementary operations per node; a range holds about a million of them, and a multiple of 64 nodes unless it
/// ends its graph. Ranges depend on the graphs alone.
template <class Work, class F>
void parallel_nodes(std::span<const Graph> graphs, Work work_per_node, F f) {
  struct Range {
    std::int64_t g, begin, end;
  };
  constexpr std::int64_t kRangeWork = std::int64_t{1} << 20;
  std::vector<Range> ranges;
  double work = 0;
  for (std::int64_t g = 0; g < std::ssize(graphs); ++g) {
    const std::int64_t n = graphs[g].num_nodes(), per_node = std::max<std::int64_t>(1, work_per_node(graphs[g]));
    const std::int64_t step = std::max<std::int64_t>(1, kRangeWork / per_node / 64) * 64;
    for (std::int64_t begin = 0; begin < n; begin += step) ranges.push_back({g, begin, std::min(n, begin + step)});
    work += static_cast<double>(n) * static_cast<double>(per_node);
  }
  const auto mean_work = static_cast<std::int64_t>(work / static_cast<double>(std::max<std::size_t>(1, ranges.size())));
  parallel_for(std::ssize(ranges), mean_work, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t r = first; r < last; ++r) f(ranges[r].g, ranges[r].begin, ranges[r].end);
  });
}

}  // namespace atto
