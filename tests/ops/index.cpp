#include "ops/index/index.hpp"

#include "autograd/tape.hpp"
#include "tests/ops/graphs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

using Values = std::span<const Tensor>;
using Vars = std::span<const Var>;

std::vector<std::int64_t> random_index(std::int64_t count, std::int64_t rows, std::uint64_t seed) {
  Generator random(seed);
  std::vector<std::int64_t> index;
  for (std::int64_t m = 0; m < count; ++m) index.push_back(random.below(rows));
  return index;
}

Tensor tensor_of(const std::vector<std::int64_t>& index) {
  return Tensor::from(index);
}

Tensor rows_of(const Tensor& x, const std::vector<std::int64_t>& index, const Shape& shape) {
  const std::int64_t width = index.empty() ? 0 : shape.numel() / static_cast<std::int64_t>(index.size());
  return tabulate(shape, [&](std::int64_t i) {
    const std::int64_t row = index[static_cast<std::size_t>(i / width)];
    return row < 0 ? 0.0 : at(x, row, i % width, width);
  });
}

OpCase gather_case(const std::string& name, const Shape& x, const std::vector<std::int64_t>& index,
                   DType dtype = DType::int64, bool missing = false) {
  const Tensor places = tensor_of(index).to(dtype);
  const Shape shape = x.with(0, places.numel());
  return {
      .op = "gather_rows",
      .name = name,
      .inputs = {uniform(x)},
      .run = [=](Vars in) { return gather_rows(in[0], places, {.missing = missing}); },
      .expected = [=](Values in) { return rows_of(in[0], index, shape); },
      .k = 2,
  };
}

OpCase embedding_case(const std::string& name, const Shape& table, const Shape& index_shape,
                      DType dtype = DType::int64) {
  const std::vector<std::int64_t> index = random_index(index_shape.numel(), table[0], 3);
  const Tensor places = tensor_of(index).to(dtype).reshape(index_shape);
  std::vector<std::int64_t> sizes(index_shape.begin(), index_shape.end());
  sizes.push_back(table[1]);
  return {
      .op = "embedding",
      .name = name,
      .inputs = {uniform(table)},
      .run = [=](Vars in) { return embedding(in[0], places); },
      .expected = [=](Values in) { return rows_of(in[0], index, Shape(sizes)); },
      .k = 2,
      .reference = [=](Vars in) { return embedding_reference(in[0], places); },
  };
}

OpCase scatter_case(const std::string& name, const Shape& x, std::int64_t rows) {
  const std::vector<std::int64_t> index = rows > 0 ? random_index(x[0], rows, 4) : std::vector<std::int64_t>{};
  const Tensor places = tensor_of(index);
  const auto sums = [=](const Tensor& values, bool absolute) {
    Tensor y = Tensor::zeros(x.with(0, rows), DType::float64);
    const std::int64_t width = rows > 0 ? y.numel() / rows : 0;
    for (std::int64_t m = 0; m < x[0]; ++m)
      for (std::int64_t c = 0; c < width; ++c) {
        const double value = at(values, m, c, width);
        y.data<double>()[index[static_cast<std::size_t>(m)] * width + c] += absolute ? std::abs(value) : value;
      }
    return y;
  };
  return {
      .op = "scatter_add_rows",
      .name = name,
      .inputs = {uniform(x)},
      .run = [=](Vars in) { return scatter_add_rows(in[0], places, rows); },
      .expected = [=](Values in) { return sums(in[0], false); },
      .magnitude = [=](Values in) { return sums(in[0], true); },
      .k = 2,
  };
}

const RegisterCases cases([] {
  return std::vector<OpCase>{
      gather_case("repeats and gaps", {5, 3}, {4, 0, 4, 4, 2}),
      gather_case("int32", {5, 3}, {4, 0, 1}, DType::int32),
      gather_case("rank 1", {5}, {3, 3, 0}),
      gather_case("rank 3", {5, 2, 3}, {1, 4}),
      gather_case("missing rows", {5, 3}, {-1, 2, -1, 2}, DType::int64, true),
      gather_case("all missing", {5, 3}, {-1, -1}, DType::int64, true),
      gather_case("nothing asked", {5, 3}, {}),
      gather_case("nothing there", {0, 3}, {}),
      gather_case("no columns", {5, 0}, {1, 1}),
      gather_case("several threads", {300, 70}, random_index(1500, 300, 5)),
      gather_case("one row, thousands of times", {3, 7}, std::vector<std::int64_t>(5000, 1)),
      embedding_case("7 words", {7, 5}, {20}),
      embedding_case("int32", {7, 5}, {20}, DType::int32),
      embedding_case("a batch of texts", {7, 5}, {3, 4}),
      embedding_case("one word", {7, 5}, Shape{}),
      embedding_case("no words", {7, 5}, {0}),
      embedding_case("a single entry", {1, 20}, {4000}),
      embedding_case("several threads", {50, 64}, {3000}),
      scatter_case("9 into 4", {9, 3}, 4),
      scatter_case("into many, most empty", {4, 3}, 50),
      scatter_case("rank 1", {9}, 4),
      scatter_case("rank 3", {9, 2, 2}, 4),
      scatter_case("nothing into 3", {0, 2}, 3),
      scatter_case("nothing into nothing", {0, 2}, 0),
      scatter_case("several threads", {2500, 33}, 200),
      scatter_case("cut into pieces", {5000, 5}, 2),
  };
});

