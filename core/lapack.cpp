#include "core/lapack.hpp"

#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "core/blas.hpp"
#include "core/error.hpp"

namespace atto::lapack {

void symmetric_eigen(std::int64_t n, double* a, double* values) {
  if (n < 0 || n > kLargestOrder)
    throw ShapeError({.op = "symmetric_eigen",
                      .argument = "n",
                      .got = std::to_string(n),
                      .expected = "0 to " + std::to_string(kLargestOrder),
                      .hint = "a dense solver needs n^2 memory and n^3 time"});
  if (n == 0) return;
  if (!std::all_of(a, a + n * n, [](double value) { return std::isfinite(value); }))
    throw NumericError({.op = "symmetric_eigen", .argument = "a", .got = "a number that is not finite"});
  blas::keep_to_this_thread();
  const auto order = static_cast<lapack_int>(n);
  // LAPACK stores vectors as columns of a column-major matrix: rows, as we see it.
  const lapack_int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', order, a, order, values);
  if (info != 0)
    throw NumericError({.op = "symmetric_eigen",
                        .argument = "dsyevd",
                        .got = "code " + std::to_string(info),
                        .expected = "0",
                        .hint = info < -1000 ? "out of memory" : "the iteration did not converge"});
}

}  // namespace atto::lapack
