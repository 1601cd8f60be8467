#pragma once
// Dense linear algebra on LAPACK, on the calling thread: for use inside parallel loops.

#include <cstdint>

namespace atto::lapack {

/// Largest matrix that is taken: its eigenvectors and the workspace take 8 GiB.
inline constexpr std::int64_t kLargestOrder = std::int64_t{1} << 14;

/// Eigenvalues and eigenvectors of a real symmetric matrix (dsyevd, divide and conquer). `a` [n,n] is overwritten: its
/// row k becomes the unit eigenvector of values[k], and values ascend. Only one triangle of `a` is read. Of a repeated
/// eigenvalue the vectors are some orthonormal basis, the same at every call on one machine. n = 0 does nothing.
/// NumericError when `a` holds a number that is not finite, ShapeError when n is above kLargestOrder. Cost: about 9 n^3
/// FLOP, 3 n^2 numbers of workspace.
void symmetric_eigen(std::int64_t n, double* a, double* values);

}  // namespace atto::lapack
