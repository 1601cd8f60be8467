#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "graph/components.hpp"
#include "graph/rwse.hpp"
#include "tests/graph/shapes.hpp"
#include "tests/support/catch.hpp"

using namespace atto;
using test::complete, test::cycle, test::path, test::star;

namespace {

void check_row(const Graph& graph, std::int64_t node, const std::vector<double>& expected) {
  const auto steps = std::ssize(expected);
  const Tensor encoding = rwse(graph, steps);
  for (std::int64_t k = 0; k < steps; ++k)
    CHECK(encoding.data<float>()[node * steps + k] == static_cast<float>(expected[k]));
}

// P^k as a matrix, straight from the definition.
std::vector<double> by_matrix(const Graph& graph, std::int64_t steps) {
  const std::int64_t n = graph.num_nodes();
  std::vector<double> p(static_cast<std::size_t>(n * n), 0.0), power(p), next(p),
      encoding(static_cast<std::size_t>(n * steps));
  for (std::int64_t e = 0; e < graph.num_edges(); ++e) p[graph.in_src()[e] * n + graph.edge_dst()[e]] = 1;
  for (std::int64_t i = 0; i < n; ++i) {
    const double degree = static_cast<double>(std::count(p.begin() + i * n, p.begin() + (i + 1) * n, 1.0));
    for (std::int64_t j = 0; j < n; ++j) p[i * n + j] /= std::max(1.0, degree);
    power[i * n + i] = 1;
  }
  for (std::int64_t k = 0; k < steps; ++k) {
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::int64_t m = 0; m < n; ++m) sum += p[i * n + m] * power[m * n + j];
        next[i * n + j] = sum;
      }
    power = next;
    for (std::int64_t i = 0; i < n; ++i) encoding[i * steps + k] = power[i * n + i];
  }
  return encoding;
}

}  // namespace

TEST_CASE("Oracle C.12: return probabilities of small graphs", "[graph]") {
  check_row(path(3), 0, {0, .5, 0, .5, 0, .5});
  check_row(path(3), 1, {0, 1, 0, 1, 0, 1});
  check_row(path(3), 2, {0, .5, 0, .5, 0, .5});
  check_row(path(4), 0, {0, .5, 0, .375, 0, .34375});
  check_row(path(4), 2, {0, .75, 0, .6875, 0, .671875});
  check_row(cycle(3), 1, {0, .5, .25, .375, .3125, .34375});
  check_row(cycle(4), 0, {0, .5, 0, .5, 0, .5});
  check_row(cycle(5), 4, {0, .5, 0, .375, .0625, .3125});
  check_row(cycle(6), 3, {0, .5, 0, .375, 0, .34375});
  check_row(complete(4), 0, {0, 1. / 3, 2. / 9, 7. / 27, 20. / 81});
  check_row(star(3), 0, {0, 1, 0, 1});
  check_row(star(3), 2, {0, 1. / 3, 0, 1. / 3});
  check_row(Graph::from_edges(2, {}), 1, {0, 0, 0, 0});
  check_row(Graph::from_edges(1, {{0, 0}}), 0, {1, 1, 1, 1});
  for (const std::int64_t n : {2, 5, 9})
    for (std::int64_t k = 1; k <= 8; ++k) {
      const double expected =
          (1 + static_cast<double>(n - 1) * std::pow(-1. / static_cast<double>(n - 1), k)) / static_cast<double>(n);
      CHECK(rwse(complete(n), 8).data<float>()[k - 1] == Approx(expected).margin(1e-9));
    }
}

TEST_CASE("Return probabilities are the diagonals of matrix powers", "[graph]") {
  Generator random(6);
  for (int round = 0; round < 40; ++round) {
    const std::int64_t n = 1 + random.below(40), steps = 1 + random.below(21);
    Graph graph = test::random_graph(random, n, random.below(4 * n));
    if (round % 2) graph = graph.undirected().graph;  // another formula
    if (round % 4 == 3) graph = graph.with_self_loops().graph;
    const Tensor encoding = rwse(graph, steps);
    const std::vector<double> expected = by_matrix(graph, steps);
    REQUIRE(encoding.shape() == Shape{n, steps});
    for (std::size_t i = 0; i < expected.size(); ++i)
      REQUIRE(std::abs(encoding.data<float>()[i] - expected[i]) <= 6e-8 * expected[i]);
  }
}

