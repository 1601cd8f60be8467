#include "core/shape.hpp"

#include <vector>

#include "tests/support/errors.hpp"

namespace atto::test {

TEST_CASE("shape: sizes, negative dimensions, text") {
  const Shape shape{2, 3, 4};
  CHECK(shape.rank() == 3);
  CHECK(shape.numel() == 24);
  CHECK(shape[0] == 2);
  CHECK(shape[-1] == 4);
  CHECK(shape.str() == "[2,3,4]");
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{}.str() == "[]");
  CHECK(Shape{3, 0}.numel() == 0);
  CHECK(shape.with(-2, 7) == Shape{2, 7, 4});
  CHECK(shape.with(0, 0).numel() == 0);
  CHECK(shape == Shape{2, 3, 4});
  CHECK_FALSE(shape == Shape{2, 3});
  CHECK_FALSE(shape == Shape{2, 3, 5});
  CHECK(std::vector<std::int64_t>(shape.begin(), shape.end()) == std::vector<std::int64_t>{2, 3, 4});
}

TEST_CASE("shape: what cannot be is refused") {
  CHECK_THAT_SAYS(ShapeError, (Shape{2, -1}), "size 1: got -1, expected at least 0");
  CHECK_THAT_SAYS(ShapeError, (Shape{1, 1, 1, 1, 1, 1, 1}), "rank: got 7, expected at most 6");
  CHECK_THAT_SAYS(ShapeError, (Shape{std::int64_t{1} << 40, std::int64_t{1} << 40}), "at most 2^63 - 1");
  CHECK((Shape{std::int64_t{1} << 40, 0}.numel() == 0));
  CHECK_THAT_SAYS(IndexError, (Shape{2, 3}[2]), "dimension: got 2, expected a dimension of [2,3]");
  CHECK_THAT_SAYS(IndexError, (Shape{2, 3}[-3]), "got -3");
  CHECK_THAT_SAYS(IndexError, Shape{}[0], "[]");
  CHECK_THAT_SAYS(ShapeError, checked_multiply(std::int64_t{1} << 62, 2), "4611686018427387904 x 2");
}

TEST_CASE("shape: broadcasting as NumPy does it") {
  CHECK(broadcast({2, 3}, {2, 3}, "op") == Shape{2, 3});
  CHECK(broadcast({2, 3}, {3}, "op") == Shape{2, 3});
  CHECK(broadcast({}, {4, 1}, "op") == Shape{4, 1});
  CHECK(broadcast({5, 1, 3}, {2, 1}, "op") == Shape{5, 2, 3});
  CHECK(broadcast({1}, {0}, "op") == Shape{0});
  CHECK_THAT_SAYS(ShapeError, broadcast({2, 3}, {2}, "op"), "op: shapes: got [2,3] and [2]");
  CHECK_THAT_SAYS(ShapeError, broadcast({0}, {2}, "op"), "got [0] and [2]");
}

}  // namespace atto::test
