#pragma once
// A value that remembers how it was computed.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autograd/op.hpp"
#include "core/tensor.hpp"

namespace atto {

/// A handle to a value on the tape; copying shares the value. A tensor converts to a constant. A Var and what depends
/// on it belong to one thread at a time, and so do its copies: handles are counted without atomic steps.
class Var {
 public:
  Var() = default;
  Var(const Tensor& value);  // NOLINT: a tensor is a constant wherever a Var is expected
  Var(Tensor&& value);       // NOLINT
  /// A leaf that collects a gradient. TypeError unless float32 or float64.
  static Var leaf(Tensor value, std::string name = {});

  bool defined() const noexcept { return static_cast<bool>(node_); }
  explicit operator bool() const noexcept { return defined(); }
  const Tensor& value() const;
  const Shape& shape() const { return value().shape(); }
  std::int64_t size(int dimension) const { return value().size(dimension); }
  int rank() const { return value().rank(); }
  DType dtype() const { return value().dtype(); }
  double item() const { return value().item(); }

  bool requires_grad() const noexcept;
  /// Switches a leaf's gradient off or on (frozen parameters); StateError for a computed value.
  void set_requires_grad(bool wanted) const;
  /// Gradient collected so far: of a leaf, or of a value after retain_grad(). Undefined when there is none.
  Tensor grad() const;
  void zero_grad() const;
  /// Lets a leaf collect its gradient in memory of the caller's (same shape and dtype), filled with zeros now.
  void set_grad_storage(const Tensor& storage) const;
  /// Replaces the value of a leaf by a tensor of equal shape and dtype (parameters moved into one flat buffer). Between
  /// a forward pass and its backward pass operations may see either value, as with writing into it.
  void set_value(const Tensor& value) const;
  /// Keeps the gradient of a computed value.
  void retain_grad() const;
  /// Calls hook(gradient) in backward before the gradient is used; a defined result replaces it. Order of registration.
  void register_hook(std::function<Tensor(const Tensor&)> hook) const;
  const std::string& name() const;
  const Var& set_name(std::string name) const;

  /// The same value, cut off from the tape.
  Var detach() const;
  /// Differentiates this scalar; see autograd/tape.hpp.
  void backward() const;

  Node* node() const noexcept { return node_.get(); }

 private:
  // Intrusive handle. While there is one, the value stays; the tape itself keeps nodes without their values.
  class Handle {
   public:
    Handle() = default;
    explicit Handle(Node* node) noexcept : node_(node) {}  // takes over one reference
    Handle(const Handle& other) noexcept;
    Handle(Handle&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    Handle& operator=(Handle other) noexcept {
      std::swap(node_, other.node_);
      return *this;
    }
    ~Handle() {
      if (node_) reset();
    }
    void reset() noexcept;
    Node* get() const noexcept { return node_; }
    explicit operator bool() const noexcept { return node_ != nullptr; }

   private:
    Node* node_ = nullptr;
  };
  explicit Var(Handle node) : node_(std::move(node)) {}
  friend Var apply_op(std::unique_ptr<Op> op, std::span<const VarRef> inputs);
  Node& checked() const;

  Handle node_;
};

/// A Var on its way into an operation, without a part in its lifetime.
class VarRef {
 public:
  VarRef(const Var& var) noexcept : node_(var.node()) {}  // NOLINT: arguments of apply()
  Node* node() const noexcept { return node_; }

 private:
  Node* node_;
};

/// Runs an op on inputs: check, forward, and a place on the tape when an input needs a gradient.
Var apply_op(std::unique_ptr<Op> op, std::span<const VarRef> inputs);

/// `apply<Scale>({x}, 2.0)`: builds the op from its options and runs it.
template <class O, class... Options>
Var apply(std::initializer_list<VarRef> inputs, Options&&... options) {
  return apply_op(std::make_unique<O>(std::forward<Options>(options)...), std::span(inputs.begin(), inputs.size()));
}
template <class O, class... Options>
Var apply(std::span<const Var> inputs, Options&&... options) {
  const std::vector<VarRef> references(inputs.begin(), inputs.end());
  return apply_op(std::make_unique<O>(std::forward<Options>(options)...), references);
}

}  // namespace atto
