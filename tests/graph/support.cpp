#include "graph/support.hpp"

#include <vector>

#include "core/error.hpp"
#include "graph/distances.hpp"
#include "tests/support/catch.hpp"

using namespace atto;

namespace {

std::vector<std::pair<int, int>> listed(const Support& support) {
  std::vector<std::pair<int, int>> edges;
  for (std::int64_t e = 0; e < support.graph().num_edges(); ++e)
    edges.emplace_back(support.graph().in_src()[static_cast<std::size_t>(e)],
                       support.graph().edge_dst()[static_cast<std::size_t>(e)]);
  return edges;
}

}  // namespace

TEST_CASE("pairs lists every pair of each segment, by query and then by key") {
  const Support support = Support::pairs(Ragged({0, 2, 2, 3}));
  CHECK(support.num_dst() == 3);
  CHECK(listed(support) == std::vector<std::pair<int, int>>{{0, 0}, {1, 0}, {0, 1}, {1, 1}, {2, 2}});
}

TEST_CASE("cross support joins queries to keys of the same segment") {
  const Support support = Support::pairs(Ragged({0, 1, 3}), Ragged({0, 2, 2}));
  CHECK(support.num_src() == 2);
  CHECK(listed(support) == std::vector<std::pair<int, int>>{{0, 0}, {1, 0}});
  CHECK_THROWS_AS(Support::pairs(Ragged({0, 1}), Ragged({0, 1, 2})), ShapeError);
}

TEST_CASE("causal support sees itself and what came before, also behind a cache") {
  CHECK(listed(Support::causal(Ragged({0, 3}))) ==
        std::vector<std::pair<int, int>>{{0, 0}, {0, 1}, {1, 1}, {0, 2}, {1, 2}, {2, 2}});
  CHECK(listed(Support::causal(Ragged({0, 1}), Ragged({0, 3}))) ==
        std::vector<std::pair<int, int>>{{0, 0}, {1, 0}, {2, 0}});
  // More queries than keys: the first queries see nothing.
  CHECK(listed(Support::causal(Ragged({0, 3}), Ragged({0, 1}))) == std::vector<std::pair<int, int>>{{0, 2}});
}

TEST_CASE("buckets follow the pairs") {
  const Graph path = Graph::from_edges(3, {{0, 1}, {1, 0}, {1, 2}, {2, 1}});
  const BucketPlane hops = hop_distances(std::vector<Graph>{path});
  const Support pairs = Support::pairs(Ragged({0, 3})).with_buckets(hops);
  REQUIRE(pairs.has_buckets());
  CHECK(bit_equal(pairs.edge_buckets(), hops.values.reshape(Shape{9})));
  const Tensor causal = Support::causal(Ragged({0, 3})).with_buckets(hops).edge_buckets();
  CHECK(std::vector<int>(causal.values<std::uint8_t>().begin(), causal.values<std::uint8_t>().end()) ==
        std::vector<int>{0, 1, 0, 2, 1, 0});
  CHECK_THROWS_AS(Support::pairs(Ragged({0, 4})).with_buckets(hops), ShapeError);
  CHECK_THROWS_AS(Support::edges(path).with_buckets(hops), ShapeError);
  CHECK_THROWS_AS(Support::edges(path).with_buckets(Tensor::zeros(Shape{3}, DType::uint8)), ShapeError);
}

TEST_CASE("planes that do not lie where the segments are refused before anybody reads them") {
  const Support two = Support::pairs(Ragged({0, 2, 4}));
  const Tensor values = Tensor::zeros(Shape{8}, DType::uint8);
  CHECK(two.with_buckets(BucketPlane{values, {0, 4, 8}}).edge_buckets().numel() == 8);
  // From outside the values: sizes and end are right.
  CHECK_THROWS_AS(two.with_buckets(BucketPlane{Tensor::zeros(Shape{4}, DType::uint8), {-4, 0, 4}}), ShapeError);
  const Support none = Support::pairs(Ragged());
  CHECK(none.with_buckets(BucketPlane{Tensor::zeros(Shape{0}, DType::uint8), {0}}).has_buckets());
  CHECK_THROWS_AS(none.with_buckets(BucketPlane{values, {8}}), ShapeError);
  CHECK_THROWS_AS(none.with_buckets(BucketPlane{values, {}}), ShapeError);
}

TEST_CASE("a union remembers which part an edge comes from") {
  const Graph real = Graph::from_edges(3, {{0, 1}, {1, 2}});
  const Graph expander = Graph::from_edges(3, {{2, 1}, {0, 1}});
  const Support both = Support::unite({real, expander});
  CHECK(listed(both) == std::vector<std::pair<int, int>>{{0, 1}, {2, 1}, {0, 1}, {1, 2}});
  const Tensor parts = both.edge_buckets();
  CHECK(std::vector<int>(parts.values<std::uint8_t>().begin(), parts.values<std::uint8_t>().end()) ==
        std::vector<int>{0, 1, 1, 0});
  CHECK_THROWS_AS(Support::unite({real, Graph::from_edges(4, {{0, 1}})}), ShapeError);
}

TEST_CASE("empty supports are legal") {
  CHECK(Support::pairs(Ragged()).graph().num_edges() == 0);
  CHECK(Support::pairs(Ragged({0, 0})).graph().num_nodes() == 0);
  CHECK(Support::edges(Graph()).num_dst() == 0);
  CHECK(Support::unite({}).num_dst() == 0);
}
