#include "core/tensor.hpp"

#include <limits>

#include "tests/support/errors.hpp"

namespace atto::test {

TEST_CASE("tensor: made, filled, read") {
  CHECK_FALSE(Tensor().defined());
  CHECK(Tensor().numel() == 0);
  CHECK(Tensor().str() == "undefined tensor");
  const Tensor x = Tensor::from({1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}, {2, 3});
  CHECK(x.str() == "float32[2,3]");
  CHECK(x.bytes() == 24);
  CHECK(x.values<float>()[4] == 5);
  CHECK(Tensor::full({2}, 2.5, DType::float64).values<double>()[1] == 2.5);
  CHECK(Tensor::full({2}, 7, DType::uint8).values<std::uint8_t>()[1] == 7);
  for (const DType dtype : {DType::float32, DType::float64, DType::int32, DType::int64, DType::uint8}) {
    const Tensor zeros = Tensor::zeros({3, 5}, dtype);
    CHECK(zeros.bytes() == 15 * static_cast<std::int64_t>(size_of(dtype)));
    for (std::int64_t i = 0; i < zeros.bytes(); ++i) REQUIRE(zeros.raw()[i] == std::byte{0});
  }
  CHECK(Tensor::zeros({0, 4}).defined());
  CHECK(Tensor::zeros({0, 4}).numel() == 0);
  CHECK(Tensor::full({1, 1}, 3).item() == 3);
  CHECK(reinterpret_cast<std::uintptr_t>(Tensor::empty({3}).raw()) % 64 == 0);
}

TEST_CASE("tensor: wrong calls say what is wrong") {
  const Tensor x = Tensor::zeros({2, 3});
  CHECK_THAT_SAYS(TypeError, x.data<double>(), "element type: got float64, expected that of float32[2,3]");
  CHECK_THAT_SAYS(ShapeError, x.item(), "item: tensor: got float32[2,3], expected exactly one element");
  CHECK_THAT_SAYS(ShapeError, Tensor::from({1.0, 2.0}, {3}), "got 2 values, expected 3 for [3]");
  CHECK_THAT_SAYS(ShapeError, x.reshape(Shape{4}), "got [4], expected 6 elements as in float32[2,3]");
  CHECK_THAT_SAYS(ShapeError, x.reshape({-1, -1}), "-1 twice");
  CHECK_THAT_SAYS(ShapeError, x.reshape({-1, 4}), "reshape");
  CHECK_THAT_SAYS(IndexError, x.rows(1, 3), "rows: range: got 1..3");
  CHECK_THAT_SAYS(IndexError, x.rows(2, 1), "got 2..1");
  CHECK_THAT_SAYS(IndexError, Tensor::zeros({}).rows(0, 0), "rows");
  CHECK_THAT_SAYS(ShapeError, x.copy_from(Tensor::zeros({3, 2})),
                  "copy_from: source: got float32[3,2], expected float32[2,3]");
  CHECK_THAT_SAYS(ShapeError, x.copy_from(Tensor::zeros({2, 3}, DType::float64)), "float64[2,3]");
  CHECK_THAT_SAYS(TypeError, Tensor::empty({2}, DType::float32, {.kind = DeviceKind::cuda}), "no GPU backend");
  CHECK_THAT_SAYS(ShapeError, Tensor::empty({std::int64_t{1} << 62}), "at most 2^63 - 1");
  CHECK_THAT_SAYS(TypeError, visit_float(DType::int32, "op", []<class T>() {}),
                  "op: dtype: got int32, expected float32 or float64");
}

TEST_CASE("tensor: views share memory, clones do not") {
  const Tensor x = Tensor::from({1.0, 2.0, 3.0, 4.0, 5.0, 6.0}, {3, 2});
  const Tensor view = x.reshape({2, -1});
  CHECK(view.shape() == Shape{2, 3});
  CHECK(x.reshape({-1}).shape() == Shape{6});
  CHECK(Tensor::zeros({0, 4}).reshape({4, -1}).shape() == Shape{4, 0});
  const Tensor middle = x.rows(1, 2);
  CHECK(middle.shape() == Shape{1, 2});
  middle.fill(9);
  CHECK(view.values<double>()[2] == 9);
  CHECK(view.values<double>()[4] == 5);
  CHECK_FALSE(x.storage().unique());
  const Tensor copy = middle.clone();
  copy.fill(0);
  CHECK(x.values<double>()[2] == 9);
  CHECK(copy.storage().unique());
  CHECK(x.rows(3, 3).numel() == 0);
  CHECK_FALSE(Tensor().clone().defined());
  x.rows(0, 1).copy_from(x.rows(2, 3));
  CHECK(x.values<double>()[0] == 5);
}

TEST_CASE("tensor: types convert as C++ casts") {
  const Tensor x = Tensor::from({-1.75, 2.5}, {2});
  CHECK(x.to(DType::int32).values<std::int32_t>()[0] == -1);
  CHECK(x.to(DType::float32).values<float>()[1] == 2.5f);
  CHECK(x.to(DType::float64).raw() == x.raw());
  CHECK(Tensor::from(std::vector<std::uint8_t>{255}).to(DType::int64).item() == 255);
}

TEST_CASE("tensor: equal bits") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(bit_equal(Tensor::from({nan}, {1}), Tensor::from({nan}, {1})));
  CHECK_FALSE(bit_equal(Tensor::from({0.0}, {1}), Tensor::from({-0.0}, {1})));
  CHECK_FALSE(bit_equal(Tensor::zeros({2}), Tensor::zeros({2, 1})));
  CHECK_FALSE(bit_equal(Tensor::zeros({2}), Tensor::zeros({2}, DType::int32)));
  CHECK(bit_equal(Tensor(), Tensor()));
  CHECK_FALSE(bit_equal(Tensor(), Tensor::zeros({0})));
}

}  // namespace atto::test
