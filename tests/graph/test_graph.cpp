#include <algorithm>
#include <numeric>
#include <set>

#include "core/error.hpp"
#include "core/random.hpp"
#include "graph/components.hpp"
#include "graph/graph.hpp"
#include "graph/rows.hpp"
#include "tests/support/catch.hpp"

using namespace atto;

namespace {

using Indices = std::vector<std::int32_t>;

Indices list(std::span<const std::int32_t> values) {
  return {values.begin(), values.end()};
}

struct Listed {
  std::int64_t nodes;
  Indices src, dst;
};

Listed random_edges(Generator& random, std::int64_t nodes, std::int64_t edges) {
  Listed list{.nodes = nodes, .src = {}, .dst = {}};
  for (std::int64_t k = 0; k < edges; ++k) {
    list.src.push_back(static_cast<std::int32_t>(random.below(nodes)));
    list.dst.push_back(static_cast<std::int32_t>(random.below(nodes)));
  }
  return list;
}

std::multiset<std::pair<int, int>> ends(const Graph& graph) {
  std::multiset<std::pair<int, int>> set;
  for (std::int64_t e = 0; e < graph.num_edges(); ++e) set.emplace(graph.in_src()[e], graph.edge_dst()[e]);
  return set;
}

// Everything that holds for every graph.
void check_invariants(const Graph& graph) {
  const std::int64_t edges = graph.num_edges();
  REQUIRE(std::ssize(graph.in_offsets()) == graph.num_dst() + 1);
  REQUIRE(std::ssize(graph.out_offsets()) == graph.num_src() + 1);
  for (const auto column : {graph.in_src(), graph.edge_dst(), graph.out_dst(), graph.out_edge(), graph.edge_order()})
    REQUIRE(std::ssize(column) == edges);
  CHECK(std::is_sorted(graph.edge_dst().begin(), graph.edge_dst().end()));
  for (std::int32_t i = 0; i < graph.num_dst(); ++i)
    for (std::int32_t e = graph.in_offsets()[i]; e < graph.in_offsets()[i + 1]; ++e) CHECK(graph.edge_dst()[e] == i);
  Indices edge_ids = list(graph.out_edge());
  for (std::int32_t j = 0; j < graph.num_src(); ++j)
    for (std::int32_t k = graph.out_offsets()[j]; k < graph.out_offsets()[j + 1]; ++k) {
      CHECK(graph.in_src()[graph.out_edge()[k]] == j);
      CHECK(graph.edge_dst()[graph.out_edge()[k]] == graph.out_dst()[k]);
      if (k > graph.out_offsets()[j]) CHECK(graph.out_edge()[k] > graph.out_edge()[k - 1]);
    }
  std::ranges::sort(edge_ids);
  for (std::int64_t e = 0; e < edges; ++e) CHECK(edge_ids[e] == e);
  const auto check_blocks = [](std::span<const std::int32_t> blocks, std::int64_t rows) {
    CHECK(blocks.front() == 0);
    CHECK(blocks.back() == rows);
    CHECK(std::adjacent_find(blocks.begin(), blocks.end(), std::greater_equal{}) == blocks.end());
  };
  check_blocks(graph.in_blocks(), graph.num_dst());
  check_blocks(graph.out_blocks(), graph.num_src());
}

}  // namespace

TEST_CASE("Edges are numbered by destination, then in the order of the caller", "[graph]") {
  const Graph graph = Graph::from_edges(3, {{0, 2}, {2, 0}, {1, 2}, {0, 0}, {0, 2}});
  CHECK(list(graph.in_offsets()) == Indices{0, 2, 2, 5});
  CHECK(list(graph.in_src()) == Indices{2, 0, 0, 1, 0});
  CHECK(list(graph.edge_dst()) == Indices{0, 0, 2, 2, 2});
  CHECK(list(graph.edge_order()) == Indices{1, 3, 0, 2, 4});
  CHECK(list(graph.out_offsets()) == Indices{0, 3, 4, 5});
  CHECK(list(graph.out_dst()) == Indices{0, 2, 2, 2, 0});
  CHECK(list(graph.out_edge()) == Indices{1, 2, 4, 3, 0});
  CHECK(graph.in_degree(2) == 3);
  CHECK(graph.out_degree(0) == 3);
  check_invariants(graph);
}

TEST_CASE("Random graphs keep their edges and every invariant", "[graph]") {
  Generator random(1);
  for (int round = 0; round < 40; ++round) {
    const Listed edges = random_edges(random, 1 + random.below(30), random.below(200));
    const Graph graph = Graph::from_edges(edges.nodes, edges.src, edges.dst);
    check_invariants(graph);
    for (std::int64_t e = 0; e < graph.num_edges(); ++e) {
      CHECK(graph.in_src()[e] == edges.src[graph.edge_order()[e]]);
      CHECK(graph.edge_dst()[e] == edges.dst[graph.edge_order()[e]]);
      if (e > 0 && graph.edge_dst()[e] == graph.edge_dst()[e - 1])
        CHECK(graph.edge_order()[e] > graph.edge_order()[e - 1]);
    }
    CHECK(graph == Graph::from_in_csr(graph.num_src(), list(graph.in_offsets()), list(graph.in_src())));
  }
}

