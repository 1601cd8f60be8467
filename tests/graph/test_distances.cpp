#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "graph/distances.hpp"
#include "graph/readers.hpp"
#include "graph/rwse.hpp"
#include "tests/graph/shapes.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/data.hpp"

using namespace atto;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes distances(const Graph& graph) {
  const Tensor plane = hop_distances(graph);
  return {plane.values<std::uint8_t>().begin(), plane.values<std::uint8_t>().end()};
}

// Floyd and Warshall, on integers; 510 stands for unreachable, as in the reference of the model.
Bytes all_pairs(const Graph& graph) {
  constexpr int kNone = 510;
  const std::int64_t n = graph.num_nodes();
  std::vector<int> d(static_cast<std::size_t>(n * n), kNone);
  for (std::int64_t e = 0; e < graph.num_edges(); ++e) d[graph.in_src()[e] * n + graph.edge_dst()[e]] = 1;
  for (std::int64_t i = 0; i < n; ++i) d[i * n + i] = 0;
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < n; ++j) d[i * n + j] = std::min(d[i * n + j], d[i * n + k] + d[k * n + j]);
  Bytes bytes;
  for (const int hops : d) bytes.push_back(static_cast<std::uint8_t>(hops >= kNone ? 255 : std::min(hops, 254)));
  return bytes;
}

}  // namespace

TEST_CASE("Oracle A.1: distances of the path P4", "[graph]") {
  CHECK(distances(test::path(4)) == Bytes{0, 1, 2, 3, 1, 0, 1, 2, 2, 1, 0, 1, 3, 2, 1, 0});
}

TEST_CASE("Oracle A.2: there is no path between components", "[graph]") {
  CHECK(distances(Graph::from_edges(3, {{0, 1}, {1, 0}})) == Bytes{0, 1, 255, 1, 0, 255, 255, 255, 0});
}

TEST_CASE("Oracle A.3: cycles, stars and complete graphs", "[graph]") {
  for (const std::int64_t n : {3, 4, 7, 70, 200}) {
    const Bytes cycle = distances(test::cycle(n)), star = distances(test::star(n - 1)),
                complete = distances(test::complete(n));
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        const std::int64_t apart = std::abs(i - j);
        REQUIRE(cycle[i * n + j] == std::min(apart, n - apart));
        REQUIRE(star[i * n + j] == (i == j ? 0 : i == 0 || j == 0 ? 1 : 2));
        REQUIRE(complete[i * n + j] == (i == j ? 0 : 1));
      }
  }
}

TEST_CASE("Distances are those of Floyd and Warshall", "[graph]") {
  Generator random(3);
  for (int round = 0; round < 60; ++round) {
    const std::int64_t nodes = 1 + random.below(150);
    // From almost no edges, so that the queue is searched, to almost all, where the bit sets are.
    const Graph graph =
        test::random_graph(random, nodes, random.below(nodes * (1 + random.below(round % 2 ? 4 : nodes))));
    REQUIRE(distances(graph) == all_pairs(graph));
    REQUIRE(distances(graph.coalesced().graph) == distances(graph));
    REQUIRE(distances(graph.without_self_loops().graph) == distances(graph));
  }
}

TEST_CASE("Distances obey the triangle inequality, shrink with edges and follow a relabelling", "[graph]") {
  Generator random(4);
  for (int round = 0; round < 20; ++round) {
    const std::int64_t n = 2 + random.below(40);
    const Graph graph = test::random_graph(random, n, random.below(3 * n));
    const Bytes d = distances(graph);
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t k = 0; k < n; ++k)
          if (d[i * n + k] != 255 && d[k * n + j] != 255) REQUIRE(d[i * n + j] <= d[i * n + k] + d[k * n + j]);

    std::vector<std::int32_t> src(graph.in_src().begin(), graph.in_src().end()),
        dst(graph.edge_dst().begin(), graph.edge_dst().end());
    const std::vector<std::int64_t> label = random.permutation(n);
    const Bytes relabelled = distances(test::relabelled(graph, label));
    src.push_back(static_cast<std::int32_t>(random.below(n)));
    dst.push_back(static_cast<std::int32_t>(random.below(n)));
    const Bytes more = distances(Graph::from_edges(n, src, dst));
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        REQUIRE(relabelled[label[i] * n + label[j]] == d[i * n + j]);
        REQUIRE(more[i * n + j] <= d[i * n + j]);
      }
  }
}

