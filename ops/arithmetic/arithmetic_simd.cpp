#include "core/simd.hpp"
#include "ops/arithmetic/functors.hpp"

namespace atto::kernels {
namespace {

// The step of each argument is a constant here, so that the loop becomes vectors. F::part is picked by the caller.
template <int StepA, int StepB, class T, class Function>
void rows_of(std::int64_t rows, std::int64_t columns, const T* __restrict g, const Rows<T>& a, const Rows<T>& b,
             T* __restrict y, Function f) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* __restrict pa = a.pointer + r * a.stride;
    const T* __restrict pb = b.pointer + r * b.stride;
    for (std::int64_t i = 0; i < columns; ++i) y[r * columns + i] = f(g, r * columns + i, pa[i * StepA], pb[i * StepB]);
  }
}

template <class T, class Function>
void rows_of(std::int64_t rows, std::int64_t columns, const T* g, const Rows<T>& a, const Rows<T>& b, T* y,
             Function f) {
  if (a.step == 1 && b.step == 1) rows_of<1, 1>(rows, columns, g, a, b, y, f);
  else if (a.step == 1) rows_of<1, 0>(rows, columns, g, a, b, y, f);
  else if (b.step == 1) rows_of<0, 1>(rows, columns, g, a, b, y, f);
  else rows_of<0, 0>(rows, columns, g, a, b, y, f);
}

template <class T, class Function>
void elements_of(std::int64_t n, const T* __restrict g, const T* __restrict a, const T* __restrict b, T* __restrict y,
                 Function f) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = f(g[i], a[i], b[i]);
}

// The gradient lies where the result goes.
template <class T, class Function>
void elements_over(std::int64_t n, const T* __restrict a, const T* __restrict b, T* __restrict y, Function f) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = f(y[i], a[i], b[i]);
}

template <class T, class Function>
void gradient_of(std::int64_t n, const T* g, const T* a, const T* b, T* y, Function f) {
  if (g == y) elements_over(n, a, b, y, f);
  else elements_of(n, g, a, b, y, f);
}

}  // namespace

template <class Isa, class F, class T>
void elementwise_chunk(Part part, std::int64_t n, const T* g, const T* a, const T* b, T* y) {
  switch (part) {
    case Part::f:
      return elements_over(n, a, b, y, [](T, T p, T q) { return F::f(p, q); });
    case Part::da:
      return gradient_of(n, g, a, b, y, [](T h, T p, T q) { return F::da(h, p, q); });
    case Part::db:
      return gradient_of(n, g, a, b, y, [](T h, T p, T q) { return F::db(h, p, q); });
  }
}

template <class Isa, class F, class T>
void broadcast_rows(Part part, std::int64_t rows, std::int64_t columns, const T* g, const Rows<T>& a, const Rows<T>& b,
                    T* y) {
  switch (part) {
    case Part::f:
      return rows_of(rows, columns, g, a, b, y, [](const T*, std::int64_t, T p, T q) { return F::f(p, q); });
    case Part::da:
      return rows_of(rows, columns, g, a, b, y, [](const T* h, std::int64_t i, T p, T q) { return F::da(h[i], p, q); });
    case Part::db:
      return rows_of(rows, columns, g, a, b, y, [](const T* h, std::int64_t i, T p, T q) { return F::db(h[i], p, q); });
  }
}

#define ATTO_INSTANTIATE(F)                                                                                  \
  template void elementwise_chunk<ATTO_ISA, arithmetic::F>(Part, std::int64_t, const float*, const float*,   \
                                                           const float*, float*);                            \
  template void elementwise_chunk<ATTO_ISA, arithmetic::F>(Part, std::int64_t, const double*, const double*, \
                                                           const double*, double*);                          \
  template void broadcast_rows<ATTO_ISA, arithmetic::F>(Part, std::int64_t, std::int64_t, const float*,      \
                                                        const Rows<float>&, const Rows<float>&, float*);     \
  template void broadcast_rows<ATTO_ISA, arithmetic::F>(Part, std::int64_t, std::int64_t, const double*,     \
                                                        const Rows<double>&, const Rows<double>&, double*);
ATTO_BINARY_FUNCTORS(ATTO_INSTANTIATE)
#undef ATTO_INSTANTIATE

}  // namespace atto::kernels
