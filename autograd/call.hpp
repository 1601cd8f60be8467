#pragma once
// What the two directions of the tape share: how a call of an operation is timed, and how its result is searched.

#include <cstdint>
#include <string>
#include <string_view>

#include "autograd/accumulate.hpp"
#include "autograd/op.hpp"
#include "core/tensor.hpp"
#include "core/trace.hpp"

namespace atto {

/// The time from construction to record(), as one event when tracing is on. A call that throws is not recorded: its
/// cost need not be known.
class TracedCall {
 public:
  TracedCall() : start_(trace::enabled() ? trace::now_ns() : -1) {}
  void record(const Op& op, bool backward) const {
    if (start_ >= 0) write(op, backward);
  }

 private:
  void write(const Op& op, bool backward) const;
  std::int64_t start_;
};

namespace detail {
inline thread_local constinit bool anomaly = false;
}
inline bool anomaly_enabled() {
  return detail::anomaly;
}
/// NumericError naming the operation and the module path where it was created, unless all numbers are finite.
void refuse_non_finite(const Tensor& tensor, Masks masks, std::string_view op, const std::string& what,
                       const std::string& path);

/// What the inputs and the result of an operation hold now.
void remember_content(Node& node);
/// StateError when an input or the result of an operation holds something else than in the forward.
void refuse_changed(const Node& node);

}  // namespace atto
