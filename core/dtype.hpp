#pragma once
// Element types and the one way to get from a run-time type to a template argument.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "core/error.hpp"

namespace atto {

enum class DType : std::uint8_t { float32, float64, int32, int64, uint8 };

constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
    case DType::int32:
      return 4;
    case DType::float64:
    case DType::int64:
      return 8;
    case DType::uint8:
      return 1;
  }
  return 0;
}

constexpr std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::int32:
      return "int32";
    case DType::int64:
      return "int64";
    case DType::uint8:
      return "uint8";
  }
  return "?";
}

constexpr bool is_floating(DType dtype) {
  return dtype == DType::float32 || dtype == DType::float64;
}

template <class T>
inline constexpr DType dtype_of = [] {
  if constexpr (std::is_same_v<T, float>) return DType::float32;
  else if constexpr (std::is_same_v<T, double>) return DType::float64;
  else if constexpr (std::is_same_v<T, std::int32_t>) return DType::int32;
  else if constexpr (std::is_same_v<T, std::int64_t>) return DType::int64;
  else {
    static_assert(std::is_same_v<T, std::uint8_t>, "attograd tensors hold float, double, int32, int64 or uint8");
    return DType::uint8;
  }
}();

/// Calls `f.template operator()<T>()` with T = float or double; anything else is a TypeError naming `op`.
template <class F>
decltype(auto) visit_float(DType dtype, std::string_view op, F&& f) {
  if (dtype == DType::float32) return std::forward<F>(f).template operator()<float>();
  if (dtype == DType::float64) return std::forward<F>(f).template operator()<double>();
  throw TypeError({.op = std::string(op),
                   .argument = "dtype",
                   .got = std::string(name_of(dtype)),
                   .expected = "float32 or float64",
                   .hint = {}});
}

/// Calls `f.template operator()<T>()` with the C++ type of any dtype.
template <class F>
decltype(auto) visit_any(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float32:
      return std::forward<F>(f).template operator()<float>();
    case DType::float64:
      return std::forward<F>(f).template operator()<double>();
    case DType::int32:
      return std::forward<F>(f).template operator()<std::int32_t>();
    case DType::int64:
      return std::forward<F>(f).template operator()<std::int64_t>();
    case DType::uint8:
      break;
  }
  return std::forward<F>(f).template operator()<std::uint8_t>();
}

}  // namespace atto
