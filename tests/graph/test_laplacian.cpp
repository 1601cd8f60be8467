#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "graph/components.hpp"
#include "graph/laplacian.hpp"
#include "tests/graph/shapes.hpp"
#include "tests/support/catch.hpp"

using namespace atto;
using test::complete, test::cycle, test::path, test::star;

namespace {

std::vector<double> spectrum(const Graph& graph, bool normalised) {
  const LaplacianEigen eigen = laplacian_eigenvectors(
      graph, {.count = std::max<std::int64_t>(1, graph.num_nodes()), .normalised = normalised, .skip_first = false});
  return {eigen.values.values<float>().begin(), eigen.values.values<float>().end()};
}

void check_spectrum(const Graph& graph, bool normalised, const std::vector<double>& expected) {
  const std::vector<double> values = spectrum(graph, normalised);
  REQUIRE(values.size() == expected.size());
  for (std::size_t k = 0; k < values.size(); ++k) CHECK(values[k] == Approx(expected[k]).margin(1e-6));
}

// L v = lambda v, orthonormal, sign convention, zeros in the padding: what holds for every graph.
void check_vectors(const Graph& graph, const LaplacianOptions& options) {
  const std::int64_t n = graph.num_nodes(), columns = options.count;
  const LaplacianEigen eigen = laplacian_eigenvectors(graph, options);
  REQUIRE(eigen.vectors.shape() == Shape{n, columns});
  REQUIRE(eigen.values.shape() == Shape{1, columns});
  const std::int64_t found = eigen.found.data<std::int64_t>()[0];
  REQUIRE(found == std::max<std::int64_t>(0, std::min(columns, n - (options.skip_first ? 1 : 0))));
  const float* v = eigen.vectors.data<float>();
  const auto simple = graph.without_self_loops().graph.undirected().graph;
  for (std::int64_t k = 0; k < columns; ++k) {
    const double lambda = eigen.values.data<float>()[k];
    double largest = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      if (k >= found) REQUIRE(v[i * columns + k] == 0);
      if (std::abs(v[i * columns + k]) > std::abs(largest) * (1 + 1e-5)) largest = v[i * columns + k];
    }
    if (k >= found) {
      CHECK(lambda == 0);
      continue;
    }
    CHECK(lambda >= (k > 0 ? eigen.values.data<float>()[k - 1] : 0));
    CHECK(largest > 0);
    for (std::int64_t i = 0; i < n; ++i) {
      const double degree = simple.in_degree(i);
      double product = options.normalised ? (degree > 0 ? 1 : 0) * v[i * columns + k] : degree * v[i * columns + k];
      for (std::int32_t e = simple.in_offsets()[i]; e < simple.in_offsets()[i + 1]; ++e) {
        const std::int32_t j = simple.in_src()[e];
        product -= v[j * columns + k] / (options.normalised ? std::sqrt(degree * simple.in_degree(j)) : 1);
      }
      REQUIRE(std::abs(product - lambda * v[i * columns + k]) < 1e-6 * (1 + lambda));
    }
    for (std::int64_t l = 0; l <= k; ++l) {
      double dot = 0;
      for (std::int64_t i = 0; i < n; ++i) dot += v[i * columns + k] * v[i * columns + l];
      REQUIRE(std::abs(dot - (k == l ? 1 : 0)) < 1e-6);
    }
  }
}

}  // namespace

TEST_CASE("Oracle C.13: Laplacian spectra of small graphs", "[graph]") {
  const double root2 = std::numbers::sqrt2;
  check_spectrum(path(3), false, {0, 1, 3});
  check_spectrum(path(4), false, {0, 2 - root2, 2, 2 + root2});
  check_spectrum(cycle(4), false, {0, 2, 2, 4});
  check_spectrum(complete(4), false, {0, 4, 4, 4});
  check_spectrum(star(3), false, {0, 1, 1, 4});
  check_spectrum(path(3), true, {0, 1, 2});
  check_spectrum(path(4), true, {0, .5, 1.5, 2});
  check_spectrum(cycle(4), true, {0, 1, 1, 2});
  check_spectrum(complete(4), true, {0, 4. / 3, 4. / 3, 4. / 3});
  check_spectrum(star(3), true, {0, 1, 1, 2});
  for (const std::int64_t n : {5, 12}) {
    std::vector<double> of_path, of_cycle;
    for (std::int64_t k = 0; k < n; ++k) {
      of_path.push_back(2 - 2 * std::cos(std::numbers::pi * static_cast<double>(k) / static_cast<double>(n)));
      of_cycle.push_back(2 - 2 * std::cos(2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n)));
    }
    std::ranges::sort(of_cycle);
    check_spectrum(path(n), false, of_path);
    check_spectrum(cycle(n), false, of_cycle);
  }
}

TEST_CASE("Oracle C.13: eigenvectors of the path P3, with the sign convention", "[graph]") {
  const Tensor v = laplacian_eigenvectors(path(3), {.count = 3, .normalised = false, .skip_first = false}).vectors;
  const double root2 = std::sqrt(2), root3 = std::sqrt(3), root6 = std::sqrt(6);
  const std::vector<double> expected{1 / root3, 1 / root2, -1 / root6, 1 / root3, 0,
                                     2 / root6, 1 / root3, -1 / root2, -1 / root6};
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(v.data<float>()[i] == Approx(expected[i]).margin(1e-7));
}

