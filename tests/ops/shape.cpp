#include "ops/shape/shape.hpp"

#include "autograd/tape.hpp"
#include "core/trace.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

// Where element i of a row-major shape lies.
std::vector<std::int64_t> place_of(const Shape& shape, std::int64_t i) {
  std::vector<std::int64_t> place(static_cast<std::size_t>(shape.rank()));
  for (int d = shape.rank() - 1; d >= 0; --d) place[static_cast<std::size_t>(d)] = i % shape[d], i /= shape[d];
  return place;
}

double element(const Tensor& x, const std::vector<std::int64_t>& place) {
  std::int64_t i = 0;
  for (int d = 0; d < x.rank(); ++d) i = i * x.size(d) + place[static_cast<std::size_t>(d)];
  return x.data<double>()[i];
}

Tensor joined(std::span<const Tensor> parts, int dimension) {
  const auto d = static_cast<std::size_t>(dimension);
  std::int64_t total = 0;
  for (const Tensor& part : parts) total += part.size(dimension);
  const Shape shape = parts[0].shape().with(dimension, total);
  return tabulate(shape, [&](std::int64_t i) {
    auto place = place_of(shape, i);
    std::size_t part = 0;
    for (; place[d] >= parts[part].size(dimension); ++part) place[d] -= parts[part].size(dimension);
    return element(parts[part], place);
  });
}

Tensor range(const Tensor& x, int dimension, std::int64_t begin, std::int64_t end) {
  const Shape shape = x.shape().with(dimension, end - begin);
  return tabulate(shape, [&](std::int64_t i) {
    auto place = place_of(shape, i);
    place[static_cast<std::size_t>(dimension)] += begin;
    return element(x, place);
  });
}

OpCase reshape_case(const std::string& name, const Shape& from, const Shape& to) {
  return {.op = "reshape",
          .name = name,
          .inputs = {uniform(from)},
          .run = [to](std::span<const Var> in) { return reshape(in[0], to); },
          .expected =
              [to](std::span<const Tensor> in) {
                return tabulate(to, [&](std::int64_t i) { return in[0].data<double>()[i]; });
              },
          .k = 0};
}

// `dimension` may be negative for the operation; `positive` is what it means.
OpCase concat_case(const std::string& name, const std::vector<Shape>& shapes, int dimension, int positive) {
  OpCase c{.op = "concat",
           .name = name,
           .run = [dimension](std::span<const Var> in) { return concat(in, dimension); },
           .expected = [positive](std::span<const Tensor> in) { return joined(in, positive); },
           .k = 0};
  for (const Shape& shape : shapes) c.inputs.push_back(uniform(shape, -1, 1, c.inputs.size() + 1));
  return c;
}

OpCase slice_case(const std::string& name, const Shape& shape, int dimension, int positive, std::int64_t begin,
                  std::int64_t end) {
  return {.op = "slice",
          .name = name,
          .inputs = {uniform(shape)},
          .run = [=](std::span<const Var> in) { return slice(in[0], dimension, begin, end); },
          .expected = [=](std::span<const Tensor> in) { return range(in[0], positive, begin, end); },
          .k = 0};
}

const RegisterCases cases([] {
  std::vector<OpCase> list{
      reshape_case("2x6 to 3x2x2", {2, 6}, {3, 2, 2}),
      reshape_case("scalar to 1x1", {}, {1, 1}),
      reshape_case("no elements", {0, 4}, {2, 0, 3}),
      concat_case("rows", {{2, 3}, {1, 3}, {4, 3}}, 0, 0),
      concat_case("columns, from the end", {{5, 2}, {5, 1}, {5, 7}}, -1, 1),
      concat_case("the middle", {{2, 3, 4}, {2, 1, 4}}, 1, 1),
      concat_case("empty parts", {{2, 0}, {2, 3}, {2, 0}}, 1, 1),
      concat_case("nothing at all", {{0, 0}, {0, 2}}, -1, 1),
      concat_case("one part", {{3, 2}}, 0, 0),
      concat_case("several threads", {{3000, 17}, {3000, 16}}, 1, 1),
      slice_case("rows", {5, 3}, 0, 0, 1, 4),
      slice_case("columns, from the end", {4, 7}, -1, 1, 2, 5),
      slice_case("the middle", {2, 5, 3}, 1, 1, 4, 5),
      slice_case("no rows", {5, 3}, 0, 0, 5, 5),
      slice_case("no columns", {5, 3}, 1, 1, 0, 0),
      slice_case("of nothing", {0, 4}, 1, 1, 1, 3),
      slice_case("all of it", {3, 4}, 1, 1, 0, 4),
      slice_case("several threads", {3000, 40}, 1, 1, 3, 36),
  };
  // The same input twice: both gradients must arrive.
  list.push_back({.op = "concat",
                  .name = "a part twice",
                  .inputs = {uniform({3, 2})},
                  .run =
                      [](std::span<const Var> in) {
                        return concat({in[0], in[0]}, 1);
                      },
                  .expected =
                      [](std::span<const Tensor> in) {
                        return joined(std::vector{in[0], in[0]}, 1);
                      },
                  .k = 1});
  list.push_back(
      {.op = "slice",
       .name = "parts of a split in another order",
       .inputs = {uniform({4, 6})},
       .run =
           [](std::span<const Var> in) {
             const std::vector<std::int64_t> sizes{1, 0, 3, 2};
             const std::vector<Var> parts = split(in[0], sizes, -1);
             return concat({parts[3], parts[0], parts[1], parts[2]}, 1);
           },
       .expected =
           [](std::span<const Tensor> in) {
             return joined(std::vector{range(in[0], 1, 4, 6), range(in[0], 1, 0, 1), range(in[0], 1, 1, 4)}, 1);
           },
       .k = 0});
  list.push_back(
      {.op = "slice",
       .name = "parts that overlap",
       .inputs = {uniform({4, 9})},
       .run =
           [](std::span<const Var> in) {
             return concat({slice(in[0], 1, 0, 5), slice(in[0], 1, 4, 9), slice(in[0], 1, 2, 7)}, 0);
           },
       .expected =
           [](std::span<const Tensor> in) {
             return joined(std::vector{range(in[0], 1, 0, 5), range(in[0], 1, 4, 9), range(in[0], 1, 2, 7)}, 0);
           },
       .k = 1});
  return list;
});

