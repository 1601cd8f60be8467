#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/error.hpp"
#include "graph/folder.hpp"
#include "graph/readers.hpp"
#include "graph/rows.hpp"
#include "graph/text_file.hpp"

namespace atto {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostTypes = std::int64_t{1} << 16;
constexpr std::int64_t kLargestIndex = std::numeric_limits<std::int32_t>::max();

// A line of `count` numbers; where there are none, the end of the file will do for the line.
void begin_line(TextFile& file, std::int64_t count, const char* what) {
  if (count > 0) file.expect_line(what);
  else file.next_line();
}

// The molecule whose first line is the current one.
GraphSample read_molecule(TextFile& file) {
  const std::int64_t nodes = file.integer("number of atoms", 0, kLargestIndex),
                     edges = file.integer("number of bonds", 0, kLargestIndex);
  const float target = file.real("target");

  std::vector<std::int64_t> types, edge_types;
  begin_line(file, nodes, "a line of atom types");
  for (std::int64_t i = 0; i < nodes; ++i) types.push_back(file.integer("type of atom", 0, kMostTypes - 1));

  std::vector<std::int32_t> src, dst;
  begin_line(file, edges, "a line of bonds");
  for (std::int64_t e = 0; e < edges; ++e) {
    src.push_back(static_cast<std::int32_t>(file.integer("atom", 0, nodes - 1)));
    dst.push_back(static_cast<std::int32_t>(file.integer("atom", 0, nodes - 1)));
    edge_types.push_back(file.integer("type of bond", 0, kMostTypes - 1));
  }
  const Graph graph = Graph::from_edges(nodes, src, dst);
  return {.graph = graph,
          .x = Tensor::from(types),
          .edge_attr = take_rows(Tensor::from(edge_types), graph.edge_order()),
          .y = Tensor::from({target}, {1, 1})};
}

std::int64_t largest(const Tensor& categories) {
  std::int64_t most = -1;
  for (const std::int64_t category : categories.values<std::int64_t>()) most = std::max(most, category);
  return most;
}

}  // namespace

Dataset read_aqsol(const fs::path& folder) {
  require_folder(folder);
  Dataset dataset;
  dataset.name = folder.filename().empty() ? folder.parent_path().filename().string() : folder.filename().string();
  dataset.task = Task::graph_regression;
  dataset.num_outputs = 1;
  dataset.node_features.kind = dataset.edge_features.kind = Features::Kind::category;
  Split split;
  bool any = false;
  for (const auto& [name, part] :
       {std::pair{"train.txt", &split.train}, std::pair{"val.txt", &split.valid}, std::pair{"test.txt", &split.test}}) {
    if (!file_exists(folder / name)) continue;
    any = true;
    TextFile file(folder / name);
    while (file.next_line()) {
      part->push_back(dataset.size());
      dataset.samples.push_back(read_molecule(file));
      const GraphSample& sample = dataset.samples.back();
      dataset.node_features.width = std::max(dataset.node_features.width, largest(sample.x) + 1);
      dataset.edge_features.width = std::max(dataset.edge_features.width, largest(sample.edge_attr) + 1);
    }
  }
  if (!any) throw FileError(folder.string(), {}, "no train.txt, val.txt or test.txt");
  dataset.split = std::move(split);
  return dataset;
}

}  // namespace atto
