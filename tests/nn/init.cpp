#include "nn/init.hpp"

#include <algorithm>
#include <cmath>

#include "tests/support/errors.hpp"

using namespace atto;

namespace {

Tensor drawn(const Initialiser& initialiser, const Shape& shape, std::uint64_t seed = 1, DType dtype = DType::float64) {
  Tensor tensor = Tensor::empty(shape, dtype);
  Generator random(seed);
  initialiser(tensor, random);
  return tensor;
}

struct Moments {
  double mean = 0, variance = 0, low = 1e300, high = -1e300;
  explicit Moments(const Tensor& tensor) {
    const auto values = tensor.values<double>();
    const auto n = static_cast<double>(values.size());
    for (const double v : values) {
      mean += v / n;
      low = std::min(low, v);
      high = std::max(high, v);
    }
    for (const double v : values) variance += (v - mean) * (v - mean) / n;
  }
};

// Uniform values fill their interval, and not more.
void check_uniform(const Tensor& tensor, double bound) {
  const Moments m(tensor);
  CHECK(m.low >= -bound);
  CHECK(m.high < bound);
  CHECK(m.low < -0.99 * bound);
  CHECK(m.high > 0.99 * bound);
  CHECK(std::abs(m.mean) < 0.03 * bound);
  CHECK(m.variance == Approx(bound * bound / 3).epsilon(0.05));
}

}  // namespace

TEST_CASE("constants and copies") {
  CHECK(drawn(init::zeros(), {2}).values<double>()[1] == 0.0);
  CHECK(drawn(init::ones(), {2}).values<double>()[1] == 1.0);
  CHECK(drawn(init::constant(5), {2}, 1, DType::float32).values<float>()[1] == 5.0f);
  const Tensor source = drawn(init::normal(), {2, 3});
  CHECK(bit_equal(drawn(init::values(source), {2, 3}), source));
  CHECK_THROWS_AS(drawn(init::values(source), {3, 2}), ShapeError);
}

TEST_CASE("bounds and variances of the random rules") {
  const Shape wide{100, 25};  // out, in
  check_uniform(drawn(init::uniform(0.3), wide), 0.3);
  check_uniform(drawn(init::kaiming_uniform(), wide), 0.2);
  check_uniform(drawn(init::kaiming_uniform(4), {2500}), 0.5);
  check_uniform(drawn(init::xavier_uniform(2.0), wide), 2 * std::sqrt(6.0 / 125));
  check_uniform(drawn(init::kaiming_uniform(), {100, 5, 5}), 0.2);
  for (const auto& [tensor, variance] :
       {std::pair(drawn(init::normal(3.0), wide), 9.0), std::pair(drawn(init::xavier_normal(2.0), wide), 8.0 / 125)}) {
    const Moments m(tensor);
    CHECK(m.variance == Approx(variance).epsilon(0.08));
    CHECK(std::abs(m.mean) < 0.1 * std::sqrt(variance));
    CHECK(m.high > 2.5 * std::sqrt(variance));
  }
}

TEST_CASE("the first numbers of a seed, as they are on every machine") {
  const Tensor uniform = drawn(init::uniform(1.0), {3}, 7);
  const Tensor again = drawn(init::uniform(1.0), {3}, 7);
  CHECK(bit_equal(uniform, again));
  Generator random(7);
  CHECK(uniform.values<double>()[0] == 2 * random.uniform() - 1);
  CHECK_FALSE(bit_equal(uniform, drawn(init::uniform(1.0), {3}, 8)));
  CHECK(bit_equal(drawn(init::uniform(1.0), {3}, 7, DType::float32), uniform.to(DType::float32)));
}

TEST_CASE("rules for matrices refuse vectors, and empty tensors are fine") {
  CHECK_THAT_SAYS(ShapeError, drawn(init::kaiming_uniform(), {4}), "at least rank 2");
  CHECK_THROWS_AS(drawn(init::xavier_uniform(), {4}), ShapeError);
  CHECK_THROWS_AS(drawn(init::xavier_normal(), {4}), ShapeError);
  CHECK(drawn(init::kaiming_uniform(), {0, 3}).numel() == 0);
  CHECK(drawn(init::kaiming_uniform(), {3, 0}).numel() == 0);
  CHECK(drawn(init::xavier_normal(), {0, 0}).numel() == 0);
}
