#include "core/sum.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "core/parallel.hpp"
#include "core/random.hpp"
#include "core/simd.hpp"
#include "tests/support/catch.hpp"

namespace atto::test {
namespace {

template <class T>
std::vector<T> random(std::int64_t size) {
  std::vector<T> values(static_cast<std::size_t>(size));
  Generator generator(1);
  for (T& value : values) value = static_cast<T>(generator.uniform(-1, 3));
  return values;
}

}  // namespace

TEST_CASE("sum_middle: all sizes, threads and instruction sets") {
  const int threads_before = threads();
  const Isa best = isa();
  for (const auto& [outer, middle, inner] : std::vector<std::array<std::int64_t, 3>>{{1, 1, 1},
                                                                                     {3, 5, 7},
                                                                                     {2, 64, 1},
                                                                                     {2, 65, 1},
                                                                                     {1, 1000, 3},
                                                                                     {4, 129, 31},
                                                                                     {3, 70, 64},
                                                                                     {2, 33, 65},
                                                                                     {1, 40'000, 1},
                                                                                     {1, 40'000, 2},
                                                                                     {2, 33'000, 1},
                                                                                     {1, 300, 300},
                                                                                     {5000, 8, 1},
                                                                                     {500, 4, 16},
                                                                                     {0, 3, 4},
                                                                                     {3, 0, 4},
                                                                                     {3, 4, 0},
                                                                                     {1, 5'000'000, 1}}) {
    INFO(outer << " x " << middle << " x " << inner);
    const auto x = random<float>(outer * middle * inner);
    std::vector<double> expected(static_cast<std::size_t>(outer * inner)), size = expected;
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t m = 0; m < middle; ++m)
        for (std::int64_t i = 0; i < inner; ++i) {
          const double value = x[static_cast<std::size_t>((o * middle + m) * inner + i)];
          expected[static_cast<std::size_t>(o * inner + i)] += value;
          size[static_cast<std::size_t>(o * inner + i)] += std::abs(value);
        }
    for (const Isa set : {Isa::baseline, Isa::avx2, Isa::avx512}) {
      if (set > best) continue;
      set_isa(set);
      std::vector<float> first;
      for (const int count : {1, 2, 5}) {
        set_threads(count);
        std::vector<float> y(expected.size(), std::numeric_limits<float>::quiet_NaN());
        sum_middle(outer, middle, inner, x.data(), y.data());
        if (first.empty()) first = y;
        REQUIRE(y == first);
        for (std::size_t i = 0; i < y.size(); ++i)
          REQUIRE(std::abs(double{y[i]} - expected[i]) <= 4 * size[i] / (1 << 23));
      }
    }
  }
  set_threads(threads_before);
  set_isa(best);
}

// The roundings of equal terms all point the same way: a long chain of additions would lose three digits.
TEST_CASE("sum_middle: equal terms, in rows and in columns") {
  const Isa best = isa();
  for (const Isa set : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (set > best) continue;
    set_isa(set);
    for (const auto& [outer, middle, inner] :
         std::vector<std::array<std::int64_t, 3>>{{3, 30'000, 1}, {1, 30'000, 3}, {2, 3'000, 64}, {1, 3'000'000, 1}}) {
      const std::vector<float> x(static_cast<std::size_t>(outer * middle * inner), 0.1f);
      std::vector<float> y(static_cast<std::size_t>(outer * inner));
      sum_middle(outer, middle, inner, x.data(), y.data());
      for (const float sum : y) CHECK(std::abs(sum / static_cast<double>(middle) / double{0.1f} - 1) < 1e-6);
    }
  }
  set_isa(best);
}

TEST_CASE("add_into: whole arrays, and rows that lie apart") {
  std::vector<double> y{1, 2, 3, 4, 5, 6};
  add_into<double>(3, std::vector<double>{10, 20, 30}.data(), y.data());
  CHECK(y == std::vector<double>{11, 22, 33, 4, 5, 6});
  add_rows_into<double>(2, 2, std::vector<double>{100, 200, 0, 300, 400}.data(), 3, y.data() + 1, 3);
  CHECK(y == std::vector<double>{11, 122, 233, 4, 305, 406});
  add_rows_into<double>(0, 2, nullptr, 3, y.data(), 3);
}

}  // namespace atto::test