TEST_CASE("A path through node 0 is found, and directions count", "[graph]") {
  CHECK(distances(Graph::from_edges(3, {{1, 0}, {0, 2}})) == Bytes{0, 255, 1, 1, 0, 2, 255, 255, 0});
}

TEST_CASE("Long distances saturate below the mark for unreachable", "[graph]") {
  for (const bool both_ways : {false, true}) {
    const std::int64_t n = 300;
    EdgeList edges;
    for (std::int64_t i = 1; i < n; ++i) both_ways ? edges.join(i - 1, i) : edges.add(i - 1, i);
    const Bytes d = distances(edges.graph(n));
    CHECK(d[253] == 253);
    CHECK(d[254] == 254);
    CHECK(d[255] == 254);
    CHECK(d[299] == 254);
    CHECK(d[(n - 1) * n] == (both_ways ? 254 : 255));
  }
}

TEST_CASE("Distances of degenerate graphs", "[graph]") {
  CHECK(hop_distances(Graph()).numel() == 0);
  CHECK(hop_distances(Graph()).shape() == Shape{0, 0});
  CHECK(distances(Graph::from_edges(1, {})) == Bytes{0});
  CHECK(distances(Graph::from_edges(1, {{0, 0}})) == Bytes{0});
  CHECK(distances(Graph::from_edges(2, {})) == Bytes{0, 255, 255, 0});
  CHECK(hop_distances(std::span<const Graph>{}).values.numel() == 0);
  CHECK_THROWS_AS(hop_distances(Graph::bipartite(1, 2, {}, {})), ShapeError);
  CHECK_THROWS_AS(hop_distances(Graph::from_edges(11, {}), {.max_bytes = 120}), ValueError);
  CHECK_THROWS_AS(hop_distances(Graph::from_edges(std::int64_t{1} << 20, {})), ValueError);
}

