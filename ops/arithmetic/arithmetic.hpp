#pragma once
// y = a o b with NumPy broadcasting: shapes are aligned from the right, sizes that are missing or 1 stretch, up to
// rank 6. Common to all: the gradient of a stretched argument is summed over the places it was stretched to; an empty
// shape gives an empty result; ShapeError when the shapes do not fit. Cost: 1 FLOP per element of y, 4 for a quotient;
// every operand moved once.

#include "autograd/var.hpp"
#include "core/device.hpp"
#include "ops/arithmetic/functors.hpp"

namespace atto {

extern const Schema add_schema, sub_schema, mul_schema, div_schema, maximum_schema, minimum_schema;

Var add(const Var& a, const Var& b);
Var sub(const Var& a, const Var& b);
Var mul(const Var& a, const Var& b);
/// IEEE division: x/0 is an infinity or NaN.
Var div(const Var& a, const Var& b);
/// Element-wise; where both are equal the gradient goes to a.
Var maximum(const Var& a, const Var& b);
Var minimum(const Var& a, const Var& b);

Var operator+(const Var& a, const Var& b);
Var operator-(const Var& a, const Var& b);
Var operator*(const Var& a, const Var& b);
Var operator/(const Var& a, const Var& b);
Var operator-(const Var& a);
// With numbers: one pass, no tensor is made of the number.
Var operator+(const Var& a, double b);
Var operator+(double a, const Var& b);
Var operator-(const Var& a, double b);
Var operator-(double a, const Var& b);
Var operator*(const Var& a, double b);
Var operator*(double a, const Var& b);
Var operator/(const Var& a, double b);
Var operator/(double a, const Var& b);

namespace kernels {

/// Two shapes broadcast to a third, with neighbouring dimensions joined where both arguments allow it: most calls end
/// up with one or two dimensions. A stride of 0 stretches; the strides of the last dimension are 0 or 1.
struct Broadcast {
  Broadcast(const Shape& a, const Shape& b, const Shape& y);
  int rank = 0;
  std::int64_t size[Shape::kMaxRank];
  std::int64_t stride_a[Shape::kMaxRank];
  std::int64_t stride_b[Shape::kMaxRank];
};

/// y = F::part(g, a, b) for n elements; g is not read for Part::f, and y may be g.
template <class F, class T>
void elementwise(Cpu, Part part, std::int64_t n, const T* g, const T* a, const T* b, T* y);

/// The same for arguments that are stretched; g has the shape of y and memory of its own.
template <class F, class T>
void broadcast(Cpu, Part part, const Broadcast& shape, const T* g, const T* a, const T* b, T* y);

}  // namespace kernels
}  // namespace atto