TEST_CASE("Edits follow their definitions, and features follow the edits", "[graph]") {
  Generator random(2);
  for (int round = 0; round < 40; ++round) {
    const Listed edges = random_edges(random, 1 + random.below(12), random.below(60));
    const Graph graph = Graph::from_edges(edges.nodes, edges.src, edges.dst);
    const auto before = ends(graph);
    const std::set<std::pair<int, int>> distinct(before.begin(), before.end());

    const auto check_map = [&](const GraphEdit& edit, bool may_reverse) {
      check_invariants(edit.graph);
      REQUIRE(std::ssize(edit.edge_map) == edit.graph.num_edges());
      for (std::int64_t e = 0; e < edit.graph.num_edges(); ++e) {
        const std::int32_t old = edit.edge_map[e], j = edit.graph.in_src()[e], i = edit.graph.edge_dst()[e];
        CHECK(edit.graph.edge_order()[e] == (old < 0 ? -1 : graph.edge_order()[old]));
        if (old < 0) continue;
        const bool same = graph.in_src()[old] == j && graph.edge_dst()[old] == i;
        const bool reversed = graph.in_src()[old] == i && graph.edge_dst()[old] == j;
        CHECK((same || (may_reverse && reversed && !distinct.contains({j, i}))));
      }
    };

    const GraphEdit coalesced = graph.coalesced();
    check_map(coalesced, false);
    CHECK(ends(coalesced.graph) == std::multiset<std::pair<int, int>>(distinct.begin(), distinct.end()));
    for (std::int64_t e = 0; e < coalesced.graph.num_edges(); ++e)  // the first of its kind stays
      for (std::int32_t earlier = 0; earlier < coalesced.edge_map[e]; ++earlier)
        CHECK((graph.in_src()[earlier] != coalesced.graph.in_src()[e] ||
               graph.edge_dst()[earlier] != coalesced.graph.edge_dst()[e]));

    const GraphEdit plain = graph.without_self_loops();
    check_map(plain, false);
    CHECK(count_self_loops(plain.graph) == 0);
    CHECK(plain.graph.num_edges() == graph.num_edges() - count_self_loops(graph));

    const GraphEdit looped = graph.with_self_loops();
    check_map(looped, false);
    auto expected = before;
    for (int i = 0; i < edges.nodes; ++i)
      if (!distinct.contains({i, i})) expected.emplace(i, i);
    CHECK(ends(looped.graph) == expected);
    CHECK(looped.graph.with_self_loops().graph == looped.graph);

    const GraphEdit one_loop = graph.with_one_self_loop();
    check_map(one_loop, false);
    CHECK(one_loop.graph == plain.graph.with_self_loops().graph);
    for (std::int64_t e = 0; e < one_loop.graph.num_edges(); ++e)
      CHECK((one_loop.edge_map[e] == -1) == (one_loop.graph.in_src()[e] == one_loop.graph.edge_dst()[e]));

    const GraphEdit undirected = graph.undirected();
    check_map(undirected, true);
    std::set<std::pair<int, int>> both = distinct;
    for (const auto& [j, i] : distinct) both.emplace(i, j);
    CHECK(ends(undirected.graph) == std::multiset<std::pair<int, int>>(both.begin(), both.end()));
    CHECK(is_symmetric(undirected.graph));
    CHECK(is_symmetric(graph) == (both == distinct));
  }
}

TEST_CASE("Feature rows follow an edge map, added edges are filled", "[graph]") {
  const Graph graph = Graph::from_edges(2, {{0, 1}, {0, 0}});
  const Tensor features = take_rows(Tensor::from({10.f, 11.f, 20.f, 21.f}, {2, 2}), graph.edge_order());
  const GraphEdit edit = graph.with_self_loops();
  const Tensor moved = take_rows(features, edit.edge_map, -1);
  CHECK(bit_equal(moved, Tensor::from({20.f, 21.f, 10.f, 11.f, -1.f, -1.f}, {3, 2})));
  CHECK(!take_rows(Tensor(), edit.edge_map).defined());
  CHECK_THROWS_AS(take_rows(features, Indices{2}), IndexError);
  CHECK_THROWS_AS(take_rows(features, Indices{-2}), IndexError);
}

