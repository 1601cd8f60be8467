// What the edge algebra must do beyond the cases of edge.cpp: published numbers, ties, NaN, masked rows.

#include <cmath>
#include <limits>
#include <vector>

#include "autograd/tape.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/message.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/shape/shape.hpp"
#include "tests/ops/graphs.hpp"
#include "tests/support/catch.hpp"

namespace atto::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Graph path3() {
  return Graph::from_edges(3, {{0, 1}, {1, 0}, {1, 2}, {2, 1}});
}

Tensor column(std::initializer_list<double> values) {
  return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size()), 1});
}

void check_close(const Tensor& got, std::initializer_list<double> expected) {
  REQUIRE(got.numel() == static_cast<std::int64_t>(expected.size()));
  std::int64_t i = 0;
  for (const double value : expected) {
    INFO("element " << i);
    CHECK(std::abs(got.data<double>()[i++] - value) < 5e-11);
  }
}

}  // namespace

// ---- Layers on a path of three nodes, x = (1, 2, 3), from their parts
// --------------------------------------------------------

TEST_CASE("edges: GCN on a path") {
  const Graph g = path3().with_self_loops().graph;
  std::vector<double> degree, weight;
  for (std::int64_t i = 0; i < 3; ++i) degree.push_back(g.in_degree(i));
  for_edges(g, [&](auto, auto i, auto j) {
    weight.push_back(1 / std::sqrt(degree[static_cast<std::size_t>(i)] * degree[static_cast<std::size_t>(j)]));
  });
  check_close(spmm(g, Tensor::from(weight), column({1, 2, 3})).value(), {1.3164965809, 2.2996598285, 2.3164965809});
}

TEST_CASE("edges: GIN and GINE on a path") {
  const Graph g = path3();
  const Var x = column({1, 2, 3});
  check_close((x + spmm(g, {}, x)).value(), {3, 6, 5});
  check_close((x + gine_sum(g, x, column({-2, -2, -2, -2}))).value(), {1, 3, 3});
}

TEST_CASE("edges: GatedGCN on a path, before its norm") {
  const Graph g = path3();
  const Var x = column({1, 2, 3});
  const Var gates = sigmoid(edge_add(g, x, x) + 0.5);
  check_close((x + gated_sum(g, gates, x)).value(), {2.9999979396, 4.0128342591, 4.9999979918});
}

TEST_CASE("edges: GAT on a path") {
  const Graph g = path3().with_self_loops().graph;
  const Var x = column({1, -2, 3});
  const Var alpha = edge_softmax(g, leaky_relu(edge_add(g, x, x), 0.2));
  check_close(spmm(g, alpha, reshape(x, Shape{3, 1, 1})).value(), {0.7007485326, 2.0256463772, 2.9665357454});
}

// ---- Corners
// ---------------------------------------------------------------------------------------------------------------

TEST_CASE("edges: of equal messages the first gets the gradient of a maximum or minimum") {
  const Graph g = Graph::from_edges(3, {{0, 2}, {1, 2}, {0, 2}});  // canonical order is the order of listing
  for (const auto f : {edge_max, edge_min}) {
    const Var e = Var::leaf(column({5, 5, 5}));
    backward(f(g, e), column({0, 0, 1}));
    check_close(e.grad(), {1, 0, 0});
  }
}

TEST_CASE("edges: nodes that get nothing hold a plain zero, without a sign") {
  const Graph g = Graph::from_edges(2, {{0, 1}});
  for (const auto f : {spmm, spmm_mean, spmm_max, spmm_min})
    CHECK_FALSE(std::signbit(f(g, Tensor::from({-1.0}, {1}), column({3, 3})).value().data<double>()[0]));
}

TEST_CASE("edges: a NaN wins a maximum and a minimum, wherever it stands") {
  const Graph g = Graph::from_edges(4, {{0, 3}, {1, 3}, {2, 3}});
  for (const std::vector<double>& values : {std::vector<double>{kNaN, 1, 2}, {1, kNaN, 2}, {1, 2, kNaN}})
    for (const auto f : {spmm_max, spmm_min}) {
      std::vector<double> all = values;
      all.push_back(0);
      CHECK(std::isnan(f(g, {}, Tensor::from(all, Shape{4, 1})).value().data<double>()[3]));
    }
}

TEST_CASE("edges: softmax of rows that are masked altogether gives zeros and sends a zero gradient") {
  const Graph g = Graph::from_edges(3, {{0, 1}, {2, 1}, {0, 2}, {1, 2}});
  const Var z = Var::leaf(column({-kInfinity, -kInfinity, -kInfinity, 0.5}));
  const Var alpha = edge_softmax(g, z);
  check_close(alpha.value(), {0, 0, 0, 1});
  backward(alpha, column({3, -7, 2, 1}));
  check_close(z.grad(), {0, 0, 0, 0});
}

TEST_CASE("edges: softmax passes a NaN on to its row and no further") {
  const Graph g = Graph::from_edges(3, {{0, 1}, {2, 1}, {0, 2}, {1, 2}});
  for (const double other : {1.0, -kInfinity}) {
    const Tensor alpha = edge_softmax(g, Var(column({other, kNaN, 2, 2}))).value();
    CHECK(std::isnan(alpha.data<double>()[0]));
    CHECK(std::isnan(alpha.data<double>()[1]));
    CHECK(alpha.data<double>()[2] == 0.5);
  }
}

