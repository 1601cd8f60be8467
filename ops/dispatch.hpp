#pragma once
// From a tensor's run-time device and element type to a kernel overload.

#include <string_view>

#include "core/device.hpp"
#include "core/dtype.hpp"
#include "core/tensor.hpp"

namespace atto {

/// Calls `f.template operator()<T>(device)` with T = float or double and the dispatch value of the tensor's device.
template <class F>
decltype(auto) dispatch(const Tensor& tensor, std::string_view op, F&& f) {
  return visit_float(tensor.dtype(), op, [&]<class T>() -> decltype(auto) { return f.template operator()<T>(Cpu{}); });
}

}  // namespace atto