TEST_CASE("Degenerate graphs work everywhere", "[graph]") {
  const Graph nothing;
  check_invariants(nothing);
  CHECK(nothing == Graph::from_edges(0, {}));
  CHECK(nothing.describe() ==
        "Graph: 0 nodes, 0 edges, in-degree 0..0 (mean 0.00), 0 self-loops, undirected, 0 components");
  const Graph isolated = Graph::from_edges(3, {});
  check_invariants(isolated);
  CHECK(isolated.with_self_loops().graph == Graph::from_edges(3, {{0, 0}, {1, 1}, {2, 2}}));
  CHECK(isolated.undirected().graph == isolated);
  const Graph loop = Graph::from_edges(1, {{0, 0}});
  CHECK(loop.without_self_loops().graph == Graph::from_edges(1, {}));
  CHECK(loop.describe() == "Graph: 1 node, 1 edge, in-degree 1..1 (mean 1.00), 1 self-loop, undirected, 1 component");
  CHECK(Graph::from_edges(5, {{0, 1}, {3, 2}}).describe() ==
        "Graph: 5 nodes, 2 edges, in-degree 0..1 (mean 0.40), 0 self-loops, directed, 3 components");
}

TEST_CASE("A hub is a range of its own, the rest is balanced", "[graph]") {
  constexpr std::int32_t kLeaves = 10'000;
  Indices src(kLeaves), dst(kLeaves, 5'000);
  std::iota(src.begin(), src.end(), 0);
  const Graph graph = Graph::from_edges(kLeaves, src, dst);
  CHECK(graph.in_degree(5'000) == kLeaves);
  const auto blocks = graph.in_blocks();
  const auto hub = std::ranges::find(blocks, 5'000);
  REQUIRE(hub != blocks.end());
  CHECK(hub[1] == 5'001);
  for (std::size_t b = 0; b + 1 < blocks.size(); ++b)
    if (blocks[b] != 5'000) CHECK(blocks[b + 1] - blocks[b] <= 512);
}

TEST_CASE("Sources and destinations may be different sets", "[graph]") {
  const Graph graph = Graph::bipartite(4, 2, Indices{3, 0, 3}, Indices{1, 1, 0});
  check_invariants(graph);
  CHECK(!graph.is_square());
  CHECK(list(graph.in_src()) == Indices{3, 3, 0});
  CHECK(graph.describe() == "Graph: 4 sources to 2 destinations, 3 edges, in-degree 1..2 (mean 1.50)");
  CHECK(graph.coalesced().graph == graph);
  CHECK_THROWS_AS(graph.num_nodes(), ShapeError);
  CHECK_THROWS_AS(graph.with_self_loops(), ShapeError);
  CHECK_THROWS_AS(graph.with_one_self_loop(), ShapeError);
  CHECK_THROWS_AS(graph.without_self_loops(), ShapeError);
  CHECK_THROWS_AS(graph.undirected(), ShapeError);
  CHECK_THROWS_AS(is_symmetric(graph), ShapeError);
}

TEST_CASE("An edge that leads outside is named", "[graph]") {
  CHECK_THROWS_WITH(Graph::from_edges(3, {{0, 1}, {1, 3}}), "Graph: destination of edge 1: got 3, expected 0 to 2");
  CHECK_THROWS_WITH(Graph::from_edges(3, {{0, 1}, {-1, 0}}), "Graph: source of edge 1: got -1, expected 0 to 2");
  CHECK_THROWS_AS(Graph::from_edges(0, {{0, 0}}), IndexError);
  CHECK_THROWS_AS(Graph::from_edges(3, Indices{0}, Indices{}), ShapeError);
  CHECK_THROWS_AS(Graph::from_edges(std::int64_t{1} << 31, {}), ValueError);
  CHECK_THROWS_AS(Graph::from_edges(-1, {}), ValueError);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {0, 2, 1}, {0}), ValueError);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {0, 2}, {0}), ValueError);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {}, {}), ValueError);
  CHECK_THROWS_AS(Graph::from_in_csr(2, {0, 1}, {2}), IndexError);
}

TEST_CASE("Degrees count listed edges", "[graph]") {
  const Graph graph = Graph::from_edges(3, {{0, 2}, {2, 0}, {1, 2}, {0, 0}, {0, 2}});
  CHECK(bit_equal(in_degrees(graph), Tensor::from<std::int64_t>({2, 0, 3}, {3})));
  CHECK(bit_equal(out_degrees(graph), Tensor::from<std::int64_t>({3, 1, 1}, {3})));
  CHECK(in_degrees(Graph()).shape() == Shape{0});
  CHECK(out_degrees(Graph::bipartite(3, 1, {}, {})).shape() == Shape{3});
}

TEST_CASE("Components do not care for directions", "[graph]") {
  CHECK(components(Graph::from_edges(6, {{5, 0}, {2, 1}, {5, 4}})) == Indices{0, 1, 1, 2, 0, 0});
  CHECK(count_components(Graph()) == 0);
}
