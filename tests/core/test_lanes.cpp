#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/lanes.hpp"
#include "tests/support/catch.hpp"

namespace simd = atto::simd;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Error of the vector exponential in units in the last place of the true result, which is 0 below 2^-125.
double exp_error(float x) {
  const float got = simd::exp<float, 1>(x);
  const double expected = x < -86.6434f ? 0 : std::exp(static_cast<double>(x));
  if (std::isinf(static_cast<float>(expected)) || std::isinf(got))
    return std::isinf(got) && expected > 3.402823e38 ? 0 : kInfinity;
  return expected == 0 ? (got == 0 ? 0 : kInfinity)
                       : std::abs(got - expected) / std::ldexp(1.0, std::ilogb(expected) - 23);
}

}  // namespace

TEST_CASE("whole vectors cover a run, and fresh lanes count every number once") {
  for (const std::int64_t count : {4, 5, 7, 8, 11}) {
    const std::int64_t vectors = simd::lane_count<4>(count);
    std::vector<int> covered(static_cast<std::size_t>(count)), fresh(static_cast<std::size_t>(count));
    for (std::int64_t k = 0; k < vectors; ++k) {
      const auto mask = simd::fresh_lanes<float, 4>(k, count);
      for (std::int64_t i = 0; i < 4; ++i) {
        const auto place = static_cast<std::size_t>(simd::lane_start<4>(k, count) + i);
        ++covered.at(place);
        if (mask[i]) ++fresh.at(place);
      }
    }
    for (const int times : covered) CHECK(times >= 1);
    for (const int times : fresh) CHECK(times == 1);
  }
}

TEST_CASE("lanes are loaded, stored and summed in a fixed order") {
  const float x[4] = {-3.5f, 0.25f, 20.0f, -200.0f};
  CHECK(simd::sum<float, 4>(simd::load<4>(x)) == (x[0] + x[2]) + (x[1] + x[3]));
  float got[5] = {};
  simd::store(got + 1, simd::load<4>(x) * simd::splat<4>(2.0f));
  CHECK(got[0] == 0.0f);
  CHECK(got[1] == -7.0f);
  CHECK(got[4] == -400.0f);
}

TEST_CASE("the exponential of lanes is within 1.1 units in the last place, from 2^-125 to infinity") {
  double worst = 0;
  for (std::uint64_t bits = 0; bits < (1ull << 32); bits += 9973) {
    const auto low = static_cast<std::uint32_t>(bits);
    float x;
    std::memcpy(&x, &low, sizeof x);
    if (!std::isnan(x)) worst = std::max(worst, exp_error(x));
  }
  for (const float x : {0.0f, 88.72283f, 88.73f, -86.643f, -86.644f, -87.4f, -103.2f, -104.1f})
    worst = std::max(worst, exp_error(x));
  CHECK(worst < 1.1);
  CHECK(simd::exp<float, 1>(-kInfinity) == 0);
  CHECK(simd::exp<float, 1>(kInfinity) == kInfinity);
  CHECK(simd::exp<float, 1>(0) == 1);
  CHECK(std::isnan(simd::exp<float, 1>(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("four vectors are summed side by side") {
  float x[16];
  for (int i = 0; i < 16; ++i) x[i] = static_cast<float>(1 << i);
  float got[4];
  simd::store(got, simd::sum_four<float, 4>(simd::load<4>(x), simd::load<4>(x + 4), simd::load<4>(x + 8),
                                            simd::load<4>(x + 12)));
  CHECK(got[0] == 0x000f);
  CHECK(got[1] == 0x00f0);
  CHECK(got[2] == 0x0f00);
  CHECK(got[3] == 0xf000);
}

TEST_CASE("parts of a vector are loaded and stored, the rest is filled up or left alone") {
  const float x[4] = {-3.5f, 0.25f, 20.0f, -200.0f};
  float got[4];
  simd::store(got, simd::load_part<4>(x, 3, 7.0f));
  CHECK(got[2] == 20.0f);
  CHECK(got[3] == 7.0f);
  simd::store(got, simd::exp<float, 4>(simd::load<4>(x)));
  for (int i = 0; i < 4; ++i) CHECK(got[i] == simd::exp<float, 1>(x[i]));
  float part[3] = {};
  simd::store_part(part, simd::load<4>(x), 2);
  CHECK(part[1] == 0.25f);
  CHECK(part[2] == 0.0f);
}

TEST_CASE("the larger of two numbers keeps a NaN") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(simd::larger(1.0f, 2.0f) == 2.0f);
  CHECK(simd::larger(-kInfinity, -1.0f) == -1.0f);
  CHECK(std::isnan(simd::larger(nan, 1.0f)));
  CHECK(std::isnan(simd::larger(1.0f, nan)));
}
