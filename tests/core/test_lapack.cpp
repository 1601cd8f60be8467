#include <cmath>
#include <limits>
#include <vector>

#include "core/error.hpp"
#include "core/lapack.hpp"
#include "core/random.hpp"
#include "tests/support/catch.hpp"

using namespace atto;

TEST_CASE("Eigenvectors of symmetric matrices", "[core]") {
  Generator random(1);
  for (const std::int64_t n : {0, 1, 2, 5, 40, 130}) {
    std::vector<double> matrix(static_cast<std::size_t>(n * n)), values(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j <= i; ++j) matrix[i * n + j] = matrix[j * n + i] = random.uniform(-1, 1);
    std::vector<double> vectors = matrix;
    lapack::symmetric_eigen(n, vectors.data(), values.data());
    const double tolerance = 1e-13 * static_cast<double>(n + 1);
    for (std::int64_t k = 0; k < n; ++k) {
      if (k > 0) CHECK(values[k] >= values[k - 1]);
      for (std::int64_t l = 0; l <= k; ++l) {
        double dot = 0;
        for (std::int64_t i = 0; i < n; ++i) dot += vectors[k * n + i] * vectors[l * n + i];
        REQUIRE(std::abs(dot - (k == l ? 1 : 0)) < tolerance);
      }
      for (std::int64_t i = 0; i < n; ++i) {
        double residual = -values[k] * vectors[k * n + i];
        for (std::int64_t j = 0; j < n; ++j) residual += matrix[i * n + j] * vectors[k * n + j];
        REQUIRE(std::abs(residual) < tolerance);
      }
    }
  }
}

TEST_CASE("The eigenvalue solver refuses what it cannot do", "[core]") {
  std::vector<double> matrix{1, std::numeric_limits<double>::infinity(), 0, 1}, values(2);
  CHECK_THROWS_AS(lapack::symmetric_eigen(2, matrix.data(), values.data()), NumericError);
  matrix[1] = std::nan("");
  CHECK_THROWS_AS(lapack::symmetric_eigen(2, matrix.data(), values.data()), NumericError);
  CHECK_THROWS_AS(lapack::symmetric_eigen(1 << 20, matrix.data(), values.data()), ShapeError);
  CHECK_THROWS_AS(lapack::symmetric_eigen(-1, matrix.data(), values.data()), ShapeError);
}