TEST_CASE("Walks follow the listed direction and count duplicates once", "[graph]") {
  check_row(Graph::from_edges(2, {{0, 1}}), 0, {0, 0, 0});
  check_row(Graph::from_edges(3, {{0, 1}, {1, 2}, {2, 0}}), 1, {0, 0, 1, 0, 0, 1});
  check_row(Graph::from_edges(3, {{0, 1}, {0, 1}, {1, 0}, {0, 2}, {2, 0}}), 0, {0, 1, 0, 1});
  check_row(Graph::from_edges(3, {{0, 1}, {0, 1}, {1, 0}, {0, 2}, {2, 0}}), 1, {0, .5, 0, .5});
}

TEST_CASE("Return probabilities of a hub of ten thousand edges", "[graph]") {
  const auto check = [](const Graph& graph, std::int64_t node, const std::vector<double>& expected,
                        std::int64_t steps) {
    const Tensor encoding = rwse(graph, steps);
    for (std::int64_t k = 0; k < steps; ++k) {
      CHECK(encoding.data<float>()[k] == Approx(k % 2).epsilon(1e-7));
      CHECK(encoding.data<float>()[node * steps + k] == Approx(expected[k]).epsilon(1e-7));
    }
  };
  check(star(10'000), 10'000, {0, 1e-4, 0, 1e-4}, 4);
  // One way in from every node, one way out: what enters comes back by node 1 alone.
  EdgeList edges;
  for (std::int64_t i = 1; i <= 10'000; ++i) edges.add(i, 0);
  edges.add(0, 1);
  check(edges.graph(10'001), 1, {0, 1}, 2);
  check(edges.graph(10'001), 10'000, {0, 0}, 2);
}

TEST_CASE("Odd steps are exactly 0 in bipartite graphs", "[graph]") {
  const Tensor encoding = rwse(test::grid(7, 5), 20);
  for (std::int64_t i = 0; i < 35; ++i)
    for (std::int64_t k = 0; k < 20; k += 2) CHECK(encoding.data<float>()[i * 20 + k] == 0);
}

TEST_CASE("Return probabilities do not depend on batch, order of nodes or threads", "[graph]") {
  Generator random(7);
  std::vector<Graph> graphs{Graph(), Graph::from_edges(1, {})};
  for (int g = 0; g < 20; ++g) {
    const std::int64_t n = 1 + random.below(200);
    graphs.push_back(test::random_graph(random, n, random.below(5 * n)));
    if (g % 2) graphs.back() = graphs.back().undirected().graph;
  }
  const int before = threads();
  set_threads(1);
  const Tensor one = rwse(graphs, 9);
  std::int64_t row = 0;
  for (const Graph& graph : graphs) {
    const std::int64_t n = graph.num_nodes();
    CHECK(bit_equal(one.rows(row, row + n).clone(), rwse(graph, 9)));
    const std::vector<std::int64_t> label = random.permutation(n);
    const Tensor relabelled = rwse(test::relabelled(graph, label), 9);
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t k = 0; k < 9; ++k)
        CHECK(relabelled.data<float>()[label[i] * 9 + k] == Approx(one.data<float>()[(row + i) * 9 + k]).epsilon(1e-6));
    row += n;
  }
  for (const int count : {2, 7}) {
    set_threads(count);
    CHECK(bit_equal(rwse(graphs, 9), one));
  }
  set_threads(before);
}

TEST_CASE("Return probabilities refuse what has no meaning", "[graph]") {
  CHECK(rwse(std::span<const Graph>{}, 3).shape() == Shape{0, 3});
  CHECK_THROWS_AS(rwse(Graph(), 0), ValueError);
  CHECK_THROWS_AS(rwse(Graph::bipartite(1, 2, {}, {}), 3), ShapeError);
}
