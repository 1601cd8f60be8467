#pragma once
// Matrix products on OpenBLAS. OpenBLAS always runs with one thread inside our own parallel regions; a large product is
// cut into tiles by its shape alone, so that the bits do not depend on the number of threads.

#include <cstdint>

#include "core/storage.hpp"

namespace atto::blas {

/// Comes before every call of OpenBLAS: it must not start threads of its own beside ours, or its results depend on
/// their number. Its OpenMP build asks how many there are anew on each thread that calls, so each says it once.
void keep_to_this_thread();

/// C[m,n] = alpha * op(A)[m,k] * op(B)[k,n] + beta * C, row-major, contiguous; op transposes when the flag is set (A is
/// then stored [k,m], B [n,k]). beta = 0 never reads C. k = 0 scales C by beta. Cost: 2 m n k FLOP.
template <class T>
void gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,
          const T* b, T beta, T* c);

/// The same with leading dimensions (row strides), one tile, on the calling thread: for use inside parallel kernels.
template <class T>
void gemm_tile(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,
               std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc);

/// How many of `items` that take `work_per_item` multiply-adds each make a tile that is worth a thread's while: a
/// multiple of 4, a function of the work alone. More than one tile are about equal, as a rule an even number.
std::int64_t tile_of(std::int64_t items, std::int64_t work_per_item);
/// Partial results at most, where a long sum is cut into parts that are added in order.
inline constexpr std::int64_t kMaxSlices = 32;

/// op(B)[k,n] for products whose rows come in parts, in the layout that is fastest. Keeps pointing to b.
template <class T>
class RightFactor {
 public:
  /// `rows` is how many there will be in all.
  RightFactor(bool transpose_b, std::int64_t rows, std::int64_t n, std::int64_t k, const T* b);
  /// Rows that are worth a thread's while; a function of the sizes, a multiple of 4.
  std::int64_t part() const noexcept { return part_; }
  /// C[rows,n] = alpha A[rows,k] op(B) + beta C, contiguous, on the calling thread.
  void multiply(std::int64_t rows, T alpha, const T* a, T beta, T* c) const;

 private:
  bool transpose_;
  std::int64_t n_, k_, part_;
  const T* b_;
  Storage copy_;
};

}  // namespace atto::blas
