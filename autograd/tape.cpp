#include "autograd/tape.hpp"

#include <algorithm>
#include <utility>

#include "autograd/accumulate.hpp"
#include "core/error.hpp"
#include "core/sum.hpp"

namespace atto {
namespace {

thread_local bool recording_enabled = true;
thread_local bool anomaly_enabled = false;
thread_local const std::string* current_path = nullptr;
std::atomic<std::uint64_t> next_sequence{1};

std::string where(const Node& node) {
  return node.extras && !node.extras->path.empty() ? "created in " + node.extras->path : std::string("created outside any module");
}

void refuse_non_finite(const Tensor& tensor, std::string_view op, const std::string& what, const std::string& place) {
  const std::int64_t at = first_non_finite(tensor);
  if (at < 0) return;
  throw NumericError({.op = std::string(op), .argument = what,
                      .got = "a NaN or infinity at element " + std::to_string(at) + " of " + tensor.str(),
                      .expected = "finite numbers", .hint = place});
}

void run_hooks(Node& node) {
  if (!node.grad.defined() || !node.extras) return;
  for (const auto& hook : node.extras->hooks) {
    Tensor replaced = hook(node.grad);
    if (!replaced.defined()) continue;
    if (node.own_grad_storage) node.grad.copy_from(replaced);
    else node.grad = std::move(replaced);
  }
}

void clear_grad(Node& node) {
  if (node.own_grad_storage) node.grad.fill(0.0);
  else node.grad = {};
}

// Makes the memory of a gradient safe to add to: somebody else may read it, an op that passed the same tensor on twice, say.
void own_grad(Node& node) {
  if (!node.own_grad_storage && !node.grad.storage().unique()) node.grad = node.grad.clone();
}

// Runs f, and records it as one event when tracing is on.
template <class F>
decltype(auto) traced(const Op& op, bool backward, F&& f) {
  if (!trace::enabled()) return f();
  struct Recorder {
    const Op& op;
    bool backward;
    std::int64_t start = trace::now_ns();
    ~Recorder() {
      Cost cost = op.cost();
      const double factor = backward ? op.backward_factor() : 1.0;
      trace::record({.name = op.schema().name(), .backward = backward, .start_ns = start, .duration_ns = trace::now_ns() - start,
                     .cost = {.flops = cost.flops * factor, .bytes = cost.bytes * factor}});
    }
  } recorder{op, backward};
  return f();
}

}  // namespace

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

bool Gradients::wants(std::size_t i) const { return node_->inputs[i].requires_grad(); }

void Gradients::add(std::size_t i, Tensor gradient) {
  if (!wants(i)) return;
  Node& input = *node_->inputs[i].node();
  if (anomaly_enabled)
    refuse_non_finite(gradient, node_->op->schema().name(), "gradient of input " + std::to_string(i), where(*node_));
  if (gradient.shape() != input.value.shape()) gradient = sum_to(gradient, input.value.shape());
  if (!input.grad.defined()) {
    input.grad = std::move(gradient);
    return;
  }
  own_grad(input);
  add_into(input.grad, gradient);
}

void Gradients::add_slice(std::size_t i, int dimension, std::int64_t begin, const Tensor& gradient) {
  if (!wants(i)) return;
  Node& input = *node_->inputs[i].node();
  const Shape& shape = input.value.shape();
  const int d = dimension < 0 ? dimension + shape.rank() : dimension;
  const std::int64_t length = gradient.size(d);
  if (gradient.shape() != shape.with(d, length) || begin < 0 || begin + length > shape[d])
    throw ShapeError({.op = "gradient accumulation", .argument = "slice", .got = gradient.shape().str() + " at " + std::to_string(begin),
                      .expected = "a part of " + shape.str(), .hint = {}});
  if (anomaly_enabled)
    refuse_non_finite(gradient, node_->op->schema().name(), "gradient of input " + std::to_string(i), where(*node_));
  if (!input.grad.defined()) input.grad = Tensor::zeros(shape, gradient.dtype(), gradient.device());
  else own_grad(input);
  std::int64_t outer = 1, inner = 1;
  for (int e = 0; e < d; ++e) outer *= shape[e];
  for (int e = d + 1; e < shape.rank(); ++e) inner *= shape[e];
  visit_float(gradient.dtype(), "gradient accumulation", [&]<class T>() {
    add_rows_into(outer, length * inner, gradient.data<T>(), length * inner, input.grad.data<T>() + begin * inner, shape[d] * inner);
  });
}

void Op::backward(const Tensor&, Gradients&) {
  throw StateError({.op = std::string(schema().name()), .argument = "backward", .got = "an operation without a gradient", .expected = {}, .hint = {}});
}

Var apply_op(std::unique_ptr<Op> op, std::span<const Var> inputs) {
  const Schema& schema = op->schema();
  const bool needs_grad =
      recording_enabled && std::any_of(inputs.begin(), inputs.end(), [](const Var& input) { return input.requires_grad(); });
  Dims dims = schema.dims();
  op->bind(dims);
  schema.check(Inputs(inputs), dims);
  if (needs_grad && !op->differentiable())
    throw StateError({.op = std::string(schema.name()), .argument = "input", .got = "a value that needs a gradient",
                      .expected = "a constant: this operation has no backward", .hint = "detach() the input if no gradient is wanted"});
  op->recording_ = needs_grad;

  Tensor value = traced(*op, false, [&] { return op->forward(Inputs(inputs)); });
  if (anomaly_enabled)
    refuse_non_finite(value, schema.name(), "result",
                      current_path ? "created in " + *current_path : std::string("created outside any module"));
  Var result(std::move(value));
  if (needs_grad) {
    Node& node = *result.node();
    node.op = std::move(op);
    node.inputs.assign(inputs);
    node.requires_grad = true;
    if (anomaly_enabled && current_path) node.more().path = *current_path;
  }
  return result;
}

void backward(const Var& root, const Tensor& seed, BackwardOptions options) {
  if (!root.requires_grad())
    throw StateError({.op = "backward", .argument = "root", .got = "a value that depends on no leaf with a gradient", .expected = {},
                      .hint = "was it computed under NoGrad, or detached?"});
  if (!seed.defined() && root.value().numel() != 1)
    throw ShapeError({.op = "backward", .argument = "root", .got = root.value().str(), .expected = "a single number, or a seed",
                      .hint = "reduce the value with sum() or mean()"});
  Tensor gradient = seed.defined() ? seed.clone() : Tensor::full(root.shape(), 1.0, root.dtype());
  if (gradient.shape() != root.shape() || gradient.dtype() != root.dtype())
    throw ShapeError({.op = "backward", .argument = "seed", .got = gradient.str(), .expected = root.value().str(), .hint = {}});

  // Users are created after their inputs, so descending sequence is a topological order.
  static std::atomic<std::uint64_t> passes{0};
  const std::uint64_t pass = 1 + passes.fetch_add(1, std::memory_order_relaxed);
  std::vector<Var> order;  // keeps what is still to come, while users let go of it
  std::vector<const Var*> stack{&root};
  while (!stack.empty()) {
    const Var& value = *stack.back();
    Node* node = value.node();
    stack.pop_back();
    if (!node->requires_grad || node->pass == pass) continue;
    node->pass = pass;
    if (node->freed)
      throw StateError({.op = "backward", .argument = "graph", .got = "a graph that an earlier backward has freed", .expected = {},
                        .hint = "pass {.retain_graph = true} to the earlier call, or compute the value again"});
    order.push_back(value);
    for (const Var& input : node->inputs)
      if (input.defined()) stack.push_back(&input);
  }
  const auto later = [](const Var& a, const Var& b) { return a.node()->sequence > b.node()->sequence; };
  if (!std::is_sorted(order.begin(), order.end(), later)) std::sort(order.begin(), order.end(), later);

  if (root.node()->op == nullptr) {
    if (root.node()->grad.defined()) {
      own_grad(*root.node());
      add_into(root.node()->grad, gradient);
    } else {
      root.node()->grad = gradient;
    }
    return;
  }
  // A retained gradient of an earlier pass must not flow twice.
  for (const Var& value : order)
    if (value.node()->op) value.node()->grad = {};
  root.node()->grad = std::move(gradient);

  // A hook on a leaf sees what this pass sends, not what earlier passes left.
  std::vector<std::pair<Var, Tensor>> earlier;
  for (const Var& value : order) {
    Node& node = *value.node();
    if (node.op || !node.grad.defined() || !node.extras || node.extras->hooks.empty()) continue;
    earlier.emplace_back(value, node.grad.clone());
    clear_grad(node);
  }

  for (Var& value : order) {
    const Var keep = std::exchange(value, {});  // frees the value, too, unless somebody holds it
    Node* node = keep.node();
    run_hooks(*node);
    if (!node->op) continue;
    if (node->grad.defined()) {
      Gradients gradients(*node);
      traced(*node->op, true, [&] { node->op->backward(node->grad, gradients); });
    }
    if (!node->retain_grad) node->grad = {};
    if (!options.retain_graph) {
      node->op.reset();
      node->inputs.clear();
      node->freed = true;
    }
  }
  for (const auto& [value, before] : earlier) {
    Node& node = *value.node();
    if (!node.grad.defined()) {
      node.grad = before;
      continue;
    }
    own_grad(node);
    add_into(node.grad, before);
  }
}

NoGrad::NoGrad() : previous_(recording_enabled) { recording_enabled = false; }
NoGrad::~NoGrad() { recording_enabled = previous_; }
bool grad_enabled() { return recording_enabled; }

AnomalyMode::AnomalyMode() : previous_(anomaly_enabled) { anomaly_enabled = true; }
AnomalyMode::~AnomalyMode() { anomaly_enabled = previous_; }

PathScope::PathScope(const std::string& path) : previous_(current_path) { current_path = &path; }
PathScope::~PathScope() { current_path = previous_; }

// --- Var ------------------------------------------------------------------------------------------------------------

Var::Handle::Handle(const Handle& other) noexcept : node_(other.node_) {
  if (node_) node_->references.fetch_add(1, std::memory_order_relaxed);
}

void Var::Handle::reset() noexcept {
  Node* node = std::exchange(node_, nullptr);
  if (node == nullptr || node->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // The last handle of a chain would free it by recursion; instead the dying nodes queue up here, and whoever is already
  // emptying the queue does the work.
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
  node_.get()->value = std::move(value);
  node_.get()->sequence = next_sequence.fetch_add(1, std::memory_order_relaxed);
}

Var Var::leaf(Tensor value, std::string name) {
  if (!value.defined() || !is_floating(value.dtype()))
    throw TypeError({.op = "Var::leaf", .argument = "value", .got = value.str(), .expected = "a float32 or float64 tensor", .hint = {}});
  Var var(std::move(value));
  var.node()->requires_grad = true;
  if (!name.empty()) var.node()->more().name = std::move(name);
  return var;
}

Node& Var::checked() const {
  if (!node_) throw StateError({.op = "Var", .argument = "handle", .got = "an undefined value", .expected = "a defined one", .hint = {}});
  return *node_.get();
}

const Tensor& Var::value() const { return checked().value; }
bool Var::requires_grad() const noexcept { return node_ && node_.get()->requires_grad; }

void Var::set_requires_grad(bool wanted) const {
  Node& node = checked();
  if (node.op || node.freed)
    throw StateError({.op = "set_requires_grad", .argument = "value", .got = "a computed value", .expected = "a leaf", .hint = "detach() cuts a value off"});
  node.requires_grad = wanted;
}

Tensor Var::grad() const { return checked().grad; }

void Var::zero_grad() const {
  clear_grad(checked());
}

void Var::set_grad_storage(const Tensor& storage) const {
  Node& node = checked();
  if (storage.shape() != node.value.shape() || storage.dtype() != node.value.dtype())
    throw ShapeError({.op = "set_grad_storage", .argument = "storage", .got = storage.str(), .expected = node.value.str(), .hint = {}});
  node.grad = storage;
  node.grad.fill(0.0);
  node.own_grad_storage = true;
}

void Var::set_value(const Tensor& value) const {
  Node& node = checked();
  if (node.op || value.shape() != node.value.shape() || value.dtype() != node.value.dtype())
    throw ShapeError({.op = "set_value", .argument = "value", .got = value.str(), .expected = "a leaf of " + node.value.str(), .hint = {}});
  node.value = value;
}

void Var::retain_grad() const { checked().retain_grad = true; }
void Var::register_hook(std::function<Tensor(const Tensor&)> hook) const { checked().more().hooks.push_back(std::move(hook)); }

const std::string& Var::name() const {
  static const std::string none;
  const Node& node = checked();
  return node.extras ? node.extras->name : none;
}

const Var& Var::set_name(std::string name) const {
  checked().more().name = std::move(name);
  return *this;
}

Var Var::detach() const { return Var(checked().value); }
void Var::backward() const { atto::backward(*this); }

}  // namespace atto