const RegisterErrors errors([] {
  return std::vector<OpError>{
      {.op = "gather_rows",
       .name = "too large",
       .call =
           [] {
             gather_rows(uniform({3, 2}), tensor_of({0, 1, 3, 9}));
           },
       .text = "gather_rows: index 2: got 3, expected 0 <= index < 3"},
      {.op = "gather_rows",
       .name = "negative",
       .call =
           [] {
             gather_rows(uniform({3, 2}), tensor_of({0, -1}));
           },
       .text = "gather_rows: index 1: got -1"},
      {.op = "gather_rows",
       .name = "below missing",
       .call =
           [] {
             gather_rows(uniform({3, 2}), tensor_of({-1, -2}), {.missing = true});
           },
       .text = "index 1: got -2, expected -1 <= index < 3"},
      {.op = "gather_rows",
       .name = "index of floats",
       .call =
           [] {
             gather_rows(uniform({3, 2}), uniform({3}));
           },
       .text = "gather_rows: index: got float64[3], expected int32 or int64"},
      {.op = "gather_rows",
       .name = "no index",
       .call =
           [] {
             gather_rows(uniform({3, 2}), {});
           },
       .text = "an undefined tensor"},
      {.op = "gather_rows",
       .name = "a number",
       .call = [] { gather_rows(uniform(Shape{}), tensor_of({0})); },
       .text = "gather_rows: x: got [], expected [N,...]"},
      {.op = "gather_rows",
       .name = "too many dimensions",
       .call =
           [] {
             gather_rows(uniform({2, 1, 1, 1}), tensor_of({0, 1, 1, 0}).reshape({1, 2, 2, 1}));
           },
       .text = "at most 6 dimensions"},
      {.op = "embedding",
       .name = "unknown word",
       .call =
           [] {
             embedding(uniform({3, 2}), tensor_of({0, 1, 2, 7}));
           },
       .text = "embedding: index 3: got 7, expected 0 <= index < 3"},
      {.op = "embedding",
       .name = "table of rank 3",
       .call =
           [] {
             embedding(uniform({3, 2, 2}), tensor_of({0}));
           },
       .text = "embedding: table: got [3,2,2], expected [V,D]"},
      {.op = "scatter_add_rows",
       .name = "outside",
       .call =
           [] {
             scatter_add_rows(uniform({2, 2}), tensor_of({0, 4}), 4);
           },
       .text = "scatter_add_rows: index 1: got 4, expected 0 <= index < 4"},
      {.op = "scatter_add_rows",
       .name = "not one index per row",
       .call =
           [] {
             scatter_add_rows(uniform({3, 2}), tensor_of({0, 1}), 4);
           },
       .text = "scatter_add_rows: x: got [3,2], expected [M,...] with M = 2"},
      {.op = "scatter_add_rows",
       .name = "index of rank 2",
       .call =
           [] {
             scatter_add_rows(uniform({2, 2}), tensor_of({0, 1}).reshape({2, 1}), 4);
           },
       .text = "scatter_add_rows: index: got [2,1], expected [M]"},
      {.op = "scatter_add_rows",
       .name = "more rows than an index of 32 bits",
       .call =
           [] {
             scatter_add_rows(uniform({0, 2}), tensor_of({}), std::int64_t{1} << 58);
           },
       .text = "scatter_add_rows: rows: got 288230376151711744, expected at most 2^31 - 1"},
      {.op = "scatter_add_rows",
       .name = "negative rows",
       .call =
           [] {
             scatter_add_rows(uniform({0, 2}), tensor_of({}), -1);
           },
       .text = "scatter_add_rows: rows: got -1"},
  };
});

}  // namespace

TEST_CASE("index: an index that changes after the forward does not change the gradient") {
  const Tensor index = tensor_of({2, 0, 2});
  const Var x = Var::leaf(uniform({3, 1}));
  const Var y = gather_rows(x, index);
  index.fill(1);
  backward(y, Tensor::from({1.0, 2.0, 4.0}, {3, 1}));
  CHECK(bit_equal(x.grad(), Tensor::from({2.0, 0.0, 5.0}, {3, 1})));
}

}  // namespace atto::test
