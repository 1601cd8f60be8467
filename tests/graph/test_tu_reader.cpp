#include <cmath>

#include "graph/components.hpp"
#include "graph/readers.hpp"
#include "tests/graph/hostile_files.hpp"
#include "tests/support/data.hpp"
#include "tests/support/errors.hpp"

using namespace atto;
using test::FileSet;

namespace {

// Three graphs: a triangle (one edge twice, a self-loop), a graph without edges, and a pair. Lines of _A are not
// sorted.
const FileSet kSmall{
    {"toy_A.txt", "1, 2\n5, 6\n2, 1\n2, 3\n3, 2\n1, 3\n3, 1\n2, 2\n1, 2\n6, 5\n"},
    {"toy_graph_indicator.txt", "1\n1\n1\n2\n3\n3\n"},
    {"toy_graph_labels.txt", "1\n-1\n1\n"},
    {"toy_node_labels.txt", "3\n5\n3\n4\n3\n3\n"},
    {"toy_edge_labels.txt", "10\n11\n10\n12\n12\n10\n10\n13\n11\n11\n"},
    {"toy_node_attributes.txt", "0.5, 1\n1, 1e2\n-2, 0\n3,3\n4,4\n5,5\n"},
};

Dataset read(const FileSet& files, const TuOptions& options = {}) {
  const test::TemporaryFolder folder;
  test::write_files(folder.path(), files);
  Dataset dataset = read_tu(folder.path(), options);
  dataset.check();
  return dataset;
}

FileSet with(FileSet files, const std::string& name, const std::string& content) {
  files[name] = content;
  return files;
}

FileSet without(FileSet files, const std::string& name) {
  files.erase(name);
  return files;
}

}  // namespace

TEST_CASE("A TU data set is read by its rules", "[graph]") {
  const Dataset toy = read(kSmall);
  CHECK(toy.name == "toy");
  CHECK(toy.task == Task::graph_classification);
  CHECK(toy.num_outputs == 2);
  CHECK(toy.labels() == std::vector<std::int64_t>{1, 0, 1});
  REQUIRE(toy.size() == 3);
  CHECK(toy.samples[0].graph == Graph::from_edges(3, {{1, 0}, {2, 0}, {0, 1}, {2, 1}, {1, 2}, {0, 2}}));
  CHECK(toy.samples[1].graph == Graph::from_edges(1, {}));
  CHECK(toy.samples[2].graph == Graph::from_edges(2, {{0, 1}, {1, 0}}));
  CHECK(toy.node_features.width == 3);
  CHECK(bit_equal(toy.samples[0].x, Tensor::from<float>({1, 0, 0, 0, 0, 1, 1, 0, 0}, {3, 3})));
  CHECK(bit_equal(toy.samples[1].x, Tensor::from<float>({0, 1, 0}, {1, 3})));
  // Categories 0..3 with the label of the first of the two edges 1 -> 2, in canonical order.
  CHECK(toy.edge_features.kind == Features::Kind::category);
  CHECK(toy.edge_features.width == 4);
  CHECK(bit_equal(toy.samples[0].edge_attr, Tensor::from<std::int64_t>({0, 0, 0, 2, 2, 0}, {6})));
  CHECK(bit_equal(toy.samples[2].edge_attr, Tensor::from<std::int64_t>({1, 1}, {2})));
  CHECK(toy.describe() ==
        "toy: graph classification, 3 graphs, mean 2.00 nodes (largest 3) and 2.67 edges\n"
        "  features of nodes: 3 real, of edges: 4 categories\n"
        "  classes: 2 (1/2)\n");
}