TEST_CASE("Eigenvectors of random graphs: residual, orthonormality, padding, sign", "[graph]") {
  Generator random(8);
  for (int round = 0; round < 32; ++round) {
    const std::int64_t n = random.below(50);
    const Graph graph = n == 0 ? Graph() : test::random_graph(random, n, random.below(3 * n));
    check_vectors(graph, {.count = 1 + random.below(12), .normalised = round % 2 == 0, .skip_first = round % 4 < 2});
  }
  check_vectors(Graph(), {.count = 3});
  check_vectors(Graph::from_edges(1, {{0, 0}}), {.count = 3});
  check_vectors(Graph::from_edges(1, {}), {.count = 3, .skip_first = false});
  check_vectors(Graph::from_edges(6, {}), {.count = 8, .normalised = false});
}

TEST_CASE("As many zeros as components", "[graph]") {
  Generator random(9);
  for (int round = 0; round < 10; ++round) {
    const std::int64_t n = 1 + random.below(40);
    const Graph graph = test::random_graph(random, n, random.below(n));
    for (const bool normalised : {false, true}) {
      const std::vector<double> values = spectrum(graph, normalised);
      CHECK(std::ranges::count_if(values, [](double value) { return value < 1e-6; }) == count_components(graph));
    }
  }
}

TEST_CASE("Eigenvectors do not depend on the batch or on the number of threads", "[graph]") {
  Generator random(10);
  std::vector<Graph> graphs{Graph()};
  for (int g = 0; g < 12; ++g) graphs.push_back(test::random_graph(random, 1 + random.below(60), random.below(100)));
  const int before = threads();
  set_threads(1);
  const LaplacianEigen one = laplacian_eigenvectors(graphs, {.count = 6});
  std::int64_t row = 0;
  for (std::size_t g = 0; g < graphs.size(); ++g) {
    const LaplacianEigen alone = laplacian_eigenvectors(graphs[g], {.count = 6});
    CHECK(bit_equal(alone.vectors, one.vectors.rows(row, row + graphs[g].num_nodes())));
    CHECK(bit_equal(alone.values, one.values.rows(static_cast<std::int64_t>(g), static_cast<std::int64_t>(g) + 1)));
    row += graphs[g].num_nodes();
  }
  for (const int count : {2, 7}) {
    set_threads(count);
    const LaplacianEigen more = laplacian_eigenvectors(graphs, {.count = 6});
    CHECK(bit_equal(more.vectors, one.vectors));
    CHECK(bit_equal(more.values, one.values));
    CHECK(bit_equal(more.found, one.found));
  }
  set_threads(before);
}

TEST_CASE("Signs flip by column, or by graph and column", "[graph]") {
  const Ragged nodes({0, 40, 40, 100});
  const Tensor vectors = Tensor::full({100, 32}, 2);
  const RandomStream stream{.seed = 5, .stream = 9};
  const auto sign = [](const Tensor& v, std::int64_t i, std::int64_t k) { return v.data<float>()[i * 32 + k] / 2; };
  const Tensor whole = flip_signs(vectors, stream), each = flip_signs(vectors, nodes, stream);
  CHECK(vectors.data<float>()[0] == 2);
  CHECK(bit_equal(whole, flip_signs(vectors, stream)));
  CHECK(!bit_equal(whole, flip_signs(vectors, {.seed = 5, .stream = 10})));
  int minus = 0, differ = 0;
  for (std::int64_t k = 0; k < 32; ++k) {
    for (std::int64_t i = 0; i < 100; ++i) {
      REQUIRE(std::abs(sign(whole, i, k)) == 1);
      REQUIRE(sign(whole, i, k) == sign(whole, 0, k));
      REQUIRE(sign(each, i, k) == sign(each, i < 40 ? 0 : 40, k));
    }
    minus += sign(whole, 0, k) < 0 ? 1 : 0;
    differ += sign(each, 0, k) != sign(each, 40, k) ? 1 : 0;
  }
  CHECK(minus > 6);
  CHECK(minus < 26);
  CHECK(differ > 6);
  CHECK_THROWS_AS(flip_signs(vectors, Ragged({0, 99}), stream), ShapeError);
  CHECK_THROWS_AS(flip_signs(Tensor::zeros({4}), stream), ShapeError);
  CHECK(flip_signs(Tensor::empty({0, 3}), stream).shape() == Shape{0, 3});
}

TEST_CASE("Laplacian encodings refuse what has no meaning", "[graph]") {
  CHECK(laplacian_eigenvectors(std::span<const Graph>{}, {.count = 2}).vectors.shape() == Shape{0, 2});
  CHECK_THROWS_AS(laplacian_eigenvectors(Graph(), {.count = 0}), ValueError);
  CHECK_THROWS_AS(laplacian_eigenvectors(Graph::bipartite(1, 2, {}, {})), ShapeError);
  CHECK_THROWS_AS(laplacian_eigenvectors(Graph::from_edges(16385, {})), ShapeError);
}