TEST_CASE("edges: softmax does not change when a constant is added to a row, however large") {
  const Graph g = random_square(7, 25, 11);
  const Tensor z = uniform({25, 3}, -4, 4);
  const Var shift = edge_add(g, {}, Var(tabulate({7, 3}, [](std::int64_t k) { return k % 2 == 0 ? 4096.0 : -512.0; })));
  const Tensor plain = edge_softmax(g, Var(z)).value(), shifted = edge_softmax(g, Var(z) + shift).value();
  CHECK(mismatch(shifted, plain, {}, 1e-11) == "");
}

TEST_CASE("edges: an infinity in one head stays in its head") {
  const Graph g = Graph::from_edges(2, {{0, 1}});
  Tensor q = Tensor::full({2, 2, 19}, 1, DType::float64), k = q.clone();
  k.data<double>()[18] = kInfinity;  // node 0, head 0
  const Tensor e = edge_dot(g, q, k).value();
  CHECK(e.data<double>()[0] == kInfinity);
  CHECK(e.data<double>()[1] == 19);
}

TEST_CASE("edges: the order in which edges are listed does not matter") {
  std::vector<std::int32_t> src, dst;
  Generator random(3);
  for (int k = 0; k < 60; ++k) {
    src.push_back(static_cast<std::int32_t>(random.below(9)));
    dst.push_back(static_cast<std::int32_t>(random.below(9)));
  }
  const Tensor x = uniform({9, 2, 5}), w = uniform({60, 2}, -1, 1, 2);
  // y of the list in another order, with the weights that belong to it
  const auto product = [&](const std::vector<std::int64_t>& order) {
    std::vector<std::int32_t> s, d;
    for (const std::int64_t k : order)
      s.push_back(src[static_cast<std::size_t>(k)]), d.push_back(dst[static_cast<std::size_t>(k)]);
    const Graph g = Graph::from_edges(9, s, d);
    const Tensor canonical = tabulate({60, 2}, [&](std::int64_t i) {
      const auto listed = static_cast<std::size_t>(g.edge_order()[static_cast<std::size_t>(i / 2)]);
      return w.data<double>()[order[listed] * 2 + i % 2];
    });
    return spmm(g, canonical, x).value();
  };
  std::vector<std::int64_t> as_listed;
  for (std::int64_t k = 0; k < 60; ++k) as_listed.push_back(k);
  CHECK(mismatch(product(random.permutation(60)), product(as_listed), Tensor::full({9, 2, 5}, 1, DType::float64),
                 1e-13) == "");
}

TEST_CASE("edges: gradients of a product reach only what asks for them") {
  const Graph g = path3();
  const Var w = Var::leaf(uniform({4})), x = Var::leaf(uniform({3, 2}));
  w.set_requires_grad(false);
  backward(spmm(g, w, x), uniform({3, 2}, -1, 1, 3));
  CHECK_FALSE(w.grad().defined());
  CHECK(x.grad().defined());
}

// Results of more than 8 MiB with what they are made of are stored past the caches.
TEST_CASE("edges: a product too large for the caches holds those of its columns") {
  const std::int64_t n = 9000, e = 20000, wide = 256, narrow = 64;
  const Graph g = random_square(n, e, 5);
  const Tensor x = uniform({n, wide}, -1, 1, 1).to(DType::float32),
               seed = uniform({n, wide}, -1, 1, 2).to(DType::float32);
  const auto part = [&](const Tensor& whole, std::int64_t first) {
    Tensor columns = Tensor::empty({n, narrow});
    for (std::int64_t i = 0; i < n * narrow; ++i)
      columns.data<float>()[i] = whole.data<float>()[i / narrow * wide + first + i % narrow];
    return columns;
  };
  struct Product {
    Tensor y, dw, dx;
  };
  const auto product = [&](const Tensor& features, const Tensor& dy) {
    const Var w = Var::leaf(uniform({e}, -1, 1, 3).to(DType::float32)), leaf = Var::leaf(features);
    const Var y = spmm(g, w, leaf);
    backward(y, dy);
    return Product{y.value(), w.grad(), leaf.grad()};
  };
  const Product whole = product(x, seed);
  Tensor dw = Tensor::zeros({e}, DType::float64);
  for (std::int64_t first = 0; first < wide; first += narrow) {
    const Product columns = product(part(x, first), part(seed, first));
    CHECK(bit_equal(part(whole.y, first), columns.y));
    CHECK(bit_equal(part(whole.dx, first), columns.dx));
    for (std::int64_t k = 0; k < e; ++k) dw.data<double>()[k] += columns.dw.data<float>()[k];
  }
  CHECK(mismatch(whole.dw, dw, Tensor::full({e}, 1, DType::float64), 1e-4) == "");
}

TEST_CASE("edges: heads whose vectors are not aligned, in a product too large for the caches") {
  const std::int64_t n = 14000, e = 20000, heads = 8;
  const Graph g = random_square(n, e, 5);
  for (const std::int64_t depth : {7, 10, 12, 24}) {
    const Tensor x = uniform({n, heads, depth}, -1, 1, 1).to(DType::float32),
                 w = uniform({e, heads}, -1, 1, 2).to(DType::float32);
    const Tensor y = spmm(g, w, x).value();
    for (const std::int64_t head : {0, 3, 7}) {
      Tensor one = Tensor::empty({n, depth}), weight = Tensor::empty({e}), expected = Tensor::empty({n, depth});
      for (std::int64_t i = 0; i < n * depth; ++i) {
        const std::int64_t at = (i / depth * heads + head) * depth + i % depth;
        one.data<float>()[i] = x.data<float>()[at];
        expected.data<float>()[i] = y.data<float>()[at];
      }
      for (std::int64_t k = 0; k < e; ++k) weight.data<float>()[k] = w.data<float>()[k * heads + head];
      CHECK(bit_equal(spmm(g, weight, one).value(), expected));
    }
  }
}

}  // namespace atto::test
