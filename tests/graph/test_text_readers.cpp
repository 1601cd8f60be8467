#include "graph/components.hpp"
#include "graph/readers.hpp"
#include "tests/graph/hostile_files.hpp"
#include "tests/support/data.hpp"
#include "tests/support/errors.hpp"

using namespace atto;
using test::FileSet;

namespace {

const FileSet kCora{{"labels.txt", "0\n2\n1\n2\n"},
                    {"edges.txt", "0 1\n1 2\n2 2\n1 0\n"},
                    {"features_sparse.txt", "4 3\n0 2\n\n1\n\n"},
                    {"split.txt", "train 0 1\nval 3\ntest 2\n"}};

const FileSet kAqSol{{"val.txt", "3 4 -1.5\n1 0 5\n1 2 3 0 1 1 2 1 3 1 0 1\n1 0 2e-1\n2\n\n"},
                     {"test.txt", "2 2 7\n0 0\n1 0 2 0 1 2\n1 0 3\n4\n\n"}};

template <class Read>
Dataset read_files(const FileSet& files, Read read) {
  const test::TemporaryFolder folder;
  test::write_files(folder.path(), files);
  Dataset dataset = read(folder.path());
  dataset.check();
  return dataset;
}

FileSet with(FileSet files, const std::string& name, const std::string& content) {
  files[name] = content;
  return files;
}

}  // namespace

TEST_CASE("The Cora form is read", "[graph]") {
  const Dataset cora = read_files(kCora, [](const auto& folder) { return read_dataset(folder); });
  CHECK(cora.task == Task::node_classification);
  CHECK(cora.num_outputs == 3);
  REQUIRE(cora.size() == 1);
  CHECK(cora.samples[0].graph == Graph::from_edges(4, {{1, 0}, {0, 1}, {2, 1}, {1, 2}}));
  CHECK(bit_equal(cora.samples[0].x, Tensor::from<float>({1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0}, {4, 3})));
  CHECK(bit_equal(cora.samples[0].y, Tensor::from<std::int64_t>({0, 2, 1, 2}, {4})));
  REQUIRE(cora.node_split);
  CHECK(cora.node_split->train == std::vector<std::int64_t>{0, 1});
  CHECK(cora.node_split->valid == std::vector<std::int64_t>{3});
  CHECK(cora.node_split->test == std::vector<std::int64_t>{2});
}

TEST_CASE("The AqSol form is read, with one vocabulary for all parts", "[graph]") {
  const Dataset aqsol = read_files(kAqSol, [](const auto& folder) { return read_dataset(folder); });
  CHECK(aqsol.task == Task::graph_regression);
  REQUIRE(aqsol.size() == 4);
  CHECK(aqsol.node_features.width == 6);
  CHECK(aqsol.edge_features.width == 4);
  CHECK(aqsol.samples[0].graph == Graph::from_edges(3, {{1, 0}, {0, 1}, {2, 1}, {1, 2}}));
  CHECK(bit_equal(aqsol.samples[0].x, Tensor::from<std::int64_t>({1, 0, 5}, {3})));
  CHECK(bit_equal(aqsol.samples[0].edge_attr, Tensor::from<std::int64_t>({1, 1, 3, 3}, {4})));
  CHECK(bit_equal(aqsol.samples[1].y, Tensor::from({.2f}, {1, 1})));
  CHECK(aqsol.samples[3].graph == Graph::from_edges(1, {}));
  REQUIRE(aqsol.split);
  CHECK(aqsol.split->train.empty());
  CHECK(aqsol.split->valid == std::vector<std::int64_t>{0, 1});
  CHECK(aqsol.split->test == std::vector<std::int64_t>{2, 3});
}

TEST_CASE("What is wrong with Cora files is said with file, line and reason", "[graph]") {
  const auto says = [](const char* file, const std::string& content, const std::string& text) {
    CHECK_THAT_SAYS(FileError, read_files(with(kCora, file, content), read_cora), text);
  };
  says("features_sparse.txt", "5 3\n", "features_sparse.txt: line 1: 5 nodes, but labels.txt has 4");
  says("features_sparse.txt", "4 1000000000000\n0\n0\n0\n0\n",
       "line 1: 4 x 1000000000000 features are more than memory is good for");
  says("features_sparse.txt", "4 3\n0 3\n", "line 2: feature 3 is outside 0..2");
  says("features_sparse.txt", "4 3\n0\n1\n", "line 4: the file ends where a line of features should be");
  says("features_sparse.txt", "4 3\n0\n1\n1\n1\n1\n", "line 6: more lines than the 4 nodes");
  says("features_sparse.txt", "", "line 1: the file ends where 'nodes features' should be");
  says("edges.txt", "0 4\n", "edges.txt: line 1: node 4 is outside 0..3");
  says("labels.txt", "0\n-1\n", "labels.txt: line 2: class -1 is outside 0..65535");
  says("split.txt", "train 0\nvalid 1\n", "split.txt: line 2: expected a line that begins with train, val or test");
  says("split.txt", "train 0 1\nval 1\n", "split.txt: split: valid: got item 1, which is in train already");
  says("split.txt", "train 0\ntrain 1\n", "split.txt: line 2: a second line for train");
}

