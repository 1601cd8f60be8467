#include "ops/matmul/matmul.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "ops/dispatch.hpp"

namespace atto {
namespace {

constexpr Schema::Text text(std::string_view signature) {
  return {
      .name = "matmul",
      .signature = signature,
      .formula = "c_mn = sum_k a_mk b_kn, for each matrix of a batch",
      .gradient = "da = dc b^T, db = a^T dc",
      .cost = "2 M N K FLOP, M K + K N + M N values moved, for each matrix of a batch",
  };
}

}  // namespace

const Schema matmul_schema{text("a[...,M,K], b[...,K,N] -> c[...,M,N]")};

namespace {

// Stored the other way round, a is [K,M] and b is [N,K]: then errors say so.
const Schema transposed_a{text("a[...,K,M], b[...,K,N] -> c[...,M,N]")};
const Schema transposed_b{text("a[...,M,K], b[...,N,K] -> c[...,M,N]")};
const Schema transposed_both{text("a[...,K,M], b[...,N,K] -> c[...,M,N]")};

class MatmulOp final : public Op {
 public:
  explicit MatmulOp(const MatmulOptions& options) : options_(options) {}
  const Schema& schema() const override {
    if (options_.transpose_a) return options_.transpose_b ? transposed_both : transposed_a;
    return options_.transpose_b ? transposed_b : matmul_schema;
  }

  Tensor forward(Inputs in) override {
    a_ = in[0];
    b_ = in[1];
    const Shape &a = a_.shape(), &b = b_.shape();
    if (!std::equal(a.begin(), a.end() - 2, b.begin(), b.end() - 2))
      throw ShapeError({.op = "matmul",
                        .argument = "b",
                        .got = b.str(),
                        .expected = "the leading sizes of a, " + a.str(),
                        .hint = "reshape a to two dimensions to multiply all its matrices by one"});
    for (int d = 0; d + 2 < a.rank(); ++d) batch_ *= a[d];
    m_ = a[options_.transpose_a ? -1 : -2];
    k_ = a[options_.transpose_a ? -2 : -1];
    n_ = b[options_.transpose_b ? -2 : -1];
    Tensor c = product(options_.transpose_a, options_.transpose_b, m_, n_, k_, a_, b_, a.with(-2, m_).with(-1, n_));
    if (!will_want(1)) a_.let_go();
    if (!will_want(0)) b_.let_go();
    return c;
  }

  // The gradient of a matrix that is stored transposed is the transposed product.
  void backward(const Tensor& dc, Gradients& gradients) override {
    const bool ta = options_.transpose_a, tb = options_.transpose_b;
    if (gradients.wants(0))
      gradients.add(0, ta ? product(tb, true, k_, m_, n_, b_, dc, a_.shape())
                          : product(false, !tb, m_, k_, n_, dc, b_, a_.shape()));
    if (gradients.wants(1))
      gradients.add(1, tb ? product(true, ta, n_, k_, m_, dc, a_, b_.shape())
                          : product(!ta, false, k_, n_, m_, a_, dc, b_.shape()));
  }

  Cost cost() const override {
    const auto b = static_cast<double>(batch_), m = static_cast<double>(m_), n = static_cast<double>(n_),
               k = static_cast<double>(k_);
    return {.flops = 2 * b * m * n * k,
            .bytes = b * (m * k + k * n + m * n) * static_cast<double>(size_of(a_.dtype()))};
  }

 private:
  Tensor product(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const Tensor& a, const Tensor& b,
                 const Shape& shape) const {
    Tensor c = Tensor::empty(shape, a.dtype(), a.device());
    dispatch(a, "matmul", [&]<class T>(auto device) {
      kernels::batched_gemm(device, ta, tb, batch_, m, n, k, a.data<T>(), b.data<T>(), c.data<T>());
    });
    return c;
  }

  MatmulOptions options_;
  Tensor a_, b_;
  std::int64_t batch_ = 1, m_ = 0, n_ = 0, k_ = 0;
};

}  // namespace

Var matmul(const Var& a, const Var& b, const MatmulOptions& options) {
  return apply<MatmulOp>({a, b}, options);
}

}  // namespace atto
