// The way forward: calls of operations, and what holds for all of them on a thread.

#include "autograd/tape.hpp"

#include <algorithm>
#include <utility>

#include "autograd/accumulate.hpp"
#include "autograd/call.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"

namespace atto {
namespace {

thread_local bool recording = true;
thread_local bool keep_values = false;
thread_local const std::string* current_path = nullptr;

// A mask may come from the operation that declares it, or pass through any other from its inputs.
void search(const Op& op, Inputs inputs, std::size_t count, const Tensor& value) {
  if (first_non_finite(value) < 0) return;
  bool masks = op.gives_masks();
  for (std::size_t i = 0; i < count && !masks; ++i) masks = has_masks(inputs[i]);
  refuse_non_finite(value, masks ? Masks::allowed : Masks::refused, op.schema().name(), "result",
                    current_path ? *current_path : std::string());
}

}  // namespace

void refuse_non_finite(const Tensor& tensor, Masks masks, std::string_view op, const std::string& what,
                       const std::string& path) {
  const std::int64_t at = first_non_finite(tensor, masks);
  if (at < 0) return;
  throw NumericError({.op = std::string(op),
                      .argument = what,
                      .got = "a NaN or infinity at element " + std::to_string(at) + " of " + tensor.str(),
                      .expected = "finite numbers",
                      .hint = path.empty() ? "created outside any module" : "created in " + path});
}

namespace {

Hash content_of(const Tensor& tensor) {
  return tensor.defined() ? murmur3(tensor.raw(), static_cast<std::size_t>(tensor.bytes())) : Hash{};
}

}  // namespace

void remember_content(Node& node) {
  std::vector<Hash>& content = node.more().content;
  for (Node* input : node.inputs) {
    content.push_back(input ? content_of(input->value) : Hash{});
    if (input) input->keep_value = true;
  }
  content.push_back(content_of(node.value));
}

void refuse_changed(const Node& node) {
  if (!node.extras || node.extras->content.empty()) return;
  for (std::size_t i = 0; i <= node.inputs.size(); ++i) {
    const bool is_result = i == node.inputs.size();
    if (!is_result && !node.inputs[i]) continue;
    const Tensor& value = is_result ? node.value : node.inputs[i]->value;
    if (content_of(value) == node.extras->content[i]) continue;
    const std::string& path = node.extras->path;
    throw StateError(
        {.op = std::string(node.op->schema().name()),
         .argument = is_result ? std::string("result") : "input " + std::to_string(i),
         .got = value.str() + " with other numbers than in the forward",
         .expected = "a value that nobody writes to until backward is done",
         .hint = (path.empty() ? std::string() : "created in " + path + "; ") + "write into a clone() instead"});
  }
}

void TracedCall::write(const Op& op, bool backward) const {
  const Cost cost = op.cost();
  const double factor = backward ? op.backward_factor() : 1.0;
  trace::record({.name = op.schema().name(),
                 .backward = backward,
                 .start_ns = start_,
                 .duration_ns = trace::now_ns() - start_,
                 .cost = {.flops = cost.flops * factor, .bytes = cost.bytes * factor}});
}

void Op::backward(const Tensor&, Gradients&) {
  throw StateError({.op = std::string(schema().name()),
                    .argument = "backward",
                    .got = "an operation without a gradient",
                    .expected = {},
                    .hint = {}});
}

Var apply_op(std::unique_ptr<Op> op, std::span<const VarRef> inputs) {
  const Schema& schema = op->schema();
  std::uint64_t wanted = 0;
  if (recording)
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (const Node* node = inputs[i].node(); node && node->requires_grad) wanted |= Op::bit(i);
  const bool needs_grad = wanted != 0;
  Dims dims = schema.dims();
  op->bind(dims);
  const InputList list(inputs);
  schema.check(list, dims);
  if (needs_grad && !op->differentiable())
    throw StateError({.op = std::string(schema.name()),
                      .argument = "input",
                      .got = "a value that needs a gradient",
                      .expected = "a constant: this operation has no backward",
                      .hint = "detach() the input if no gradient is wanted"});
  op->wanted_ = wanted;

  const TracedCall call;
  const Var result{Var::Handle(new Node(*op, list))};
  call.record(*op, false);
  Node& node = *result.node();
  if (anomaly_enabled()) search(*op, list, inputs.size(), node.value);
  if (needs_grad) {
    node.record(std::move(op), inputs);
    node.keep_value = keep_values || anomaly_enabled();
    if (anomaly_enabled()) {
      if (current_path) node.more().path = *current_path;
      remember_content(node);
    }
  }
  return result;
}

KeepValues::KeepValues() : previous_(keep_values) {
  keep_values = true;
}
KeepValues::~KeepValues() {
  keep_values = previous_;
}

NoGrad::NoGrad() : previous_(recording) {
  recording = false;
}
NoGrad::~NoGrad() {
  recording = previous_;
}
bool grad_enabled() {
  return recording;
}

AnomalyMode::AnomalyMode() : previous_(anomaly_enabled()) {
  detail::anomaly = true;
}
AnomalyMode::~AnomalyMode() {
  detail::anomaly = previous_;
}

PathScope::PathScope(const std::string& path) : previous_(current_path) {
  current_path = &path;
}
PathScope::~PathScope() {
  current_path = previous_;
}

}  // namespace atto
