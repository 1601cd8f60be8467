#include "ops/matmul/matmul.hpp"

#include <cmath>

#include "core/trace.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

struct Sizes {
  std::vector<std::int64_t> batch;
  std::int64_t m, k, n;
};

Shape shape_of(const Sizes& s, std::int64_t rows, std::int64_t columns) {
  std::vector<std::int64_t> sizes = s.batch;
  sizes.push_back(rows);
  sizes.push_back(columns);
  return Shape(std::span<const std::int64_t>(sizes));
}

// The definition; with `absolute` the sum of |terms|.
Tensor product(const Sizes& s, MatmulOptions options, std::span<const Tensor> in, bool absolute) {
  return tabulate(shape_of(s, s.m, s.n), [&](std::int64_t i) {
    const std::int64_t batch = i / (s.m * s.n), row = i / s.n % s.m, column = i % s.n;
    double sum = 0;
    for (std::int64_t k = 0; k < s.k; ++k) {
      const double a = in[0].data<double>()[batch * s.m * s.k + (options.transpose_a ? k * s.m + row : row * s.k + k)];
      const double b =
          in[1].data<double>()[batch * s.k * s.n + (options.transpose_b ? column * s.k + k : k * s.n + column)];
      sum += absolute ? std::abs(a * b) : a * b;
    }
    return sum;
  });
}

OpCase matmul_case(const std::string& name, const Sizes& s, MatmulOptions options = {}) {
  return {.op = "matmul",
          .name = name,
          .inputs = {uniform(options.transpose_a ? shape_of(s, s.k, s.m) : shape_of(s, s.m, s.k)),
                     uniform(options.transpose_b ? shape_of(s, s.n, s.k) : shape_of(s, s.k, s.n), -1, 1, 2)},
          .run = [options](std::span<const Var> in) { return matmul(in[0], in[1], options); },
          .expected = [=](std::span<const Tensor> in) { return product(s, options, in, false); },
          .magnitude = [=](std::span<const Tensor> in) { return product(s, options, in, true); },
          .k = 2};
}

const RegisterCases cases([] {
  std::vector<OpCase> list;
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      const std::string flags = std::string(ta ? ", a transposed" : "") + (tb ? ", b transposed" : "");
      const MatmulOptions options{.transpose_a = ta, .transpose_b = tb};
      list.push_back(matmul_case("3x4x5" + flags, {{}, 3, 4, 5}, options));
      list.push_back(matmul_case("a few large ones" + flags, {{2}, 33, 65, 17}, options));
      list.push_back(matmul_case("many small ones" + flags, {{5, 7}, 3, 5, 4}, options));
    }
  list.push_back(matmul_case("row times column", {{}, 1, 9, 1}));
  list.push_back(matmul_case("column times row", {{}, 4, 1, 3}));
  list.push_back(matmul_case("no rows", {{}, 0, 4, 3}));
  list.push_back(matmul_case("no columns", {{}, 3, 4, 0}));
  list.push_back(matmul_case("no terms", {{2}, 3, 0, 2}));
  list.push_back(matmul_case("no products", {{0}, 3, 4, 2}));
  list.push_back(matmul_case("several threads", {{40}, 16, 12, 20}));
  list.push_back(matmul_case("a long sum", {{}, 4, 5000, 3}, {.transpose_a = true}));
  list.push_back({.op = "matmul",
                  .name = "a matrix times itself",
                  .inputs = {uniform({4, 4})},
                  .run = [](std::span<const Var> in) { return matmul(in[0], in[0], {.transpose_b = true}); },
                  .expected =
                      [](std::span<const Tensor> in) {
                        return product({{}, 4, 4, 4}, {.transpose_b = true}, std::vector{in[0], in[0]}, false);
                      },
                  .magnitude =
                      [](std::span<const Tensor> in) {
                        return product({{}, 4, 4, 4}, {.transpose_b = true}, std::vector{in[0], in[0]}, true);
                      },
                  .k = 2});
  return list;
});

const RegisterErrors errors([] {
  return std::vector<OpError>{
      {.op = "matmul",
       .name = "inner sizes",
       .call =
           [] {
             matmul(uniform({2, 3}), uniform({4, 2}));
           },
       .text = "matmul: b: got [4,2], expected [...,K,N] with K = 3"},
      {.op = "matmul",
       .name = "inner sizes, transposed",
       .call =
           [] {
             matmul(uniform({2, 3}), uniform({3, 4}), {.transpose_b = true});
           },
       .text = "matmul: b: got [3,4], expected [...,N,K] with N = 3, K = 3"},
      {.op = "matmul",
       .name = "inner sizes, both transposed",
       .call =
           [] {
             matmul(uniform({3, 2}), uniform({3, 4}), {.transpose_a = true, .transpose_b = true});
           },
       .text = "matmul: b: got [3,4], expected [...,N,K] with N = 3, K = 3"},
      {.op = "matmul",
       .name = "inner sizes, a transposed",
       .call =
           [] {
             matmul(uniform({2, 3}), uniform({3, 4}), {.transpose_a = true});
           },
       .text = "matmul: b: got [3,4], expected [...,K,N] with K = 2"},
      {.op = "matmul",
       .name = "a vector",
       .call =
           [] {
             matmul(uniform({3}), uniform({3, 2}));
           },
       .text = "matmul: a: got [3]"},
      {.op = "matmul",
       .name = "batches differ",
       .call =
           [] {
             matmul(uniform({2, 3, 4}), uniform({3, 4, 5}));
           },
       .text = "matmul: b: got [3,4,5], expected the leading sizes of a, [2,3,4]"},
      {.op = "matmul",
       .name = "a batch times one matrix",
       .call =
           [] {
             matmul(uniform({2, 3, 4}), uniform({4, 5}));
           },
       .text = "reshape a"},
      {.op = "matmul",
       .name = "types",
       .call =
           [] {
             matmul(uniform({3, 4}), uniform({4, 5}).to(DType::float32));
           },
       .text = "matmul: b: got float32, expected float64"},
  };
});

}  // namespace

TEST_CASE("a product of a batch has the bits that it has alone") {
  for (const std::int64_t count : {3, 50}) {
    const Tensor a = uniform({count, 37, 41}).to(DType::float32),
                 b = uniform({count, 41, 29}, -1, 1, 2).to(DType::float32);
    const Tensor all = matmul(a, b).value();
    for (std::int64_t i = 0; i < count; ++i) {
      const Tensor alone = matmul(a.rows(i, i + 1).reshape({37, 41}), b.rows(i, i + 1).reshape({41, 29})).value();
      if (!bit_equal(alone, all.rows(i, i + 1).reshape({37, 29}))) FAIL_CHECK("product " << i << " of " << count);
    }
  }
}

TEST_CASE("matmul states 2 M N K FLOP") {
  trace::start();
  matmul(uniform({5, 2, 3}), uniform({5, 3, 7}));
  trace::stop();
  const auto events = trace::events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].cost.flops == 5 * 2 * 2 * 3 * 7);
  CHECK(events[0].cost.bytes == 8 * 5 * (6 + 21 + 14));
}

}  // namespace atto::test