TEST_CASE("Distances of a hub of 10000 edges", "[graph]") {
  std::vector<std::int32_t> src, dst(10'000, 0);
  for (std::int32_t i = 1; i <= 10'000; ++i) src.push_back(i);
  const Tensor d = hop_distances(Graph::from_edges(10'001, src, dst));
  CHECK(std::ranges::count(d.values<std::uint8_t>(), 1) == 10'000);
  CHECK(std::ranges::count(d.values<std::uint8_t>(), 0) == 10'001);
}

TEST_CASE("Distances do not depend on the batch or on the number of threads", "[graph]") {
  Generator random(5);
  std::vector<Graph> graphs{Graph()};
  for (int g = 0; g < 30; ++g) {
    const std::int64_t n = 1 + random.below(300);
    graphs.push_back(test::random_graph(random, n, random.below(8 * n)));
  }
  const int before = threads();
  set_threads(1);
  const BucketPlane one = hop_distances(graphs);
  for (std::size_t g = 0; g < graphs.size(); ++g) {
    const std::vector<std::int64_t> chosen{static_cast<std::int64_t>(g)};
    CHECK(bit_equal(take_planes(one, chosen).values.reshape({graphs[g].num_nodes(), graphs[g].num_nodes()}),
                    hop_distances(graphs[g])));
  }
  for (const int count : {2, 7}) {
    set_threads(count);
    CHECK(bit_equal(hop_distances(graphs).values, one.values));
  }
  set_threads(before);
}

TEST_CASE("Published hop statistics of TU data sets", "[graph][data]") {
  const auto data = test::data_folder();
  if (!data) return test::skip_data();
  struct Row {
    const char* name;
    std::int64_t pairs;
    double mean;                           // of finite distances, the zeros of the diagonal too
    std::int64_t median, ninety, largest;  // of the largest finite distance of each graph
    std::int64_t unreachable;
  };
  for (const Row& expected :
       {Row{"MUTAG", 64'381, 3.67, 8, 11, 15, 0}, Row{"NCI1", 4'422'013, 7.06, 12, 20, 45, 168'472},
        Row{"PROTEINS_full", 4'028'305, 10.42, 10, 22, 64, 402'066}, Row{"IMDB-BINARY", 492'081, 1.53, 2, 2, 2, 0}}) {
    INFO(expected.name);
    std::vector<Graph> graphs;
    for (const GraphSample& sample : read_tu(*data / "tu" / expected.name).samples) graphs.push_back(sample.graph);
    const BucketPlane planes = hop_distances(graphs);
    const auto values = planes.values.values<std::uint8_t>();
    std::int64_t unreachable = 0;
    double sum = 0;
    std::vector<std::int64_t> diameters;
    for (std::size_t g = 0; g < graphs.size(); ++g) {
      std::int64_t largest = 0;
      for (const std::uint8_t d : values.subspan(planes.offsets[g], planes.offsets[g + 1] - planes.offsets[g])) {
        if (d == kUnreachable) ++unreachable;
        else largest = std::max<std::int64_t>(largest, d);
        sum += d == kUnreachable ? 0 : d;
      }
      diameters.push_back(largest);
    }
    std::ranges::sort(diameters);
    CHECK(planes.offsets.back() == expected.pairs);
    CHECK(unreachable == expected.unreachable);
    CHECK(sum / static_cast<double>(planes.offsets.back() - unreachable) == Approx(expected.mean).margin(.005));
    CHECK(diameters[diameters.size() / 2] == expected.median);
    CHECK(diameters[static_cast<std::size_t>(std::ceil(.9 * static_cast<double>(diameters.size() - 1)))] ==
          expected.ninety);
    CHECK(diameters.back() == expected.largest);
  }
}

// Strongly regular graphs with the same parameters look alike to walks and distances (oracle C.15).
TEST_CASE("The fifteen graphs sr(25,12,5,6) have one distance count and one constant encoding", "[graph][data]") {
  const auto data = test::data_folder();
  if (!data) return test::skip_data();
  std::ifstream file(*data / "expressivity" / "sr251256.g6");
  int graphs = 0;
  for (std::string line; std::getline(file, line) && !line.empty(); ++graphs) {
    // graph6: n + 63, then the upper triangle column by column, six bits to a character.
    const std::int64_t n = line[0] - 63;
    EdgeList edges;
    std::int64_t bit = 0;
    for (std::int64_t j = 1; j < n; ++j)
      for (std::int64_t i = 0; i < j; ++i, ++bit)
        if ((line[1 + bit / 6] - 63) >> (5 - bit % 6) & 1) edges.join(i, j);
    const Graph graph = edges.graph(n);
    const Bytes d = distances(graph);
    CHECK(std::ranges::count(d, 0) == 25);
    CHECK(std::ranges::count(d, 1) == 300);
    CHECK(std::ranges::count(d, 2) == 300);
    const Tensor walks = rwse(graph, 4);
    for (std::int64_t i = 0; i < n; ++i) {
      const float* row = walks.data<float>() + 4 * i;
      CHECK(row[0] == 0);
      CHECK(row[1] == Approx(1. / 12).epsilon(1e-6));
      CHECK(row[2] == Approx(.0347222222).epsilon(1e-6));
      CHECK(row[3] == Approx(.0422453704).epsilon(1e-6));
    }
  }
  CHECK(graphs == 15);
}
