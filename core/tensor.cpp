#include "core/tensor.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace atto {

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  if (device.kind != DeviceKind::cpu)
    throw TypeError({.op = "Tensor",
                     .argument = "device",
                     .got = "cuda",
                     .expected = "cpu",
                     .hint = "this build has no GPU backend"});
  const std::int64_t bytes = checked_multiply(shape.numel(), static_cast<std::int64_t>(size_of(dtype)));
  return Tensor(Storage(static_cast<std::size_t>(bytes), device), shape, dtype);
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor tensor = empty(shape, dtype, device);
  std::memset(tensor.raw(), 0, static_cast<std::size_t>(tensor.bytes()));
  return tensor;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor tensor = empty(shape, dtype, device);
  tensor.fill(value);
  return tensor;
}

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  if (static_cast<std::int64_t>(values.size()) != shape.numel())
    throw ShapeError({.op = "Tensor::from",
                      .argument = "values",
                      .got = std::to_string(values.size()) + " values",
                      .expected = std::to_string(shape.numel()) + " for " + shape.str(),
                      .hint = {}});
  Tensor tensor = empty(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), tensor.data<T>());
  return tensor;
}
template Tensor Tensor::from(std::span<const float>, const Shape&);
template Tensor Tensor::from(std::span<const double>, const Shape&);
template Tensor Tensor::from(std::span<const std::int32_t>, const Shape&);
template Tensor Tensor::from(std::span<const std::int64_t>, const Shape&);
template Tensor Tensor::from(std::span<const std::uint8_t>, const Shape&);

double Tensor::item() const {
  if (numel() != 1)
    throw ShapeError({.op = "item", .argument = "tensor", .got = str(), .expected = "exactly one element", .hint = {}});
  return visit_any(dtype_, [&]<class T>() { return static_cast<double>(*data<T>()); });
}

Tensor Tensor::reshape(const Shape& shape) const {
  if (shape.numel() != numel() || !defined())
    throw ShapeError({.op = "reshape",
                      .argument = "shape",
                      .got = shape.str(),
                      .expected = std::to_string(numel()) + " elements as in " + str(),
                      .hint = {}});
  Tensor view = *this;
  view.shape_ = shape;
  return view;
}

Tensor Tensor::reshape(std::initializer_list<std::int64_t> sizes) const {
  std::int64_t known = 1;
  bool open = false;
  for (const std::int64_t size : sizes) {
    if (size == -1 && open)
      throw ShapeError(
          {.op = "reshape", .argument = "sizes", .got = "-1 twice", .expected = "at most one -1", .hint = {}});
    if (size == -1) open = true;
    else known = checked_multiply(known, size);
  }
  std::array<std::int64_t, Shape::kMaxRank> filled{};
  const std::size_t rank = std::min<std::size_t>(sizes.size(), filled.size());
  std::transform(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(rank), filled.begin(),
                 [&](std::int64_t size) { return size == -1 ? (known > 0 ? numel() / known : 0) : size; });
  return reshape(sizes.size() > rank ? Shape(sizes) : Shape(std::span<const std::int64_t>(filled.data(), rank)));
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t end) const {
  if (rank() == 0 || begin < 0 || end < begin || end > size(0))
    throw IndexError({.op = "rows",
                      .argument = "range",
                      .got = std::to_string(begin) + ".." + std::to_string(end),
                      .expected = "a range of the leading dimension of " + str(),
                      .hint = {}});
  Tensor view = *this;
  const std::int64_t row_bytes = size(0) == 0 ? 0 : bytes() / size(0);
  view.data_ += begin * row_bytes;
  view.shape_ = shape_.with(0, end - begin);
  return view;
}

Tensor Tensor::clone() const {
  if (!defined()) return {};
  Tensor copy = empty(shape_, dtype_, device());
  std::memcpy(copy.raw(), raw(), static_cast<std::size_t>(bytes()));
  return copy;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_ || !defined()) return *this;
  Tensor result = empty(shape_, dtype, device());
  visit_any(dtype_, [&]<class From>() {
    visit_any(dtype, [&]<class To>() {
      std::transform(data<From>(), data<From>() + numel(), result.data<To>(),
                     [](From value) { return static_cast<To>(value); });
    });
  });
  return result;
}

void Tensor::fill(double value) const {
  visit_any(dtype_, [&]<class T>() { std::fill_n(data<T>(), numel(), static_cast<T>(value)); });
}

void Tensor::copy_from(const Tensor& source) const {
  if (source.shape() != shape_ || source.dtype() != dtype_)
    throw ShapeError({.op = "copy_from", .argument = "source", .got = source.str(), .expected = str(), .hint = {}});
  std::memmove(raw(), source.raw(), static_cast<std::size_t>(bytes()));
}

std::string Tensor::str() const {
  return defined() ? std::string(name_of(dtype_)) + shape_.str() : std::string("undefined tensor");
}

void Tensor::wrong_type(DType asked) const {
  throw TypeError({.op = "Tensor::data",
                   .argument = "element type",
                   .got = std::string(name_of(asked)),
                   .expected = "that of " + str(),
                   .hint = "convert with to(dtype)"});
}

bool bit_equal(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), static_cast<std::size_t>(a.bytes())) == 0;
}

}  // namespace atto
