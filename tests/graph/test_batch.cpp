#include <algorithm>

#include "core/error.hpp"
#include "graph/batch.hpp"
#include "graph/rows.hpp"
#include "tests/support/catch.hpp"

using namespace atto;

namespace {

std::vector<std::int64_t> list(std::span<const std::int64_t> values) {
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("A batch is the disjoint union of its graphs", "[graph]") {
  const std::vector<Graph> graphs{Graph::from_edges(3, {{2, 0}, {0, 1}}), Graph(),
                                  Graph::from_edges(2, {{1, 1}, {1, 0}, {0, 1}}), Graph::from_edges(1, {})};
  const GraphBatch batch(graphs);
  CHECK(batch.size() == 4);
  CHECK(list(batch.nodes().offsets()) == std::vector<std::int64_t>{0, 3, 3, 5, 6});
  CHECK(list(batch.edges().offsets()) == std::vector<std::int64_t>{0, 2, 2, 5, 5});
  CHECK(batch.graph() == Graph::from_edges(6, {{2, 0}, {0, 1}, {4, 4}, {4, 3}, {3, 4}}));
  CHECK(bit_equal(batch.nodes().ids(), Tensor::from<std::int32_t>({0, 0, 0, 2, 2, 3}, {6})));
  CHECK(batch.nodes().longest() == 3);
  for (std::int64_t g = 0; g < batch.size(); ++g)
    for (std::int64_t e = 0; e < graphs[g].num_edges(); ++e)
      CHECK(batch.graph().in_src()[batch.edges().begin(g) + e] == graphs[g].in_src()[e] + batch.nodes().begin(g));
}

TEST_CASE("Empty batches, batches of one and of bipartite graphs", "[graph]") {
  CHECK(GraphBatch().size() == 0);
  CHECK(GraphBatch(std::span<const Graph>{}).nodes().total() == 0);
  CHECK(GraphBatch(std::span<const Graph>{}).nodes().ids().numel() == 0);
  const Graph one = Graph::from_edges(2, {{0, 1}});
  CHECK(GraphBatch(one).graph() == one);
  CHECK(GraphBatch(one).size() == 1);
  const std::vector<std::int32_t> zero{0};
  const std::vector<Graph> pair{Graph::bipartite(2, 1, zero, zero), Graph::bipartite(1, 3, zero, zero)};
  const GraphBatch batch(pair);
  CHECK(batch.sources().total() == 3);
  CHECK(batch.destinations().total() == 4);
  CHECK(batch.graph() == Graph::bipartite(3, 4, std::vector<std::int32_t>{0, 2}, std::vector<std::int32_t>{0, 1}));
  CHECK_THROWS_AS(batch.nodes(), ShapeError);
  CHECK_THROWS_AS(GraphBatch(std::vector<Graph>{one, pair[0]}), ShapeError);
}

TEST_CASE("Ragged borders are checked", "[graph]") {
  CHECK(Ragged().count() == 0);
  CHECK(Ragged().total() == 0);
  CHECK(Ragged() == Ragged({0}));
  const Ragged ragged = Ragged::from_sizes(std::vector<std::int64_t>{2, 0, 3});
  CHECK(ragged.count() == 3);
  CHECK(ragged.size(1) == 0);
  CHECK(ragged.begin(2) == 2);
  CHECK(ragged.end(2) == 5);
  CHECK(ragged.longest() == 3);
  CHECK(Ragged::single(4) == Ragged({0, 4}));
  CHECK_THROWS_AS(Ragged(std::vector<std::int64_t>{}), ValueError);
  CHECK_THROWS_AS(Ragged({1, 2}), ValueError);
  CHECK_THROWS_WITH(Ragged({0, 3, 2}), "Ragged: offsets[2]: got 2, expected at least 3 (offsets never decrease)");
  CHECK_THROWS_AS(Ragged::from_sizes(std::vector<std::int64_t>{1, -1}), ValueError);
}

TEST_CASE("Planes are selected, joined and checked", "[graph]") {
  const BucketPlane planes{.values = Tensor::from<std::uint8_t>({1, 2, 3, 4, 9}, {5}), .offsets = {0, 4, 4, 5}};
  const BucketPlane taken = take_planes(planes, std::vector<std::int64_t>{2, 1, 0, 2});
  CHECK(taken.offsets == std::vector<std::int64_t>{0, 1, 1, 5, 6});
  CHECK(bit_equal(taken.values, Tensor::from<std::uint8_t>({9, 1, 2, 3, 4, 9}, {6})));
  CHECK(take_planes(planes, {}).values.numel() == 0);
  CHECK_THROWS_AS(take_planes(planes, std::vector<std::int64_t>{3}), IndexError);

  const BucketPlane joined = concatenate_planes(std::vector<BucketPlane>{planes, BucketPlane{}, planes});
  CHECK(joined.offsets == std::vector<std::int64_t>{0, 4, 4, 5, 9, 9, 10});
  CHECK(joined.values.data<std::uint8_t>()[9] == 9);
  CHECK(concatenate_planes({}).offsets == std::vector<std::int64_t>{0});

  CHECK_NOTHROW(check_plane(planes, Ragged({0, 2, 2, 3}), "test"));
  CHECK_NOTHROW(check_plane(BucketPlane{}, Ragged(), "test"));
  CHECK_THROWS_AS(check_plane(planes, Ragged({0, 2, 3, 3}), "test"), ShapeError);
  CHECK_THROWS_AS(check_plane(planes, Ragged({0, 2, 2}), "test"), ShapeError);
  const BucketPlane floats{.values = Tensor::zeros({1}), .offsets = {0, 1}};
  CHECK_THROWS_AS(check_plane(floats, Ragged({0, 1}), "test"), TypeError);
  const BucketPlane cut{.values = Tensor::from<std::uint8_t>({1}, {1}), .offsets = {0, 4}};
  CHECK_THROWS_AS(check_plane(cut, Ragged({0, 2}), "test"), ShapeError);
}

TEST_CASE("Rows of parts are put below each other", "[graph]") {
  const Tensor a = Tensor::from({1.f, 2.f}, {1, 2}), none = Tensor::empty({0, 2}),
               b = Tensor::from({3.f, 4.f, 5.f, 6.f}, {2, 2});
  CHECK(bit_equal(concatenate_rows(std::vector<Tensor>{a, none, b}),
                  Tensor::from({1.f, 2.f, 3.f, 4.f, 5.f, 6.f}, {3, 2})));
  CHECK(!concatenate_rows({}).defined());
  CHECK(!concatenate_rows(std::vector<Tensor>{Tensor(), Tensor()}).defined());
  CHECK_THROWS_AS(concatenate_rows(std::vector<Tensor>{a, Tensor()}), ShapeError);
  CHECK_THROWS_AS(concatenate_rows(std::vector<Tensor>{a, Tensor::zeros({1, 3})}), ShapeError);
  CHECK_THROWS_AS(concatenate_rows(std::vector<Tensor>{a, Tensor::zeros({1, 2}, DType::int64)}), ShapeError);
}
