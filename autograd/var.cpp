#include "autograd/var.hpp"

#include <algorithm>
#include <utility>

#include "autograd/tape.hpp"
#include "core/error.hpp"

namespace atto {

InputList::InputList(std::span<const VarRef> vars) : size_(vars.size()) {
  static constinit const Tensor undefined;
  if (size_ > few_.size()) many_ = std::make_unique<const Tensor*[]>(size_);
  const Tensor** to = many_ ? many_.get() : few_.data();
  for (const VarRef var : vars) *to++ = var.node() ? &var.node()->value : &undefined;
}

namespace {

// The last reference to the end of a chain would free it by recursion; instead the dying nodes queue up here, and
// whoever is already emptying the queue does the work.
void bury(Node* node) noexcept {
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

}  // namespace

std::uint64_t NodeInputs::assign(std::span<const VarRef> inputs, std::int64_t kept) {
  if (inputs.size() > few_.size()) many_ = std::make_unique<Node*[]>(inputs.size());
  size_ = inputs.size();
  std::uint64_t youngest = 0;
  Node** to = many_ ? many_.get() : few_.data();
  for (const VarRef input : inputs) {
    Node* node = *to++ = input.node();
    if (node) {
      node->references.add(References::kTape + (kept & 1 ? References::kVar : 0));
      youngest = std::max(youngest, node->sequence);
    }
    kept >>= 1;
  }
  return youngest;
}

void NodeInputs::clear() noexcept {
  for (Node* node : *this)
    if (node && node->references.remove(References::kTape) == References::Left::none) bury(node);
  many_.reset();
  size_ = 0;
}

void Node::record(std::unique_ptr<Op> call, std::span<const VarRef> arguments) {
  op = std::move(call);
  // Grows along the tape, also when it goes on on another thread.
  thread_local constinit std::uint64_t last = 0;
  sequence = last = 1 + std::max(last, inputs.assign(arguments, op->kept()));
  requires_grad = true;
}

void Node::let_op_go() noexcept {
  Node* const* input = inputs.begin();
  for (std::int64_t kept = op->kept(); kept != 0 && input != inputs.end(); kept >>= 1, ++input)
    if (kept & 1 && *input) (*input)->drop_var();
  op.reset();
}

void Node::clear_grad() {
  if (own_grad_storage) grad.fill(0.0);
  else grad = {};
}

Var::Handle::Handle(const Handle& other) noexcept : node_(other.node_) {
  if (node_) node_->references.add(References::kVar);
}

void Var::Handle::reset() noexcept {
  Node* node = std::exchange(node_, nullptr);
  if (node == nullptr) return;
  if (node->drop_var() == References::Left::none) bury(node);
}

Var::Var(const Tensor& value) : node_(new Node(Tensor(value))) {}
Var::Var(Tensor&& value) : node_(new Node(std::move(value))) {}

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
