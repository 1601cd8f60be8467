// What the operations of graph attention declare to cost, against the formulas: E edges, N nodes, H heads of D numbers,
// b bytes per number and i per index.

#include "autograd/tape.hpp"
#include "core/trace.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge_attention/edge_attention.hpp"
#include "ops/gat/gat.hpp"
#include "ops/linear/linear.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"
#include "tests/ops/graphs.hpp"
#include "tests/support/catch.hpp"

namespace atto::test {
namespace {

constexpr double kEdges = 40, kNodes = 12, kHeads = 2, kDepth = 8, b = 4, i = 4;
constexpr double kWide = kHeads * kDepth;

Var rows(std::int64_t heads, std::int64_t depth) {
  return Var::leaf(Tensor::full({static_cast<std::int64_t>(kNodes), heads, depth}, 1));
}
Var wide() {
  return rows(2, 8);
}
Var per(double count) {
  return Var::leaf(Tensor::full({static_cast<std::int64_t>(count), 2}, 1));
}
Graph graph() {
  return random_square(12, 40, 3);
}

// Forward and backward of the only operation in `call`.
std::vector<Cost> costs(const std::function<Var()>& call) {
  trace::start();
  const Var y = call();
  backward(y, Tensor::full(y.shape(), 1));
  trace::stop();
  std::vector<Cost> costs;
  for (const trace::Event& event : trace::events()) costs.push_back(event.cost);
  REQUIRE(costs.size() == 2);
  return costs;
}

void check(const std::function<Var()>& call, double flops, double bytes, double backward_flops, double backward_bytes) {
  const std::vector<Cost> got = costs(call);
  CHECK(got[0].flops == flops);
  CHECK(got[0].bytes == bytes);
  CHECK(got[1].flops == backward_flops);
  CHECK(got[1].bytes == backward_bytes);
}

}  // namespace

TEST_CASE("costs: products of sparse and dense gather a row per edge and write one per node") {
  const double bytes = kEdges * kWide * b + kEdges * (i + kHeads * b) + kNodes * kWide * b;
  check([] { return spmm(graph(), per(kEdges), wide()); }, 2 * kEdges * kWide, bytes, 4 * kEdges * kWide, 2 * bytes);
  const double unweighted = kEdges * kWide * b + kEdges * i + kNodes * kWide * b;
  check([] { return spmm(graph(), {}, wide()); }, 2 * kEdges * kWide, unweighted, 2 * kEdges * kWide, unweighted);
}

TEST_CASE("costs: dot products on edges gather a row per edge and read one per node") {
  const double bytes = kEdges * kWide * b + kNodes * kWide * b + kEdges * i + kEdges * kHeads * b;
  check([] { return edge_dot(graph(), wide(), wide()); }, 2 * kEdges * kWide, bytes, 4 * kEdges * kWide, 2 * bytes);
}

TEST_CASE("costs: an edge softmax reads and writes a number per edge and head") {
  const double flops = 15 * kEdges * kHeads, bytes = 2 * kEdges * kHeads * b;
  check([] { return edge_softmax(graph(), per(kEdges)); }, flops, bytes, flops, bytes);
}

TEST_CASE("costs: a GAT gathers once forward and twice backward") {
  const double flops = 2 * kEdges * kWide + 15 * kEdges * kHeads;
  const double bytes = kEdges * kWide * b + kEdges * kHeads * b + kEdges * i + kNodes * kWide * b + kNodes * kHeads * b;
  check([] { return gat(graph(), wide(), per(kNodes), per(kNodes)); }, flops, bytes, 2 * flops, 2 * bytes);
  const double with_term = bytes + kEdges * kHeads * b;
  check([] { return gat(graph(), wide(), per(kNodes), per(kNodes), per(kEdges)); }, flops, with_term, 2 * flops,
        2 * with_term);
  const double dynamic = 6 * kEdges * kWide + 15 * kEdges * kHeads;
  const double dynamic_bytes = kEdges * kWide * b + kEdges * i + 2 * kNodes * kWide * b;
  check(
      [] {
        return gatv2(graph(), wide(), wide(), Var::leaf(Tensor::full({2, 8}, 1)));
      },
      dynamic, dynamic_bytes, 3 * dynamic, 3 * dynamic_bytes);
}

TEST_CASE("costs: dot attention on edges gathers keys and values, and five products in place of two backward") {
  const double flops = 4 * kEdges * kWide + 15 * kEdges * kHeads;
  const double bytes = 2 * (kEdges + kNodes) * kWide * b + kNodes * kHeads * b + kEdges * i;
  check([] { return edge_attention(graph(), wide(), wide(), wide()); }, flops, bytes, 2.5 * flops, 2.5 * bytes);
  const double with_terms = bytes + kEdges * kHeads * b + kEdges;
  check(
      [] {
        return edge_attention(graph(), wide(), wide(), wide(),
                              {.add = Var::leaf(Tensor::full({2, 3}, 1)),
                               .bias = per(kEdges),
                               .buckets = Tensor::zeros({40}, DType::uint8)});
      },
      flops, with_terms, 2.5 * flops, 2.5 * with_terms);
}

TEST_CASE("costs: dense attention reads queries, keys and values once, and buckets where there are tables") {
  const Ragged nodes({0, 5, 12});
  const double pairs = 25 + 49, flops = kHeads * pairs * (4 * kDepth + 20), bytes = 4 * kNodes * kWide * b;
  check([&] { return ragged_attention(wide(), wide(), wide(), nodes, nodes); }, flops, bytes, 2.5 * flops, 2.5 * bytes);
  const BucketPlane plane{.values = Tensor::zeros({25 + 49}, DType::uint8), .offsets = {0, 25, 25 + 49}};
  const double with_table = bytes + pairs;
  check(
      [&] {
        return ragged_attention(wide(), wide(), wide(), nodes, nodes, plane,
                                {.multiply = Var::leaf(Tensor::full({2, 3}, 1))});
      },
      flops, with_table, 2.5 * flops, 2.5 * with_table);
  const double seen = 15 + 28, causal = kHeads * seen * (4 * kDepth + 20);
  check([&] { return ragged_attention(wide(), wide(), wide(), nodes, nodes, {}, {}, {}, {.causal = true}); }, causal,
        bytes, 2.5 * causal, 2.5 * bytes);
  const double grouped = 3 * kNodes * kWide * b;  // one head of keys and values for both of queries
  check([&] { return ragged_attention(wide(), rows(1, 8), rows(1, 8), nodes, nodes); }, flops, grouped, 2.5 * flops,
        2.5 * grouped);
}

TEST_CASE("costs: a linear layer is one product forward and two backward") {
  const double flops = 2 * kNodes * 8 * 16, bytes = (kNodes * (8 + 16) + 8 * 16) * b;
  check(
      [] {
        return linear(Var::leaf(Tensor::full({12, 8}, 1)), Var::leaf(Tensor::full({16, 8}, 1)), {});
      },
      flops, bytes, 2 * flops, 2 * bytes);
}

}  // namespace atto::test
