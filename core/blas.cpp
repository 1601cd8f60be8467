#include "core/blas.hpp"

#include <cblas.h>

#include <algorithm>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/shape.hpp"
#include "core/storage.hpp"
#include "core/sum.hpp"

namespace atto::blas {
namespace {

blasint to_blas(std::int64_t size) {
  if (size > std::numeric_limits<blasint>::max())
    throw ShapeError(
        {.op = "gemm", .argument = "size", .got = std::to_string(size), .expected = "at most 2^31 - 1", .hint = {}});
  return static_cast<blasint>(size);
}

void call(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k, float alpha, const float* a,
          blasint lda, const float* b, blasint ldb, float beta, float* c, blasint ldc) {
  keep_to_this_thread();
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void call(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k, double alpha, const double* a,
          blasint lda, const double* b, blasint ldb, double beta, double* c, blasint ldc) {
  keep_to_this_thread();
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

// A float product of at most this many multiply-adds is done without packing its operands first, and a fifth faster, if
// op(B) is not a transpose. Only the cores with AVX-512 have such kernels (sgemm_small_kernel_permit in OpenBLAS).
template <class T>
std::int64_t unpacked_work() {
  static const std::int64_t work = [] {
    const std::string core = openblas_get_corename();
    return core == "SkylakeX" || core == "Cooperlake" || core == "SapphireRapids" ? std::int64_t{1'000'000}
                                                                                  : std::int64_t{0};
  }();
  return sizeof(T) == 4 ? work : 0;
}

// The largest part of a dimension that keeps a product unpacked, given the sizes of the other two; 0 when it is not
// worth it.
template <class T>
std::int64_t unpacked_part(std::int64_t a, std::int64_t b) {
  const std::int64_t part = unpacked_work<T>() / std::max<std::int64_t>(1, a * b) / 16 * 16;
  return part >= 32 ? part : 0;
}

void transpose(std::int64_t rows, std::int64_t columns, const float* a, float* b) {
  cblas_somatcopy(CblasRowMajor, CblasTrans, to_blas(rows), to_blas(columns), 1, a, to_blas(columns), b, to_blas(rows));
}
void transpose(std::int64_t rows, std::int64_t columns, const double* a, double* b) {
  cblas_domatcopy(CblasRowMajor, CblasTrans, to_blas(rows), to_blas(columns), 1, a, to_blas(columns), b, to_blas(rows));
}

// Multiply-adds that one tile should hold: about 10 microseconds of a core, so that the layers of a small batch (some
// hundred rows of 64 numbers) keep several threads busy.
constexpr std::int64_t kTileWork = std::int64_t{1} << 19;

// Products with a long inner dimension and a small result (weight gradients) are cut along k into partial results that
// are added in order; others are cut along the rows of C.
template <class T>
void gemm_split_k(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t slice, T alpha,
                  const T* a, const T* b, T beta, T* c) {
  const std::int64_t slices = (k + slice - 1) / slice;
  const std::int64_t size = checked_multiply(m, n);
  Storage partial(static_cast<std::size_t>(checked_multiply(checked_multiply(slices, size), sizeof(T))), Device{});
  T* sums = reinterpret_cast<T*>(partial.data());
  parallel_chunks(k, slice, m * n, [&](std::int64_t index, std::int64_t begin, std::int64_t end) {
    gemm_tile<T>(ta, tb, m, n, end - begin, alpha, ta ? a + begin * m : a + begin, ta ? m : k,
                 tb ? b + begin : b + begin * n, tb ? k : n, T{0}, sums + index * size, n);
  });
  parallel_for(size, slices, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) c[i] = beta == T{0} ? T{0} : beta * c[i];
    for (std::int64_t s = 0; s < slices; ++s) add_into(end - begin, sums + s * size + begin, c + begin);
  });
}

}  // namespace

std::int64_t tile_of(std::int64_t items, std::int64_t work_per_item) {
  const auto holding = [&](std::int64_t work) { return work / std::max<std::int64_t>(1, work_per_item) / 32 * 32; };
  // Few items are shared out too, but not in tiles so small that handing them out costs more than a tenth of them.
  const std::int64_t least = std::max<std::int64_t>(32, holding(kTileWork / 8));
  const std::int64_t most = std::max<std::int64_t>(64, holding(kTileWork));
  const std::int64_t tile = std::clamp(items / 4 / 32 * 32, least, most);
  if (items <= tile) return tile;
  // Tiles of one size, and an even number of them: threads that share them out are done at the same time.
  const std::int64_t pairs = (items + 2 * tile - 1) / (2 * tile), even = (items + 2 * pairs - 1) / (2 * pairs);
  return (even + 3) / 4 * 4;
}

void keep_to_this_thread() {
  thread_local bool told = false;
  if (told) return;
  openblas_set_num_threads(1);
  told = true;
}

template <class T>
void gemm_tile(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a, std::int64_t lda,
               const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == T{0} ? T{0} : beta * c[i * ldc + j];
    return;
  }
  const auto one = [&](std::int64_t rows, std::int64_t inner, const T* from_a, const T* from_b, T keep, T* to) {
    call(ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, to_blas(rows), to_blas(n), to_blas(inner),
         alpha, from_a, to_blas(lda), from_b, to_blas(ldb), keep, to, to_blas(ldc));
  };
  if (const std::int64_t rows = tb || ta ? 0 : unpacked_part<T>(n, k); rows > 0 && rows < m) {
    for (std::int64_t i = 0; i < m; i += rows) one(std::min(rows, m - i), k, a + i * lda, b, beta, c + i * ldc);
  } else if (const std::int64_t inner = tb || !ta ? 0 : unpacked_part<T>(m, n); inner > 0 && inner < k) {
    for (std::int64_t l = 0; l < k; l += inner)
      one(m, std::min(inner, k - l), a + l * lda, b + l * ldb, l == 0 ? beta : T{1}, c);
  } else {
    one(m, k, a, b, beta, c);
  }
}

