#pragma once
// Products of matrices.

#include "autograd/var.hpp"
#include "core/device.hpp"

namespace atto {

extern const Schema matmul_schema;

struct MatmulOptions {
  bool transpose_a = false;  ///< a is stored as [...,K,M]
  bool transpose_b = false;  ///< b is stored as [...,N,K]
};

/// c_mn = sum_k a_mk b_kn. a[...,M,K], b[...,K,N] -> c[...,M,N]; the leading sizes are a batch of products and must be
/// the same (ShapeError). Gradients to both; K = 0 gives zeros. Each product is computed as if it were alone, so its
/// bits depend neither on the batch nor on the number of threads. Cost: 2 M N K FLOP per product.
Var matmul(const Var& a, const Var& b, const MatmulOptions& options = {});

namespace kernels {

/// C_i = op(A_i) op(B_i) for each of `batch` products of contiguous matrices; op(A) is [m,k], op(B) [k,n].
template <class T>
void batched_gemm(Cpu, bool transpose_a, bool transpose_b, std::int64_t batch, std::int64_t m, std::int64_t n,
                  std::int64_t k, const T* a, const T* b, T* c);

}  // namespace kernels
}  // namespace atto
