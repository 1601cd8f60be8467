#include "graph/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "graph/rows.hpp"

namespace atto {
namespace {

// One feature tensor of one sample against its description.
void check_features(const std::string& where, const Tensor& values, const Features& features, std::int64_t rows) {
  const auto wrong = [&](const std::string& expected) {
    throw ShapeError({.op = "Dataset", .argument = where, .got = values.str(), .expected = expected});
  };
  switch (features.kind) {
    case Features::Kind::none:
      if (values.defined()) wrong("no features");
      return;
    case Features::Kind::real:
      if (!values.defined() || values.dtype() != DType::float32 || values.shape() != Shape{rows, features.width})
        wrong("float32" + Shape{rows, features.width}.str());
      return;
    case Features::Kind::category:
      if (!values.defined() || values.dtype() != DType::int64 || values.shape() != Shape{rows})
        wrong("int64" + Shape{rows}.str());
      for (const std::int64_t category : values.values<std::int64_t>())
        if (category < 0 || category >= features.width)
          throw ValueError({.op = "Dataset",
                            .argument = where,
                            .got = fmt::format("category {}", category),
                            .expected = fmt::format("0 to {}", features.width - 1)});
  }
}

std::string text_of(const Features& features) {
  switch (features.kind) {
    case Features::Kind::none:
      return "none";
    case Features::Kind::real:
      return fmt::format("{} real", features.width);
    case Features::Kind::category:
      return fmt::format("{} categories", features.width);
  }
  return "?";
}

}  // namespace

const char* name_of(Task task) {
  switch (task) {
    case Task::graph_classification:
      return "graph classification";
    case Task::graph_regression:
      return "graph regression";
    case Task::node_classification:
      return "node classification";
  }
  return "?";
}

std::vector<std::int64_t> Dataset::labels() const {
  std::vector<std::int64_t> labels;
  if (task == Task::graph_classification)
    for (const GraphSample& sample : samples) labels.push_back(sample.y.values<std::int64_t>()[0]);
  return labels;
}

void Dataset::check() const {
  for (std::int64_t s = 0; s < size(); ++s) {
    const GraphSample& sample = samples[s];
    const auto where = [&](const char* part) { return fmt::format("{} of sample {}", part, s); };
    check_features(where("x"), sample.x, node_features, sample.graph.num_nodes());
    check_features(where("edge_attr"), sample.edge_attr, edge_features, sample.graph.num_edges());
    if (task == Task::graph_regression) check_features(where("y"), sample.y, {Features::Kind::real, num_outputs}, 1);
    else
      check_features(where("y"), sample.y, {Features::Kind::category, num_outputs},
                     task == Task::node_classification ? sample.graph.num_nodes() : 1);
  }
  if (split) check_split(*split, size(), name + ": split");
  if (node_split && size() != 1)
    throw ValueError(
        {.op = "Dataset", .argument = "node_split", .got = fmt::format("{} graphs", size()), .expected = "one graph"});
  if (node_split) check_split(*node_split, samples[0].graph.num_nodes(), name + ": node_split");
}

std::string Dataset::describe() const {
  std::int64_t nodes = 0, edges = 0, largest = 0;
  std::vector<std::int64_t> members(task == Task::graph_regression ? 0 : static_cast<std::size_t>(num_outputs), 0);
  for (const GraphSample& sample : samples) {
    nodes += sample.graph.num_nodes();
    edges += sample.graph.num_edges();
    largest = std::max(largest, sample.graph.num_nodes());
    if (!members.empty())
      for (const std::int64_t label : sample.y.values<std::int64_t>()) ++members[label];
  }
  const double count = std::max<double>(1, static_cast<double>(size()));
  std::string text = fmt::format("{}: {}, {} graph{}, mean {:.2f} nodes (largest {}) and {:.2f} edges\n", name,
                                 name_of(task), size(), size() == 1 ? "" : "s", static_cast<double>(nodes) / count,
                                 largest, static_cast<double>(edges) / count);
  text += fmt::format("  features of nodes: {}, of edges: {}\n", text_of(node_features), text_of(edge_features));
  if (members.empty()) return text + fmt::format("  outputs: {}\n", num_outputs);
  return text + fmt::format("  classes: {} ({})\n", num_outputs, fmt::join(members, "/"));
}

SampleBatch collate(const Dataset& dataset, std::span<const std::int64_t> chosen) {
  std::vector<Graph> graphs;
  std::vector<Tensor> x, edge_attr, y;
  for (const std::int64_t s : chosen) {
    if (s < 0 || s >= dataset.size())
      throw IndexError({.op = "collate",
                        .argument = "chosen",
                        .got = std::to_string(s),
                        .expected = fmt::format("one of {} samples", dataset.size())});
    const GraphSample& sample = dataset.samples[s];
    graphs.push_back(sample.graph);
    x.push_back(sample.x);
    edge_attr.push_back(sample.edge_attr);
    y.push_back(sample.y);
  }
  return {.graphs = GraphBatch(graphs),
          .x = concatenate_rows(x),
          .edge_attr = concatenate_rows(edge_attr),
          .y = concatenate_rows(y)};
}

Tensor one_hot(const Tensor& categories, std::int64_t width) {
  const std::span<const std::int64_t> values = categories.values<std::int64_t>();
  const Tensor result = Tensor::zeros({std::ssize(values), width});
  float* row = result.data<float>();
  for (const std::int64_t category : values) {
    if (category < 0 || category >= width)
      throw IndexError({.op = "one_hot",
                        .argument = "categories",
                        .got = std::to_string(category),
                        .expected = fmt::format("0 to {}", width - 1)});
    row[category] = 1;
    row += width;
  }
  return result;
}

}  // namespace atto