template <class T>
RightFactor<T>::RightFactor(bool transpose_b, std::int64_t rows, std::int64_t n, std::int64_t k, const T* b)
    : transpose_(transpose_b), n_(n), k_(k), b_(b) {
  part_ = tile_of(rows, n * k);
  if (!transpose_b || rows < 256 || unpacked_part<T>(n, k) == 0) return;
  copy_ = Storage(static_cast<std::size_t>(n * k) * sizeof(T), Device{});
  transpose(n, k, b, reinterpret_cast<T*>(copy_.data()));
  transpose_ = false;
  b_ = reinterpret_cast<T*>(copy_.data());
}

template <class T>
void RightFactor<T>::multiply(std::int64_t rows, T alpha, const T* a, T beta, T* c) const {
  gemm_tile<T>(false, transpose_, rows, n_, k_, alpha, a, k_, b_, transpose_ ? k_ : n_, beta, c, n_);
}

template <class T>
void gemm(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a, const T* b, T beta,
          T* c) {
  if (m == 0 || n == 0) return;
  const std::int64_t slice = std::max(tile_of(k, m * n), (k + kMaxSlices - 1) / kMaxSlices);
  if (k >= 2 * slice && k >= 2 * std::max(m, n)) return gemm_split_k<T>(ta, tb, m, n, k, slice, alpha, a, b, beta, c);
  const std::int64_t rows = tile_of(m, n * k), row_work = n * std::max<std::int64_t>(1, k);
  if (m <= rows) {  // few rows, perhaps long ones
    const std::int64_t width = tile_of(n, m * k);
    parallel_chunks(n, width, m * std::max<std::int64_t>(1, k),
                    [&](std::int64_t, std::int64_t begin, std::int64_t end) {
                      gemm_tile<T>(ta, tb, m, end - begin, k, alpha, a, ta ? m : k, tb ? b + begin * k : b + begin,
                                   tb ? k : n, beta, c + begin, n);
                    });
  } else if (ta) {
    parallel_chunks(m, rows, row_work, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      gemm_tile<T>(true, tb, end - begin, n, k, alpha, a + begin, m, b, tb ? k : n, beta, c + begin * n, n);
    });
  } else {
    const RightFactor<T> factor(tb, m, n, k, b);
    parallel_chunks(m, rows, row_work, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      factor.multiply(end - begin, alpha, a + begin * k, beta, c + begin * n);
    });
  }
}

template class RightFactor<float>;
template class RightFactor<double>;
template void gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, float, const float*, const float*, float,
                   float*);
template void gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, double, const double*, const double*, double,
                   double*);
template void gemm_tile(bool, bool, std::int64_t, std::int64_t, std::int64_t, float, const float*, std::int64_t,
                        const float*, std::int64_t, float, float*, std::int64_t);
template void gemm_tile(bool, bool, std::int64_t, std::int64_t, std::int64_t, double, const double*, std::int64_t,
                        const double*, std::int64_t, double, double*, std::int64_t);

}  // namespace atto::blas