TEST_CASE("TU labels as categories, and attributes on request", "[graph]") {
  const Dataset categories = read(kSmall, {.one_hot = false});
  CHECK(categories.node_features.kind == Features::Kind::category);
  CHECK(bit_equal(categories.samples[0].x, Tensor::from<std::int64_t>({0, 2, 0}, {3})));
  const Dataset attributes = read(kSmall, {.node_attributes = true});
  CHECK(bit_equal(attributes.samples[0].x,
                  Tensor::from<float>({.5, 1, 1, 0, 0, 1, 100, 0, 0, 1, -2, 0, 1, 0, 0}, {3, 5})));
  const Dataset alone = read(without(kSmall, "toy_node_labels.txt"), {.node_attributes = true});
  CHECK(bit_equal(alone.samples[1].x, Tensor::from<float>({3, 3}, {1, 2})));
  const FileSet edges = with(kSmall, "toy_edge_attributes.txt", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  const Dataset both = read(edges, {.edge_attributes = true});
  CHECK(bit_equal(both.samples[2].edge_attr, Tensor::from<float>({9, 0, 1, 0, 0, 1, 0, 1, 0, 0}, {2, 5})));
  const Dataset two = read(with(kSmall, "toy_node_labels.txt", "0 1\n1 1\n0 1\n0 1\n0 2\n0 1\n"));
  CHECK(bit_equal(two.samples[2].x, Tensor::from<float>({1, 0, 0, 1, 1, 0, 1, 0}, {2, 4})));
  CHECK_THROWS_AS(read(kSmall, {.edge_attributes = true}), FileError);
}

TEST_CASE("A TU data set without node labels gets degrees", "[graph]") {
  const FileSet files = without(kSmall, "toy_node_labels.txt");
  const Dataset toy = read(files);
  CHECK(toy.node_features.width == 3);
  CHECK(bit_equal(toy.samples[0].x, Tensor::from<float>({0, 0, 1, 0, 0, 1, 0, 0, 1}, {3, 3})));
  CHECK(bit_equal(toy.samples[1].x, Tensor::from<float>({1, 0, 0}, {1, 3})));
  CHECK(bit_equal(read(files, {.one_hot = false}).samples[2].x, Tensor::from<std::int64_t>({1, 1}, {2})));

  // A hub of 1000 edges out: one column, mean 0, deviation 1.
  FileSet hub{{"hub_A.txt", ""}, {"hub_graph_indicator.txt", "1\n"}, {"hub_graph_labels.txt", "0\n"}};
  for (int i = 2; i <= 1001; ++i) {
    hub["hub_A.txt"] += "1, " + std::to_string(i) + "\n";
    hub["hub_graph_indicator.txt"] += "1\n";
  }
  const Dataset standardised = read(hub);
  REQUIRE(standardised.node_features.width == 1);
  const auto x = standardised.samples[0].x.values<float>();
  double sum = 0, squares = 0;
  for (const float value : x) {
    sum += value;
    squares += double{value} * value;
  }
  CHECK(std::abs(sum) < 1e-3);
  CHECK(squares / 1000 == Approx(1).epsilon(1e-5));
  CHECK(x[0] == Approx((1000 - 1000. / 1001) / std::sqrt(1000. * 1000 / 1001)).epsilon(1e-5));
}

TEST_CASE("Graph attributes are the targets where there are no labels", "[graph]") {
  const FileSet files =
      with(without(kSmall, "toy_graph_labels.txt"), "toy_graph_attributes.txt", "1.5, 2\n-1, 0\n0.25, 3\n");
  const Dataset toy = read(files);
  CHECK(toy.task == Task::graph_regression);
  CHECK(toy.num_outputs == 2);
  CHECK(bit_equal(toy.samples[2].y, Tensor::from<float>({.25, 3}, {1, 2})));
  CHECK(toy.labels().empty());
}

TEST_CASE("CR LF, blank lines at the end, blanks or commas, and other spellings of the same set", "[graph]") {
  FileSet files;
  for (const auto& [name, content] : kSmall) {
    std::string changed;
    for (const char c : content)
      changed += c == '\n' ? std::string("\r\n") : c == ',' ? std::string("\t") : std::string(1, c);
    files[name] = changed + "\r\n \n\n";
  }
  const Dataset a = read(kSmall), b = read(files);
  for (std::int64_t s = 0; s < a.size(); ++s) {
    CHECK(a.samples[s].graph == b.samples[s].graph);
    CHECK(bit_equal(a.samples[s].x, b.samples[s].x));
    CHECK(bit_equal(a.samples[s].edge_attr, b.samples[s].edge_attr));
  }
  FileSet unended = kSmall;
  unended["toy_A.txt"].pop_back();
  CHECK(read(unended).samples[2].graph == a.samples[2].graph);
}

TEST_CASE("Empty sets and graphs without nodes are read", "[graph]") {
  const Dataset none = read({{"e_A.txt", ""}, {"e_graph_indicator.txt", ""}, {"e_graph_labels.txt", ""}});
  CHECK(none.size() == 0);
  const Dataset gap =
      read({{"e_A.txt", "1,2\n"}, {"e_graph_indicator.txt", "2\n2\n"}, {"e_graph_labels.txt", "0\n1\n1\n"}});
  REQUIRE(gap.size() == 3);
  CHECK(gap.samples[0].graph.num_nodes() == 0);
  CHECK(gap.samples[1].graph.num_edges() == 1);
  CHECK(gap.samples[2].x.shape() == Shape{0, 2});
}

TEST_CASE("What is wrong with a TU data set is said with file, line and reason", "[graph]") {
  const auto says = [](const FileSet& files, const std::string& text, const TuOptions& options = {}) {
    CHECK_THAT_SAYS(FileError, read(files, options), text);
  };
  says(with(kSmall, "toy_A.txt", "1, 2\n1, 7\n"), "toy_A.txt: line 2: node 7 is outside 1..6");
  says(with(kSmall, "toy_A.txt", "0, 2\n"), "toy_A.txt: line 1: node 0 is outside 1..6");
  says(with(kSmall, "toy_A.txt", "1, -2\n"), "line 1: node -2 is outside 1..6");
  says(with(kSmall, "toy_A.txt", "1, 2\n\n1, 3\n"), "toy_A.txt: line 2: node is missing");
  says(with(kSmall, "toy_A.txt", "1\n"), "line 1: node is missing");
  says(with(kSmall, "toy_A.txt", "1, 2, 3\n"), "line 1: unexpected '3' at the end of the line");
  says(with(kSmall, "toy_A.txt", "1,, 2\n"), "line 1: a comma where node should be");
  says(with(kSmall, "toy_A.txt", "1, 2,\n"), "line 1: nothing after the last comma");
  says(with(kSmall, "toy_A.txt", "1, 2x\n"), "line 1: node '2x' is not an integer");
  says(with(kSmall, "toy_A.txt", "1, 99999999999999999999\n"),
       "line 1: node '99999999999999999999' does not fit 64 bits");
  says(with(kSmall, "toy_A.txt", "3, 4\n"), "line 1: an edge from node 3 of graph 1 to node 4 of graph 2");
  says(with(kSmall, "toy_graph_indicator.txt", "1\n2\n1\n3\n3\n3\n"),
       "toy_graph_indicator.txt: line 3: graph 1 after graph 2");
  says(with(kSmall, "toy_graph_indicator.txt", "1\n1\n4\n"),
       "toy_graph_indicator.txt: line 3: graph 4 is outside 1..3");
  says(with(kSmall, "toy_graph_labels.txt", "1\n0.5\n1\n"),
       "toy_graph_labels.txt: line 2: graph label '0.5' is not an integer");
  says(with(kSmall, "toy_graph_labels.txt", "1 2\n1 3\n1 1\n"),
       "toy_graph_labels.txt: 2 labels per graph, expected one");
  says(with(kSmall, "toy_node_labels.txt", "3\n5\n"), "toy_node_labels.txt: 2 lines, but there are 6 nodes");
  says(with(kSmall, "toy_node_labels.txt", "3\n5\n3\n4\n3\n3\n3\n"),
       "toy_node_labels.txt: line 7: more lines than there are nodes (6)");
  says(with(kSmall, "toy_node_labels.txt", "3\n5\n3 1\n4\n3\n3\n"),
       "toy_node_labels.txt: line 3: 2 numbers, the lines before have 1");
  says(with(kSmall, "toy_node_labels.txt", "3\n5\n3\n4\n3\n9000000000000000000\n"),
       "toy_node_labels.txt: labels from 3 to 9000000000000000000");
  says(with(kSmall, "toy_node_labels.txt", "-9223372036854775808\n5\n3\n4\n3\n9223372036854775807\n"),
       "more than 65536 categories");
  says(with(kSmall, "toy_edge_labels.txt", "1\n"), "toy_edge_labels.txt: 1 lines, but there are 10 edges");
  says(with(kSmall, "toy_node_attributes.txt", "0.5, nan\n"),
       "toy_node_attributes.txt: line 1: node 'nan' is not finite", {.node_attributes = true});
  says(with(kSmall, "toy_node_attributes.txt", "0.5, 1e39\n"), "too large for a float", {.node_attributes = true});
  says(with(kSmall, "toy_node_attributes.txt", "0.5, 1e999\n"), "too large or too small", {.node_attributes = true});
  says(without(kSmall, "toy_graph_labels.txt"), "toy_graph_labels.txt: cannot read");
  says(without(kSmall, "toy_graph_indicator.txt"), "toy_graph_indicator.txt: cannot read");
  says(without(kSmall, "toy_A.txt"), "no NAME_A.txt");
  says(with(kSmall, "other_A.txt", ""), "two data sets");
  CHECK_THAT_SAYS(FileError, read_tu("/nowhere"), "/nowhere: not a folder");
}

TEST_CASE("Damaged TU files are read or refused", "[graph][slow]") {
  test::attack(kSmall, 60,
               [](const std::filesystem::path& folder) { return read_tu(folder, {.node_attributes = true}); });
}

namespace {

struct Counts {
  std::string folder;
  std::int64_t graphs;
  std::vector<std::int64_t> classes;
  double nodes, undirected_edges;
  std::int64_t largest, features, isolated, disconnected;
};

}  // namespace

TEST_CASE("Published counts of TU data sets", "[graph][data]") {
  const auto data = test::data_folder();
  if (!data) return test::skip_data();
  const std::vector<Counts> sets{{"MUTAG", 188, {63, 125}, 17.93, 19.79, 28, 7, 0, 0},
                                 {"NCI1", 4110, {2053, 2057}, 29.87, 32.30, 111, 37, 428, 580},
                                 {"PROTEINS_full", 1113, {663, 450}, 39.06, 72.82, 620, 3, -1, 46},
                                 {"IMDB-BINARY", 1000, {500, 500}, 19.77, 96.53, -1, 136, 0, 0}};
  for (const Counts& expected : sets) {
    INFO(expected.folder);
    const Dataset dataset = read_dataset(*data / "tu" / expected.folder);
    dataset.check();
    CHECK(dataset.name == expected.folder);
    CHECK(dataset.size() == expected.graphs);
    std::int64_t nodes = 0, edges = 0, largest = 0, isolated = 0, disconnected = 0;
    std::vector<std::int64_t> classes(static_cast<std::size_t>(dataset.num_outputs), 0);
    for (const GraphSample& sample : dataset.samples) {
      const Graph& graph = sample.graph;
      REQUIRE(is_symmetric(graph));
      REQUIRE(count_self_loops(graph) == 0);
      REQUIRE(graph.coalesced().graph == graph);
      nodes += graph.num_nodes();
      edges += graph.num_edges();
      largest = std::max(largest, graph.num_nodes());
      disconnected += count_components(graph) > 1 ? 1 : 0;
      for (std::int64_t i = 0; i < graph.num_nodes(); ++i) isolated += graph.in_degree(i) == 0 ? 1 : 0;
      ++classes[sample.y.data<std::int64_t>()[0]];
    }
    const auto graphs = static_cast<double>(dataset.size());
    CHECK(classes == expected.classes);
    CHECK(static_cast<double>(nodes) / graphs == Approx(expected.nodes).margin(.005));
    CHECK(static_cast<double>(edges) / 2 / graphs == Approx(expected.undirected_edges).margin(.005));
    if (expected.largest >= 0) CHECK(largest == expected.largest);
    CHECK(dataset.node_features.width == expected.features);
    if (expected.isolated >= 0) CHECK(isolated == expected.isolated);
    CHECK(disconnected == expected.disconnected);
    if (expected.folder == "MUTAG") CHECK(dataset.edge_features.width == 4);
  }
}
