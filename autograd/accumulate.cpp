#include "autograd/accumulate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/sum.hpp"

namespace atto {

void add_into(const Tensor& target, const Tensor& source) {
  if (target.shape() != source.shape() || target.dtype() != source.dtype())
    throw ShapeError({.op = "gradient accumulation",
                      .argument = "gradient",
                      .got = source.str(),
                      .expected = target.str(),
                      .hint = {}});
  visit_float(target.dtype(), "gradient accumulation",
              [&]<class T>() { add_into(target.numel(), source.data<T>(), target.data<T>()); });
}

Tensor sum_to(const Tensor& gradient, const Shape& shape) {
  if (gradient.shape() == shape) return gradient;
  const Shape& from = gradient.shape();
  const int lead = from.rank() - shape.rank();
  bool fits = lead >= 0;
  for (int d = 0; fits && d < shape.rank(); ++d) fits = shape[d] == from[d + lead] || shape[d] == 1;
  if (!fits)
    throw ShapeError({.op = "gradient accumulation",
                      .argument = "gradient",
                      .got = from.str(),
                      .expected = shape.str() + " or a shape it broadcasts to",
                      .hint = {}});
  // Sums one block of neighbouring stretched dimensions after the other, from the left: the first is usually the
  // largest.
  const auto stretched = [&](int d) { return d < lead || (shape[d - lead] == 1 && from[d] != 1); };
  Tensor result = gradient;
  std::int64_t outer = 1;
  for (int d = 0; d < from.rank();) {
    std::int64_t size = 1;
    const int begin = d;
    while (d < from.rank() && stretched(d) == stretched(begin)) size *= from[d++];
    std::int64_t inner = 1;
    for (int e = d; e < from.rank(); ++e) inner *= from[e];
    if (!stretched(begin)) {
      outer *= size;
      continue;
    }
    Tensor sum = Tensor::empty({outer, inner}, gradient.dtype());
    visit_float(gradient.dtype(), "gradient accumulation",
                [&]<class T>() { sum_middle(outer, size, inner, result.data<T>(), sum.data<T>()); });
    result = sum;
  }
  return result.reshape(shape);
}

std::int64_t first_non_finite(const Tensor& tensor, Masks masks) {
  if (!tensor.defined() || !is_floating(tensor.dtype())) return -1;
  return visit_float(tensor.dtype(), "anomaly mode", [&]<class T>() -> std::int64_t {
    const T* values = tensor.data<T>();
    for (std::int64_t i = 0; i < tensor.numel(); ++i)
      if (!std::isfinite(values[i]) && !(masks == Masks::allowed && values[i] < 0)) return i;
    return -1;
  });
}

bool has_masks(const Tensor& tensor) {
  if (!tensor.defined() || !is_floating(tensor.dtype())) return false;
  return visit_float(tensor.dtype(), "anomaly mode", [&]<class T>() {
    const auto values = tensor.values<T>();
    return std::find(values.begin(), values.end(), -std::numeric_limits<T>::infinity()) != values.end();
  });
}

}  // namespace atto
