#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "core/error.hpp"
#include "graph/folder.hpp"
#include "graph/readers.hpp"
#include "graph/rows.hpp"
#include "graph/text_file.hpp"
#include "graph/tu_features.hpp"

namespace atto {
namespace {

namespace fs = std::filesystem;
using Indices = std::vector<std::int32_t>;
using Integers = std::vector<std::int64_t>;

constexpr std::int64_t kLargestIndex = std::numeric_limits<std::int32_t>::max();

// NAME of the one NAME_A.txt in the folder.
std::string name_in(const fs::path& folder) {
  const std::vector<std::string> files = names_ending(folder, "_A.txt");
  if (files.empty()) throw FileError(folder.string(), {}, "no NAME_A.txt");
  if (files.size() > 1) throw FileError(folder.string(), {}, "two data sets: " + files[0] + " and " + files[1]);
  return files[0].substr(0, files[0].size() - 6);
}

// The files of one data set.
struct Files {
  fs::path folder;
  std::string name;

  fs::path path(const char* part) const { return folder / fmt::format("{}_{}.txt", name, part); }
  bool has(const char* part) const { return file_exists(path(part)); }
  // Where there is such a file.
  std::optional<fs::path> maybe(const char* part) const { return wanted(part, has(part)); }
  // Where one is asked for; if it is missing, reading it will complain.
  std::optional<fs::path> wanted(const char* part, bool asked) const {
    return asked ? std::optional(path(part)) : std::nullopt;
  }
};

// The borders of the graphs among the nodes.
Integers read_indicator(const fs::path& path, std::int64_t graphs) {
  TextFile file(path);
  Integers first_node{0};
  std::int64_t nodes = 0;
  while (file.next_line()) {
    const std::int64_t graph = file.integer("graph", 1, graphs);
    if (graph < std::ssize(first_node))
      file.fail(fmt::format("graph {} after graph {}; the nodes of a graph must follow each other", graph,
                            first_node.size()));
    if (nodes == kLargestIndex) file.fail("more than 2^31 - 1 nodes");
    first_node.resize(static_cast<std::size_t>(graph), nodes);
    ++nodes;
  }
  first_node.resize(static_cast<std::size_t>(graphs) + 1, nodes);
  return first_node;
}

// Lines of _A.txt, sorted by graph; self-loops are gone.
struct Edges {
  std::int64_t lines = 0;
  Integers first_edge;  // [graphs + 1]
  Indices src, dst;     // within their graph
  Indices line;         // in the file, from 0
};

Edges read_edges(const fs::path& path, const Integers& first_node) {
  const std::int64_t nodes = first_node.back(), graphs = std::ssize(first_node) - 1;
  Indices graph_of(static_cast<std::size_t>(nodes));
  for (std::int64_t g = 0; g < graphs; ++g)
    std::fill(graph_of.begin() + first_node[g], graph_of.begin() + first_node[g + 1], static_cast<std::int32_t>(g));

  TextFile file(path);
  Edges edges;
  Indices src, dst;
  edges.first_edge.assign(static_cast<std::size_t>(graphs) + 1, 0);
  while (file.next_line()) {
    const std::int64_t from = file.integer("node", 1, nodes) - 1, to = file.integer("node", 1, nodes) - 1;
    if (graph_of[from] != graph_of[to])
      file.fail(fmt::format("an edge from node {} of graph {} to node {} of graph {}", from + 1, graph_of[from] + 1,
                            to + 1, graph_of[to] + 1));
    if (edges.lines == kLargestIndex) file.fail("more than 2^31 - 1 edges");
    ++edges.lines;
    src.push_back(static_cast<std::int32_t>(from));
    dst.push_back(static_cast<std::int32_t>(to));
    if (from != to) ++edges.first_edge[graph_of[from] + 1];
  }
  for (std::int64_t g = 0; g < graphs; ++g) edges.first_edge[g + 1] += edges.first_edge[g];
  for (Indices* column : {&edges.src, &edges.dst, &edges.line})
    column->resize(static_cast<std::size_t>(edges.first_edge.back()));
  Integers next = edges.first_edge;
  for (std::int64_t line = 0; line < edges.lines; ++line) {
    if (src[line] == dst[line]) continue;
    const std::int32_t g = graph_of[src[line]];
    const std::int64_t place = next[g]++;
    edges.src[place] = static_cast<std::int32_t>(src[line] - first_node[g]);
    edges.dst[place] = static_cast<std::int32_t>(dst[line] - first_node[g]);
    edges.line[place] = static_cast<std::int32_t>(line);
  }
  return edges;
}

// The graphs, and for every canonical edge of each the line that it comes from.
Indices build_graphs(const Edges& edges, const Integers& first_node, std::vector<GraphSample>& samples) {
  Indices line_of;
  for (std::int64_t g = 0; g + 1 < std::ssize(first_node); ++g) {
    const auto begin = static_cast<std::size_t>(edges.first_edge[g]),
               count = static_cast<std::size_t>(edges.first_edge[g + 1]) - begin;
    const Graph listed =
        Graph::from_edges(first_node[g + 1] - first_node[g], std::span(edges.src).subspan(begin, count),
                          std::span(edges.dst).subspan(begin, count));
    const Graph graph = listed.coalesced().graph;
    for (const std::int32_t edge : graph.edge_order())
      line_of.push_back(edges.line[begin + static_cast<std::size_t>(edge)]);
    samples.push_back({.graph = graph, .x = {}, .edge_attr = {}, .y = {}});
  }
  return line_of;
}

}  // namespace

Dataset read_tu(const fs::path& folder, const TuOptions& options) {
  require_folder(folder);
  const Files files{.folder = folder, .name = name_in(folder)};
  Dataset dataset;
  dataset.name = files.name;

  Tensor targets;
  std::int64_t graphs = 0;
  if (files.has("graph_labels") || !files.has("graph_attributes")) {
    const tu::Table<std::int64_t> labels = tu::read_table<std::int64_t>(files.path("graph_labels"), -1, "graph label");
    if (labels.columns > 1)
      throw FileError(files.path("graph_labels").string(), {},
                      fmt::format("{} labels per graph, expected one", labels.columns));
    Integers distinct = labels.values;
    std::ranges::sort(distinct);
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    Integers classes;
    for (const std::int64_t label : labels.values)
      classes.push_back(std::ranges::lower_bound(distinct, label) - distinct.begin());
    dataset.task = Task::graph_classification;
    dataset.num_outputs = std::ssize(distinct);
    targets = Tensor::from(classes);
    graphs = labels.rows;
  } else {
    const tu::Table<float> numbers = tu::read_table<float>(files.path("graph_attributes"), -1, "graph attribute");
    dataset.task = Task::graph_regression;
    dataset.num_outputs = numbers.columns;
    targets = Tensor::from(std::span(numbers.values), {numbers.rows, numbers.columns});
    graphs = numbers.rows;
  }

  const Integers first_node = read_indicator(files.path("graph_indicator"), graphs);
  const Edges edges = read_edges(files.path("A"), first_node);
  const Indices line_of = build_graphs(edges, first_node, dataset.samples);
  const std::int64_t nodes = first_node.back();
  tu::FeatureRows x = tu::read_features(
      {.labels = files.maybe("node_labels"), .attributes = files.wanted("node_attributes", options.node_attributes)},
      nodes, "node", options.one_hot);
  if (x.features.kind == Features::Kind::none)
    x = tu::degree_features(files.path("A"), dataset.samples, options.one_hot);
  tu::FeatureRows edge_attr = tu::read_features(
      {.labels = files.maybe("edge_labels"), .attributes = files.wanted("edge_attributes", options.edge_attributes)},
      edges.lines, "edge", false);
  edge_attr.values = take_rows(edge_attr.values, line_of);
  dataset.node_features = x.features;
  dataset.edge_features = edge_attr.features;

  // Samples are views of the three tensors.
  std::int64_t edge = 0;
  for (std::int64_t g = 0; g < graphs; ++g) {
    GraphSample& sample = dataset.samples[g];
    sample.x = x.values.rows(first_node[g], first_node[g + 1]);
    if (edge_attr.values.defined()) sample.edge_attr = edge_attr.values.rows(edge, edge + sample.graph.num_edges());
    edge += sample.graph.num_edges();
    sample.y = targets.rows(g, g + 1);
  }
  return dataset;
}

}  // namespace atto
