#include "core/error.hpp"
#include "graph/dataset.hpp"
#include "tests/support/errors.hpp"

using namespace atto;

namespace {

// Three graphs with real node features, categories on edges and a class each.
Dataset small() {
  Dataset dataset;
  dataset.name = "small";
  dataset.num_outputs = 2;
  dataset.node_features = {.kind = Features::Kind::real, .width = 2};
  dataset.edge_features = {.kind = Features::Kind::category, .width = 3};
  const auto add = [&](const Graph& graph, const std::vector<std::int64_t>& bonds, std::int64_t label) {
    const Tensor x = Tensor::full({graph.num_nodes(), 2}, static_cast<double>(dataset.size()));
    dataset.samples.push_back(
        {.graph = graph, .x = x, .edge_attr = Tensor::from(bonds), .y = Tensor::from<std::int64_t>({label}, {1})});
  };
  add(Graph::from_edges(2, {{0, 1}, {1, 0}}), {1, 2}, 1);
  add(Graph(), {}, 0);
  add(Graph::from_edges(1, {{0, 0}}), {0}, 1);
  return dataset;
}

}  // namespace

TEST_CASE("Samples are collated in the order that is asked for", "[graph]") {
  const Dataset dataset = small();
  dataset.check();
  CHECK(dataset.labels() == std::vector<std::int64_t>{1, 0, 1});
  const SampleBatch batch = collate(dataset, std::vector<std::int64_t>{2, 1, 0, 2});
  CHECK(batch.graphs.size() == 4);
  CHECK(batch.graphs.nodes() == Ragged({0, 1, 1, 3, 4}));
  CHECK(batch.graphs.graph() == Graph::from_edges(4, {{0, 0}, {2, 1}, {1, 2}, {3, 3}}));
  CHECK(bit_equal(batch.x, Tensor::from<float>({2, 2, 0, 0, 0, 0, 2, 2}, {4, 2})));
  CHECK(bit_equal(batch.edge_attr, Tensor::from<std::int64_t>({0, 1, 2, 0}, {4})));
  CHECK(bit_equal(batch.y, Tensor::from<std::int64_t>({1, 0, 1, 1}, {4})));
  const SampleBatch nothing = collate(dataset, {});
  CHECK(nothing.graphs.size() == 0);
  CHECK(!nothing.x.defined());
  CHECK_THROWS_AS(collate(dataset, std::vector<std::int64_t>{3}), IndexError);
  CHECK_THROWS_AS(collate(dataset, std::vector<std::int64_t>{-1}), IndexError);
}

TEST_CASE("A data set that does not fit its description is refused", "[graph]") {
  const auto says = [](auto change, const std::string& text) {
    Dataset dataset = small();
    change(dataset);
    CHECK_THAT_SAYS(Error, dataset.check(), text);
  };
  says([](Dataset& d) { d.samples[0].edge_attr.data<std::int64_t>()[1] = 3; },
       "edge_attr of sample 0: got category 3, expected 0 to 2");
  says([](Dataset& d) { d.samples[0].edge_attr.data<std::int64_t>()[1] = -1; }, "category -1");
  says([](Dataset& d) { d.samples[2].y.data<std::int64_t>()[0] = 2; },
       "y of sample 2: got category 2, expected 0 to 1");
  says([](Dataset& d) { d.samples[2].y = Tensor::zeros({2}, DType::int64); },
       "y of sample 2: got int64[2], expected int64[1]");
  says(
      [](Dataset& d) {
        d.samples[0].x = Tensor::zeros({3, 2});
      },
      "x of sample 0: got float32[3,2], expected float32[2,2]");
  says([](Dataset& d) { d.samples[0].x = Tensor::zeros({2, 2}, DType::float64); }, "expected float32[2,2]");
  says([](Dataset& d) { d.samples[1].x = {}; }, "x of sample 1: got undefined tensor");
  says([](Dataset& d) { d.node_features = {}; }, "x of sample 0: got float32[2,2], expected no features");
  says([](Dataset& d) { d.task = Task::graph_regression; }, "expected float32[1,2]");
  says([](Dataset& d) { d.task = Task::node_classification; }, "y of sample 0: got int64[1], expected int64[2]");
  says(
      [](Dataset& d) {
        d.split = Split{.train = {0, 1}, .valid = {1}, .test = {}};
      },
      "item 1, which is in train already");
  says([](Dataset& d) { d.split = Split{.train = {3}, .valid = {}, .test = {}}; }, "got item 3, expected 0 to 2");
  says([](Dataset& d) { d.node_split = Split{}; }, "got 3 graphs, expected one graph");
}

TEST_CASE("Categories become ones and zeros", "[graph]") {
  CHECK(
      bit_equal(one_hot(Tensor::from<std::int64_t>({2, 0}, {2}), 3), Tensor::from<float>({0, 0, 1, 1, 0, 0}, {2, 3})));
  CHECK(one_hot(Tensor::empty({0}, DType::int64), 3).shape() == Shape{0, 3});
  CHECK_THROWS_AS(one_hot(Tensor::from<std::int64_t>({3}, {1}), 3), IndexError);
  CHECK_THROWS_AS(one_hot(Tensor::from<std::int64_t>({-1}, {1}), 3), IndexError);
  CHECK_THROWS_AS(one_hot(Tensor::zeros({1}), 3), TypeError);
}