TEST_CASE("What is wrong with AqSol files is said with file, line and reason", "[graph]") {
  const auto says = [](const std::string& content, const std::string& text) {
    CHECK_THAT_SAYS(FileError, read_files(with(kAqSol, "val.txt", content), read_aqsol), text);
  };
  says("2147483647 2147483647 0\n1\n", "val.txt: line 2: type of atom is missing");
  says("99999999999 0 0\n", "line 1: number of atoms 99999999999 is outside 0..2147483647");
  says("1 1 0\n1\n0 1 1\n", "line 3: atom 1 is outside 0..0");
  says("1 1 0\n1\n0 0\n", "line 3: type of bond is missing");
  says("1 1 0\n1\n", "line 3: the file ends where a line of bonds should be");
  says("1 0 inf\n1\n\n", "line 1: target 'inf' is not finite");
  says("1 0 0\n1 2\n\n", "line 2: unexpected '2' at the end of the line");
  says("1 0 0\n70000\n\n", "line 2: type of atom 70000 is outside 0..65535");
  CHECK_THAT_SAYS(FileError, read_files({}, read_aqsol), "no train.txt, val.txt or test.txt");
  CHECK_THAT_SAYS(FileError, read_files({}, [](const auto& folder) { return read_dataset(folder); }),
                  "no data set in a form that can be read");
}

TEST_CASE("Damaged Cora and AqSol files are read or refused", "[graph][slow]") {
  test::attack(kCora, 60, read_cora);
  test::attack(kAqSol, 60, read_aqsol);
}

TEST_CASE("Published counts of Cora", "[graph][data]") {
  const auto data = test::data_folder();
  if (!data) return test::skip_data();
  const Dataset cora = read_dataset(*data / "cora");
  cora.check();
  const Graph& graph = cora.samples[0].graph;
  CHECK(graph.num_nodes() == 2708);
  CHECK(graph.num_edges() == 2 * 5278);
  CHECK(is_symmetric(graph));
  CHECK(cora.node_features.width == 1433);
  std::vector<std::int64_t> classes(7, 0);
  for (const std::int64_t label : cora.samples[0].y.values<std::int64_t>()) ++classes[label];
  CHECK(classes == std::vector<std::int64_t>{351, 217, 418, 818, 426, 298, 180});
  CHECK(cora.node_split->train.size() == 140);
  CHECK(cora.node_split->valid.size() == 500);
  CHECK(cora.node_split->test.size() == 1000);
}

TEST_CASE("Published counts of AqSol", "[graph][data]") {
  const auto data = test::data_folder();
  if (!data) return test::skip_data();
  const Dataset aqsol = read_dataset(*data / "aqsol");
  aqsol.check();
  REQUIRE(aqsol.split->valid.size() == 998);
  REQUIRE(aqsol.split->test.size() == 999);
  const auto means = [&](const std::vector<std::int64_t>& part) {
    double nodes = 0, y = 0;
    for (const std::int64_t s : part) {
      nodes += static_cast<double>(aqsol.samples[s].graph.num_nodes());
      y += aqsol.samples[s].y.item();
    }
    const auto count = static_cast<double>(part.size());
    return std::pair{nodes / count, y / count};
  };
  // The order of the two parts in the published table is open, so both means of one part belong together.
  const auto [valid_nodes, valid_y] = means(aqsol.split->valid);
  const auto [test_nodes, test_y] = means(aqsol.split->test);
  CHECK(std::min(valid_nodes, test_nodes) == Approx(23.5).margin(.05));
  CHECK(std::max(valid_nodes, test_nodes) == Approx(28.7).margin(.05));
  CHECK(std::max(valid_y, test_y) == Approx(-3.41).margin(.005));
  CHECK(std::min(valid_y, test_y) == Approx(-3.58).margin(.005));
}
