#include "core/blas.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "core/parallel.hpp"
#include "core/random.hpp"
#include "tests/support/catch.hpp"

namespace atto::test {
namespace {

template <class T>
std::vector<T> random(std::int64_t size, std::uint64_t seed) {
  std::vector<T> values(static_cast<std::size_t>(size));
  Generator generator(seed);
  for (T& value : values) value = static_cast<T>(generator.uniform(-1, 1));
  return values;
}

// Largest error of gemm against a loop in double, in units of epsilon times the sum of |terms|.
template <class T>
double worst_error(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, double alpha, double beta) {
  const auto a = random<T>(m * k, 1), b = random<T>(k * n, 2), before = random<T>(m * n, 3);
  auto c = before;
  blas::gemm<T>(ta, tb, m, n, k, static_cast<T>(alpha), a.data(), b.data(), static_cast<T>(beta), c.data());
  double worst = 0;
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      const auto at = static_cast<std::size_t>(i * n + j);
      double sum = beta * double{before[at]}, size = std::abs(sum) + 1e-30;
      for (std::int64_t l = 0; l < k; ++l) {
        const double term = alpha * double{a[static_cast<std::size_t>(ta ? l * m + i : i * k + l)]} *
                            double{b[static_cast<std::size_t>(tb ? j * k + l : l * n + j)]};
        sum += term, size += std::abs(term);
      }
      worst = std::max(worst, std::abs(sum - double{c[at]}) / size / double{std::numeric_limits<T>::epsilon()});
    }
  return worst;
}

}  // namespace

TEST_CASE("gemm: agrees with the definition for all flags and shapes") {
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      for (const auto& [m, n, k] : std::vector<std::array<std::int64_t, 3>>{{1, 1, 1},
                                                                            {3, 4, 5},
                                                                            {7, 1, 9},
                                                                            {1, 8, 3},
                                                                            {65, 33, 17},
                                                                            {5, 4, 0},
                                                                            {0, 3, 2},
                                                                            {3, 0, 2},
                                                                            {4, 3, 5000},
                                                                            {2100, 65, 64},
                                                                            {40, 700, 200}})
        for (const auto& [alpha, beta] : {std::pair{1.0, 0.0}, std::pair{-0.5, 2.0}}) {
          INFO(m << " " << n << " " << k << (ta ? " A transposed" : "") << (tb ? " B transposed" : "") << " alpha "
                 << alpha);
          CHECK(worst_error<float>(ta, tb, m, n, k, alpha, beta) < 4);
          CHECK(worst_error<double>(ta, tb, m, n, k, alpha, beta) < 4);
        }
}

TEST_CASE("gemm: beta = 0 reads nothing, not even a NaN") {
  for (const std::int64_t k : {0, 3, 9000}) {
    const auto a = random<float>(4 * k, 1), b = random<float>(5 * k, 2);
    std::vector<float> c(20, std::numeric_limits<float>::quiet_NaN());
    blas::gemm<float>(false, false, 4, 5, k, 1, a.data(), b.data(), 0, c.data());
    for (const float value : c) CHECK_FALSE(std::isnan(value));
  }
}

TEST_CASE("gemm: the bits do not depend on the number of threads") {
  const int before = threads();
  for (const auto& [m, n, k] : std::vector<std::array<std::int64_t, 3>>{
           {9000, 64, 64}, {64, 64, 20000}, {300, 300, 300}, {31, 1200, 700}, {100, 3000, 64}}) {
    const auto a = random<float>(m * k, 1), b = random<float>(k * n, 2);
    std::vector<float> expected;
    for (const int count : {1, 2, 5}) {
      set_threads(count);
      std::vector<float> c(static_cast<std::size_t>(m * n));
      blas::gemm<float>(false, false, m, n, k, 1, a.data(), b.data(), 0, c.data());
      if (expected.empty()) expected = c;
      CHECK(c == expected);
    }
  }
  set_threads(before);
}

TEST_CASE("gemm_tile: works on parts of matrices and leaves the rest alone") {
  const auto a = random<double>(6 * 7, 1), b = random<double>(7 * 8, 2);
  std::vector<double> c(5 * 9, -1);
  blas::gemm_tile<double>(false, false, 3, 4, 2, 1, a.data() + 1, 7, b.data() + 3, 8, 0, c.data() + 2, 9);
  for (std::int64_t i = 0; i < 5; ++i)
    for (std::int64_t j = 0; j < 9; ++j) {
      double expected = -1;
      if (i < 3 && j >= 2 && j < 6) {
        expected = 0;
        for (std::int64_t l = 0; l < 2; ++l)
          expected += a[static_cast<std::size_t>(i * 7 + 1 + l)] * b[static_cast<std::size_t>(l * 8 + 3 + j - 2)];
      }
      CHECK(c[static_cast<std::size_t>(i * 9 + j)] == Approx(expected));
    }
}

}  // namespace atto::test
