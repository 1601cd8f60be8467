// Bugs that PyTorch, PyTorch Geometric, DGL or a reference implementation once had, where no other test covers them
// already. tests/past_bugs.md lists them all, with the test that keeps each from happening here.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/allocator.hpp"
#include "core/sanitizer.hpp"
#include "graph/components.hpp"
#include "graph/generators.hpp"
#include "graph/laplacian.hpp"
#include "graph/rwse.hpp"
#include "graph/support.hpp"
#include "nn/conv/looped_graph.hpp"
#include "nn/layers/linear.hpp"
#include "nn/layers/norm.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"
#include "ops/reduce/reduce.hpp"
#include "ops/shape/shape.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/op_case.hpp"

using namespace atto;

namespace {

bool finite(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

Tensor numbers(const Shape& shape, std::uint64_t seed) {
  return test::uniform(shape, -1, 1, seed).to(DType::float32);
}

// The directed graph of pyg-team/pytorch_geometric issue 7960.
Graph directed() {
  return Graph::from_edges(4, {{0, 2}, {0, 3}, {1, 3}, {2, 0}, {3, 0}});
}

}  // namespace

TEST_CASE("past bugs: messages go from source to destination, in graphs that are not symmetric") {
  const Tensor x = Tensor::from({1.0f, 10.0f, 100.0f, 1000.0f}, {4, 1});
  CHECK(bit_equal(spmm(directed(), {}, x).value(), Tensor::from({1100.0f, 0.0f, 1.0f, 11.0f}, {4, 1})));
  // Backward goes the other way.
  const Var leaf = Var::leaf(x);
  sum(spmm(directed(), {}, leaf) * Var(x)).backward();
  CHECK(bit_equal(leaf.grad(), Tensor::from({1100.0f, 1000.0f, 1.0f, 1.0f}, {4, 1})));
}

TEST_CASE("past bugs: softmax over edges normalises what comes in, not what goes out") {
  const Graph g = directed();
  const Tensor a = edge_softmax(g, numbers({g.num_edges(), 2}, 3)).value();
  std::vector<double> in(4, 0), out(4, 0);
  for (std::int64_t e = 0; e < g.num_edges(); ++e) {
    in[static_cast<std::size_t>(g.edge_dst()[static_cast<std::size_t>(e)])] += a.data<float>()[2 * e];
    out[static_cast<std::size_t>(g.in_src()[static_cast<std::size_t>(e)])] += a.data<float>()[2 * e];
  }
  for (const int node : {0, 2, 3}) CHECK(in[static_cast<std::size_t>(node)] == Approx(1));
  CHECK(in[1] == 0);
  CHECK(out[0] != Approx(1));
}

TEST_CASE("past bugs: an edge that is listed twice counts twice, a loop that is there already is not added again") {
  const Graph twice = Graph::from_edges(2, {{0, 1}, {0, 1}, {1, 1}});
  const Tensor x = Tensor::from({1.0f, 5.0f}, {2, 1});
  CHECK(bit_equal(spmm(twice, {}, x).value(), Tensor::from({0.0f, 7.0f}, {2, 1})));
  const Graph looped = twice.with_one_self_loop().graph;
  CHECK(count_self_loops(looped) == 2);
  CHECK(bit_equal(spmm(looped, {}, x).value(), Tensor::from({1.0f, 7.0f}, {2, 1})));
}

TEST_CASE("past bugs: a row that is masked altogether is zero, and no NaN reaches the layers behind it") {
  Model model;
  const Linear after(model / "after", 4, 3);
  const Ragged nodes = Ragged::from_sizes(std::vector<std::int64_t>{2, 3});
  // Query 1 of the first graph sees nothing.
  const BucketPlane planes{.values = Tensor::full({13}, 0, DType::uint8), .offsets = {0, 4, 13}};
  planes.values.data<std::uint8_t>()[2] = planes.values.data<std::uint8_t>()[3] = 1;
  const Tensor add = Tensor::from(
      {0.0f, -std::numeric_limits<float>::infinity(), 0.0f, -std::numeric_limits<float>::infinity()}, {2, 2});
  const Var q = Var::leaf(numbers({5, 2, 2}, 1)), k = Var::leaf(numbers({5, 2, 2}, 2)),
            v = Var::leaf(numbers({5, 2, 2}, 3));
  const Var y = ragged_attention(q, k, v, nodes, nodes, planes, {.multiply = {}, .add = add, .gate = {}});
  for (int d = 0; d < 4; ++d) CHECK(y.value().data<float>()[4 + d] == 0);
  const Var out = after(reshape(y, {5, 4}));
  sum(out * out).backward();
  CHECK(finite(out.value()));
  for (const Var& leaf : {q, k, v, after.weight().var()}) CHECK(finite(leaf.grad()));
  for (int d = 0; d < 4; ++d) CHECK(q.grad().data<float>()[4 + d] == 0);
}

TEST_CASE("past bugs: masks are those of their own graph and head, whichever are more") {
  for (const auto& [sizes, heads] : {std::pair{std::vector<std::int64_t>{3, 1, 4}, std::int64_t{2}},
                                     {std::vector<std::int64_t>{2, 3}, std::int64_t{5}}}) {
    const Ragged nodes = Ragged::from_sizes(sizes);
    BucketPlane planes;
    std::int64_t pairs = 0;
    for (const std::int64_t size : sizes) planes.offsets.push_back(pairs += size * size);
    planes.values = Tensor::empty({pairs}, DType::uint8);
    for (std::int64_t p = 0; p < pairs; ++p)
      planes.values.data<std::uint8_t>()[p] = static_cast<std::uint8_t>(p * 7 % 3);
    const Tensor table = numbers({heads, 3}, 9);
    const Tensor q = numbers({nodes.total(), heads, 4}, 1), k = numbers({nodes.total(), heads, 4}, 2),
                 v = numbers({nodes.total(), heads, 4}, 3);
    const Tensor together =
        ragged_attention(q, k, v, nodes, nodes, planes, {.multiply = table, .add = {}, .gate = {}}).value();
    for (std::int64_t g = 0; g < nodes.count(); ++g) {
      const Ragged alone = Ragged::single(nodes.size(g));
      const BucketPlane plane{.values = planes.values.rows(planes.offsets[static_cast<std::size_t>(g)],
                                                           planes.offsets[static_cast<std::size_t>(g) + 1]),
                              .offsets = {0, nodes.size(g) * nodes.size(g)}};
      const auto rows = [&](const Tensor& x) { return x.rows(nodes.begin(g), nodes.end(g)); };
      CHECK(bit_equal(rows(together), ragged_attention(rows(q), rows(k), rows(v), alone, alone, plane,
                                                       {.multiply = table, .add = {}, .gate = {}})
                                          .value()));
    }
  }
}

TEST_CASE("past bugs: batch norm of a single node is its bias, trains on, and leaves the running statistics alone") {
  Model model;
  const BatchNorm norm(model / "norm", 3);
  const Var x = Var::leaf(Tensor::full({1, 3}, 7));
  const Var y = norm(x);
  CHECK(bit_equal(y.value(), Tensor::zeros({1, 3})));
  sum(y * 2.0).backward();
  CHECK(bit_equal(x.grad(), Tensor::zeros({1, 3})));
  CHECK(bit_equal(model.buffer("norm.running_mean"), Tensor::zeros({3})));
  CHECK(bit_equal(model.buffer("norm.running_var"), Tensor::full({3}, 1)));
}

TEST_CASE("past bugs: nodes that are not sorted by graph cannot be said, so nothing mixes them up") {
  CHECK_THAT_SAYS(ValueError, Ragged({0, 3, 2}), "offsets");
  CHECK_THAT_SAYS(ValueError, Ragged({1, 3}), "offsets");
}

TEST_CASE("past bugs: encodings of one node, of two nodes apart, and with more columns than nodes are finite") {
  for (const Graph& graph : {Graph::from_edges(0, {}), Graph::from_edges(1, {}), Graph::from_edges(2, {}),
                             generate::path(2), Graph::from_edges(5, {{0, 1}, {1, 0}, {3, 4}, {4, 3}})}) {
    CHECK(finite(rwse(graph, 16)));
    const LaplacianEigen eigen = laplacian_eigenvectors(graph, {.count = 10, .normalised = true, .skip_first = false});
    CHECK(finite(eigen.vectors));
    CHECK(finite(eigen.values));
    CHECK(eigen.found.data<std::int64_t>()[0] == graph.num_nodes());
  }
}

TEST_CASE("past bugs: sizes beyond 2^31 are multiplied in 64 bits, or refused before anything is allocated") {
  const std::int64_t calls = allocator::statistics().system_calls;
  const Support pairs = Support::pairs(Ragged::single(50'000));
  CHECK(pairs.num_dst() == 50'000);
  CHECK_THAT_SAYS(ShapeError, pairs.graph(), "2500000000");
  CHECK_THAT_SAYS(ShapeError, Shape({std::int64_t{1} << 40, std::int64_t{1} << 40}), "expected at most 2^63 - 1");
  CHECK(Shape({8'643'286, 256}).numel() == std::int64_t{2'212'681'216});
  CHECK(allocator::statistics().system_calls == calls);
}

// rusty1s/pytorch_sparse issue 223: 8,643,286 rows of 256 are more than 2^31 numbers. The memory is asked for, but only
// the pages of the rows that an edge names are ever touched.
TEST_CASE("past bugs: a row beyond the 2^31st number is read at its place", "[slow]") {
#if defined(ATTO_ADDRESS_SANITIZER) || defined(ATTO_THREAD_SANITIZER)
  return test::skip("sanitizers touch all memory that is asked for");
#else
  constexpr std::int64_t kRows = 8'643'286, kWidth = 256;
  Tensor x;
  try {
    x = Tensor::empty({kRows, kWidth});
  } catch (const MemoryError&) {
    return test::skip("the system does not lend 9 GB of addresses");
  }
  const std::vector<std::int32_t> src{kRows - 1, kRows - 2}, dst{0, 1};
  x.rows(kRows - 2, kRows - 1).fill(2);
  x.rows(kRows - 1, kRows).fill(3);
  const Graph graph = Graph::bipartite(kRows, 2, src, dst);
  const NoGrad no_grad;
  const Tensor y = spmm(graph, {}, x).value();
  CHECK(bit_equal(y.rows(0, 1), Tensor::full({1, kWidth}, 3)));
  CHECK(bit_equal(y.rows(1, 2), Tensor::full({1, kWidth}, 2)));
  CHECK(bit_equal(edge_add(graph, x, {}).value(), y));
  x = {};
  allocator::trim();
#endif
}
