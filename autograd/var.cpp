#include "autograd/var.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "autograd/tape.hpp"
#include "core/error.hpp"

namespace atto {

const Tensor& Inputs::operator[](std::size_t i) const {
  static constinit const Tensor undefined;
  const Node* node = vars_[i].node();
  return node ? node->value : undefined;
}

void NodeInputs::assign(std::span<const Var> inputs) {
  size_ = inputs.size();
  if (size_ > few_.size()) many_ = std::make_unique<Var[]>(size_);
  std::copy(inputs.begin(), inputs.end(), many_ ? many_.get() : few_.data());
}

void NodeInputs::clear() noexcept {
  for (Var& input : few_) input = {};
  many_.reset();
  size_ = 0;
}

void Node::clear_grad() {
  if (own_grad_storage) grad.fill(0.0);
  else grad = {};
}

Var::Handle::Handle(const Handle& other) noexcept : node_(other.node_) {
  if (node_) node_->references.fetch_add(1, std::memory_order_relaxed);
}

void Var::Handle::reset() noexcept {
  Node* node = std::exchange(node_, nullptr);
  if (node == nullptr || node->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // The last handle of a chain would free it by recursion; instead the dying nodes queue up here, and whoever is
  // already emptying the queue does the work.
  thread_local Node* dying = nullptr;
  thread_local bool draining = false;
  node->next_dying = std::exchange(dying, node);
  if (draining) return;
  draining = true;
  while (dying != nullptr) {
    Node* next = dying;
    dying = next->next_dying;
    delete next;  // its inputs come back here and are queued
  }
  draining = false;
}

Var::Var(Tensor value) : node_(new Node) {
  static std::atomic<std::uint64_t> next_sequence{1};
  node_.get()->value = std::move(value);
  node_.get()->sequence = next_sequence.fetch_add(1, std::memory_order_relaxed);
}

Var Var::leaf(Tensor value, std::string name) {
  if (!value.defined() || !is_floating(value.dtype()))
    throw TypeError({.op = "Var::leaf",
                     .argument = "value",
                     .got = value.str(),
                     .expected = "a float32 or float64 tensor",
                     .hint = {}});
  Var var(std::move(value));
  var.node()->requires_grad = true;
  if (!name.empty()) var.node()->more().name = std::move(name);
  return var;
}

Node& Var::checked() const {
  if (!node_)
    throw StateError(
        {.op = "Var", .argument = "handle", .got = "an undefined value", .expected = "a defined one", .hint = {}});
  return *node_.get();
}

const Tensor& Var::value() const {
  return checked().value;
}
bool Var::requires_grad() const noexcept {
  return node_ && node_.get()->requires_grad;
}

void Var::set_requires_grad(bool wanted) const {
  Node& node = checked();
  if (node.op || node.freed)
    throw StateError({.op = "set_requires_grad",
                      .argument = "value",
                      .got = "a computed value",
                      .expected = "a leaf",
                      .hint = "detach() cuts a value off"});
  node.requires_grad = wanted;
}

Tensor Var::grad() const {
  return checked().grad;
}

void Var::zero_grad() const {
  checked().clear_grad();
}

void Var::set_grad_storage(const Tensor& storage) const {
  Node& node = checked();
  if (storage.shape() != node.value.shape() || storage.dtype() != node.value.dtype())
    throw ShapeError({.op = "set_grad_storage",
                      .argument = "storage",
                      .got = storage.str(),
                      .expected = node.value.str(),
                      .hint = {}});
  node.grad = storage;
  node.grad.fill(0.0);
  node.own_grad_storage = true;
}

void Var::set_value(const Tensor& value) const {
  Node& node = checked();
  if (node.op || value.shape() != node.value.shape() || value.dtype() != node.value.dtype())
    throw ShapeError({.op = "set_value",
                      .argument = "value",
                      .got = value.str(),
                      .expected = "a leaf of " + node.value.str(),
                      .hint = {}});
  node.value = value;
}

void Var::retain_grad() const {
  checked().retain_grad = true;
}
void Var::register_hook(std::function<Tensor(const Tensor&)> hook) const {
  checked().more().hooks.push_back(std::move(hook));
}

const std::string& Var::name() const {
  static const std::string none;
  const Node& node = checked();
  return node.extras ? node.extras->name : none;
}

const Var& Var::set_name(std::string name) const {
  checked().more().name = std::move(name);
  return *this;
}

Var Var::detach() const {
  return Var(checked().value);
}
void Var::backward() const {
  atto::backward(*this);
}

}  // namespace atto