const RegisterErrors errors([] {
  const Var x = uniform({2, 3});
  return std::vector<OpError>{
      {.op = "reshape",
       .name = "number of elements",
       .call =
           [=] {
             reshape(x, {4, 2});
           },
       .text = "reshape"},
      {.op = "concat",
       .name = "nothing",
       .call = [] { concat(std::span<const Var>(), 0); },
       .text = "concat: parts: got none"},
      {.op = "concat",
       .name = "sizes",
       .call =
           [=] {
             concat({x, uniform({2, 4})}, 0);
           },
       .text = "concat: part 1: got [2,4], expected [2,3]"},
      {.op = "concat",
       .name = "ranks",
       .call =
           [=] {
             concat({x, uniform({2})}, 1);
           },
       .text = "concat: part 1: got [2]"},
      {.op = "concat",
       .name = "dimension",
       .call =
           [=] {
             concat({x, x}, 2);
           },
       .text = "concat: dimension: got 2"},
      {.op = "concat",
       .name = "dimension of a single part",
       .call = [=] { concat({x}, -3); },
       .text = "concat: dimension: got -3"},
      {.op = "concat",
       .name = "of scalars",
       .call =
           [] {
             concat({uniform({}), uniform({})}, 0);
           },
       .text = "concat: dimension: got 0"},
      {.op = "concat",
       .name = "types",
       .call =
           [=] {
             concat({x, uniform({2, 3}).to(DType::float32)}, 0);
           },
       .text = "concat: parts: got float32, expected float64"},
      {.op = "slice", .name = "beyond the end", .call = [=] { slice(x, 1, 2, 4); }, .text = "slice: range: got 2..4"},
      {.op = "slice", .name = "turned round", .call = [=] { slice(x, 0, 2, 1); }, .text = "slice: range: got 2..1"},
      {.op = "slice",
       .name = "before the beginning",
       .call = [=] { slice(x, 0, -1, 1); },
       .text = "slice: range: got -1..1"},
      {.op = "slice", .name = "dimension", .call = [=] { slice(x, -3, 0, 1); }, .text = "slice: dimension: got -3"},
      {.op = "slice",
       .name = "split: too few",
       .call =
           [=] {
             split(x, std::vector<std::int64_t>{1, 1}, 1);
           },
       .text = "split: sizes: got a sum of 2, expected 3"},
      {.op = "slice",
       .name = "split: too many",
       .call =
           [=] {
             split(x, std::vector<std::int64_t>{2, 2}, 1);
           },
       .text = "split: sizes: got a sum of 4, expected 3"},
      {.op = "slice",
       .name = "split: negative",
       .call =
           [=] {
             split(x, std::vector<std::int64_t>{-1, 4}, 1);
           },
       .text = "split: sizes: got -1"},
  };
});

}  // namespace

TEST_CASE("reshape and slices of rows share the memory; what keeps its shape is itself") {
  const Var x = Var::leaf(uniform({4, 3}));
  CHECK(reshape(x, {2, 6}).value().storage() == x.value().storage());
  CHECK(slice(x, 0, 1, 3).value().storage() == x.value().storage());
  CHECK_FALSE(slice(x, 1, 1, 3).value().storage() == x.value().storage());
  CHECK(reshape(x, {4, 3}).node() == x.node());
  CHECK(concat({x}, 1).node() == x.node());
}

// The gradient of a reshape is a view; adding to it later must not change what somebody else reads.
TEST_CASE("a gradient that passes through a reshape is not added to in place") {
  const Var x = Var::leaf(uniform({2, 3}));
  const Var y = reshape(x, {3, 2});
  const Var z = concat({y, reshape(x, {3, 2})}, 0);
  const Tensor seed = uniform({6, 2}, -1, 1, 5);
  const Tensor before = seed.clone();
  backward(z, seed);
  CHECK(bit_equal(seed, before));
  CHECK(mismatch(
            x.grad(),
            tabulate({2, 3}, [&](std::int64_t i) { return before.data<double>()[i] + before.data<double>()[i + 6]; }),
            {}, 1e-15) == "");
}

TEST_CASE("shape operations that move nothing cost nothing") {
  const Var x = uniform({4, 6});
  trace::start();
  reshape(x, {24});
  slice(x, 0, 1, 3);
  slice(x, 1, 1, 3);
  trace::stop();
  const auto events = trace::events();
  REQUIRE(events.size() == 3);
  CHECK(events[0].cost.bytes == 0);
  CHECK(events[1].cost.bytes == 0);
  CHECK(events[2].cost.bytes == 2 * 8 * 8);
}

}  // namespace atto::test
