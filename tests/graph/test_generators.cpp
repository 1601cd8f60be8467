#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "graph/components.hpp"
#include "graph/generators.hpp"
#include "tests/graph/shapes.hpp"
#include "tests/support/catch.hpp"

using namespace atto;

namespace {

// As sets of edges, because shapes may list them in another order.
bool same_edges(const Graph& a, const Graph& b) {
  const auto sorted = [](const Graph& graph) {
    std::vector<std::pair<int, int>> edges;
    for (std::int64_t e = 0; e < graph.num_edges(); ++e) edges.emplace_back(graph.edge_dst()[e], graph.in_src()[e]);
    std::ranges::sort(edges);
    return edges;
  };
  return a.num_nodes() == b.num_nodes() && sorted(a) == sorted(b);
}

void check_simple(const Graph& graph) {
  CHECK(is_symmetric(graph));
  CHECK(count_self_loops(graph) == 0);
  CHECK(graph.coalesced().graph == graph);
}

}  // namespace

TEST_CASE("Shapes are what they are called", "[graph]") {
  for (const std::int64_t n : {1, 2, 3, 4, 9}) {
    CHECK(same_edges(generate::path(n), test::path(n)));
    CHECK(same_edges(generate::ring(n), n > 2 ? test::cycle(n) : test::path(n)));
    CHECK(same_edges(generate::star(n), test::star(n)));
    CHECK(same_edges(generate::complete(n), test::complete(n)));
    CHECK(same_edges(generate::grid(n, 3), test::grid(n, 3)));
    CHECK(same_edges(generate::grid(1, n), test::path(n)));
    CHECK(same_edges(generate::grid(1, n, true), generate::ring(n)));
    CHECK(same_edges(generate::grid(n, 1, true), generate::ring(n)));
  }
  const Graph torus = generate::grid(4, 5, true);
  check_simple(torus);
  for (std::int64_t i = 0; i < 20; ++i) CHECK(torus.in_degree(i) == 4);
  check_simple(generate::grid(2, 2, true));
  for (const Graph& graph :
       {generate::path(0), generate::ring(0), generate::complete(0), generate::grid(0, 5), generate::grid(5, 0, true)})
    CHECK(graph == Graph());
  CHECK(generate::star(0) == Graph::from_edges(1, {}));
  CHECK_THROWS_AS(generate::path(-1), ValueError);
  CHECK_THROWS_AS(generate::grid(3, -1), ValueError);
  CHECK_THROWS_AS(generate::grid(1 << 20, 1 << 20), ValueError);
}

TEST_CASE("Random graphs have the edges that their parameters promise", "[graph]") {
  Generator random(13);
  const Graph graph = generate::erdos_renyi(random, 200, .3);
  check_simple(graph);
  CHECK(static_cast<double>(graph.num_edges()) / (200. * 199) == Approx(.3).margin(5 * std::sqrt(.21 / (100. * 199))));
  CHECK(generate::erdos_renyi(random, 20, 0).num_edges() == 0);
  CHECK(same_edges(generate::erdos_renyi(random, 20, 1), test::complete(20)));
  CHECK(generate::random_edges(random, 50, 1000).num_edges() == 1000);
  CHECK(generate::random_edges(random, 0, 0) == Graph());
  CHECK_THROWS_AS(generate::random_edges(random, 0, 1), ValueError);
  CHECK_THROWS_AS(generate::erdos_renyi(random, 5, 1.5), ValueError);
  CHECK_THROWS_AS(generate::erdos_renyi(random, 5, std::nan("")), ValueError);
}

TEST_CASE("Regular graphs are regular, simple and different", "[graph]") {
  Generator random(14);
  for (const auto& [n, degree] : {std::pair{0, 0}, {5, 0}, {6, 1}, {50, 3}, {30, 8}, {7, 6}, {12, 11}, {1000, 4}}) {
    const Graph graph = generate::random_regular(random, n, degree);
    check_simple(graph);
    for (std::int64_t i = 0; i < n; ++i) REQUIRE(graph.in_degree(i) == degree);
  }
  CHECK(!same_edges(generate::random_regular(random, 50, 3), generate::random_regular(random, 50, 3)));
  CHECK_THROWS_AS(generate::random_regular(random, 5, 5), ValueError);
  CHECK_THROWS_AS(generate::random_regular(random, 5, 3), ValueError);
  CHECK_THROWS_AS(generate::random_regular(random, 5, -2), ValueError);
}

TEST_CASE("The nearest points are neighbours", "[graph]") {
  // On a line: 0 1 3 7.
  const Graph line = generate::nearest_neighbours(Tensor::from({7.f, 0.f, 1.f, 3.f}, {4, 1}), 2);
  CHECK(line == Graph::from_edges(4, {{3, 0}, {2, 0}, {2, 1}, {3, 1}, {1, 2}, {3, 2}, {2, 3}, {1, 3}}));
  const Graph equal = generate::nearest_neighbours(Tensor::zeros({4, 2}), 2);
  CHECK(equal == Graph::from_edges(4, {{1, 0}, {2, 0}, {0, 1}, {2, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}}));
  Generator random(15);
  const Tensor points = Tensor::empty({60, 3});
  for (float& value : points.values<float>()) value = static_cast<float>(random.uniform());
  const Graph graph = generate::nearest_neighbours(points, 5);
  const auto square = [&](std::int64_t i, std::int64_t j) {
    double sum = 0;
    for (int d = 0; d < 3; ++d) sum += std::pow(points.data<float>()[i * 3 + d] - points.data<float>()[j * 3 + d], 2);
    return sum;
  };
  for (std::int64_t i = 0; i < 60; ++i) {
    const auto neighbours = graph.in_src().subspan(graph.in_offsets()[i], 5);
    for (std::int64_t j = 0; j < 60; ++j)
      if (j != i && std::ranges::find(neighbours, j) == neighbours.end())
        REQUIRE(square(i, j) >= square(i, neighbours[4]));
  }
  CHECK(generate::nearest_neighbours(points, 100).num_edges() == 60 * 59);
  CHECK(generate::nearest_neighbours(Tensor::zeros({1, 2}), 3).num_edges() == 0);
  CHECK(generate::nearest_neighbours(Tensor::empty({0, 2}), 3) == Graph());
  CHECK_THROWS_AS(generate::nearest_neighbours(Tensor::zeros({4}), 1), ShapeError);
  // 2^32 edges: refused before memory for them is asked for.
  CHECK_THROWS_AS(generate::nearest_neighbours(Tensor::zeros({1 << 20, 0}), 1 << 12), ValueError);
  CHECK_THROWS_AS(generate::nearest_neighbours(Tensor::full({2, 1}, std::numeric_limits<double>::infinity()), 1),
                  NumericError);
}

TEST_CASE("Random graphs do not change from release to release", "[graph]") {
  Generator random(1);
  const auto edges = [](const Graph& graph) {
    return std::vector<std::int32_t>(graph.in_src().begin(), graph.in_src().end());
  };
  CHECK(edges(generate::erdos_renyi(random, 6, .4)) == std::vector<std::int32_t>{3, 4, 3, 0, 2, 5, 0, 3});
  CHECK(edges(generate::random_regular(random, 6, 2)) == std::vector<std::int32_t>{2, 3, 4, 5, 0, 4, 5, 0, 2, 1, 3, 1});
}
