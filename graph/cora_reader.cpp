#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/error.hpp"
#include "graph/readers.hpp"
#include "graph/text_file.hpp"

namespace atto {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostClasses = std::int64_t{1} << 16;
constexpr std::int64_t kMostFeatures = std::int64_t{1} << 28;  // numbers in the feature matrix: 1 GiB

std::vector<std::int64_t> read_classes(const fs::path& path) {
  TextFile file(path);
  std::vector<std::int64_t> classes;
  while (file.next_line()) classes.push_back(file.integer("class", 0, kMostClasses - 1));
  if (std::ssize(classes) > std::numeric_limits<std::int32_t>::max()) file.fail_whole("more than 2^31 - 1 nodes");
  return classes;
}

Graph read_edges(const fs::path& path, std::int64_t nodes) {
  TextFile file(path);
  std::vector<std::int32_t> src, dst;
  while (file.next_line()) {
    src.push_back(static_cast<std::int32_t>(file.integer("node", 0, nodes - 1)));
    dst.push_back(static_cast<std::int32_t>(file.integer("node", 0, nodes - 1)));
  }
  if (std::ssize(src) > std::numeric_limits<std::int32_t>::max() / 2) file.fail_whole("more than 2^30 edges");
  return Graph::from_edges(nodes, src, dst).without_self_loops().graph.undirected().graph;
}

Tensor read_columns(const fs::path& path, std::int64_t nodes) {
  TextFile file(path, TextFile::BlankEnd::counted);  // the last nodes may have no features
  file.expect_line("'nodes features'");
  const std::int64_t rows = file.integer("number of nodes"), columns = file.integer("number of features", 1);
  if (rows != nodes) file.fail(fmt::format("{} nodes, but labels.txt has {}", rows, nodes));
  if (nodes > 0 && columns > kMostFeatures / nodes)
    file.fail(fmt::format("{} x {} features are more than memory is good for", rows, columns));
  // All lines are read before anything as large as the header says is allocated.
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < nodes; ++i) {
    file.expect_line("a line of features");
    while (!file.line_ended()) places.push_back(i * columns + file.integer("feature", 0, columns - 1));
  }
  while (file.next_line())
    if (!file.line_ended()) file.fail(fmt::format("more lines than the {} nodes", nodes));
  const Tensor x = Tensor::zeros({nodes, columns});
  for (const std::int64_t place : places) x.data<float>()[place] = 1;
  return x;
}

Split read_split(const fs::path& path, std::int64_t nodes) {
  TextFile file(path);
  Split split;
  while (file.next_line()) {
    const std::string part(file.word("train, val or test"));
    std::vector<std::int64_t>* items = part == "train"  ? &split.train
                                       : part == "val"  ? &split.valid
                                       : part == "test" ? &split.test
                                                        : nullptr;
    if (!items) file.fail("expected a line that begins with train, val or test");
    if (!items->empty()) file.fail("a second line for " + part);
    while (!file.line_ended()) items->push_back(file.integer("node", 0, nodes - 1));
    std::ranges::sort(*items);
  }
  try {
    check_split(split, nodes, "split");
  } catch (const Error& error) {
    throw FileError(path.string(), {}, error.what());
  }
  return split;
}

}  // namespace

Dataset read_cora(const fs::path& folder) {
  const std::vector<std::int64_t> classes = read_classes(folder / "labels.txt");
  const std::int64_t nodes = std::ssize(classes);
  Dataset dataset;
  dataset.name = folder.filename().empty() ? folder.parent_path().filename().string() : folder.filename().string();
  dataset.task = Task::node_classification;
  dataset.num_outputs = classes.empty() ? 0 : std::ranges::max(classes) + 1;
  const Tensor x = read_columns(folder / "features_sparse.txt", nodes);
  dataset.node_features = {.kind = Features::Kind::real, .width = x.size(1)};
  dataset.samples.push_back(
      {.graph = read_edges(folder / "edges.txt", nodes), .x = x, .edge_attr = {}, .y = Tensor::from(classes)});
  dataset.node_split = read_split(folder / "split.txt", nodes);
  return dataset;
}

}  // namespace atto
