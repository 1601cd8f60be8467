// The walk back: from a value to its leaves, adding up what arrives at each.

#include <algorithm>
#include <atomic>
#include <utility>

#include "autograd/accumulate.hpp"
#include "autograd/call.hpp"
#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "core/sum.hpp"

namespace atto {
namespace {

// Makes the memory of a gradient safe to add to: somebody else may read it, an op that passed the same tensor on twice,
// say.
void own_grad(Node& node) {
  if (!node.own_grad_storage && !node.grad.storage().unique()) node.grad = node.grad.clone();
}

void send(Node& node, Tensor&& gradient) {
  if (!node.grad.defined()) {
    node.grad = std::move(gradient);
    return;
  }
  own_grad(node);
  add_into(node.grad, gradient);
}

void search(const Node& node, std::size_t input, const Tensor& gradient) {
  refuse_non_finite(gradient, Masks::refused, node.op->schema().name(), "gradient of input " + std::to_string(input),
                    node.extras ? node.extras->path : std::string());
}

void run_hooks(Node& node) {
  if (!node.grad.defined() || !node.extras) return;
  for (const auto& hook : node.extras->hooks) {
    Tensor replaced = hook(node.grad);
    if (!replaced.defined()) continue;
    if (replaced.shape() != node.value.shape() || replaced.dtype() != node.value.dtype())
      throw ShapeError({.op = "backward",
                        .argument = "result of a hook",
                        .got = replaced.str(),
                        .expected = std::string(name_of(node.value.dtype())) + node.value.shape().str(),
                        .hint = {}});
    if (node.own_grad_storage) node.grad.copy_from(replaced);
    else node.grad = std::move(replaced);
  }
}

// What hooked leaves had before this pass: a hook sees what the pass sends, not what earlier passes left. When the pass
// fails the leaves get back what they had.
class EarlierGradients {
 public:
  EarlierGradients() = default;
  EarlierGradients(const EarlierGradients&) = delete;
  EarlierGradients& operator=(const EarlierGradients&) = delete;
  ~EarlierGradients() {
    for (const auto& [leaf, before] : list_) {
      if (leaf->own_grad_storage) leaf->grad.copy_from(before);
      else leaf->grad = before;
    }
  }

  void set_aside(Node& leaf) {
    if (!leaf.grad.defined() || !leaf.extras || leaf.extras->hooks.empty()) return;
    list_.emplace_back(&leaf, leaf.own_grad_storage ? leaf.grad.clone() : leaf.grad);
    leaf.clear_grad();
  }

  void add_back() {
    for (const auto& [leaf, before] : list_) send(*leaf, Tensor(before));
    list_.clear();
  }

 private:
  std::vector<std::pair<Node*, Tensor>> list_;
};

// Nodes that are done with: they let go of their inputs together at the end, the last one first. Until then each is
// kept by those that it went into, and the walk needs no references of its own.
class Finished {
 public:
  Finished() = default;
  Finished(const Finished&) = delete;
  Finished& operator=(const Finished&) = delete;
  ~Finished() {
    for (; last_; last_ = std::exchange(last_->next_dying, nullptr)) last_->inputs.clear();
  }
  void add(Node& node) {
    node.let_op_go();
    node.freed = true;
    node.next_dying = std::exchange(last_, &node);
  }

 private:
  Node* last_ = nullptr;
};

}  // namespace

bool Gradients::wants(std::size_t i) const {
  // As in forward, where the operation decided what to keep: a leaf that was let train since then waits for the next.
  const Node* input = node_->inputs[i];
  return input && input->requires_grad && node_->op->will_want(i);
}

const Tensor& Gradients::input(std::size_t i) const {
  return node_->inputs[i]->value;
}

Tensor Gradients::reuse(const Tensor& gradient) {
  const bool free = &gradient == &node_->grad && !node_->retain_grad && !node_->own_grad_storage;
  if (free && gradient.storage().unique()) return std::move(node_->grad);
  return Tensor::empty(gradient.shape(), gradient.dtype(), gradient.device());
}

void Gradients::add(std::size_t i, Tensor gradient) {
  if (!wants(i)) return;
  Node& input = *node_->inputs[i];
  if (anomaly_enabled()) search(*node_, i, gradient);
  if (gradient.shape() != input.value.shape()) gradient = sum_to(gradient, input.value.shape());
  send(input, std::move(gradient));
}

Tensor Gradients::collected(std::size_t i) {
  Node& input = *node_->inputs[i];
  if (!input.grad.defined() || anomaly_enabled()) return {};
  own_grad(input);
  return input.grad;
}

void Gradients::add_slice(std::size_t i, int dimension, std::int64_t begin, const Tensor& gradient) {
  if (!wants(i)) return;
  Node& input = *node_->inputs[i];
  const Shape& shape = input.value.shape();
  const int d = dimension < 0 ? dimension + shape.rank() : dimension;
  const std::int64_t length = gradient.size(d);
  if (gradient.shape() != shape.with(d, length) || begin < 0 || begin + length > shape[d])
    throw ShapeError({.op = "gradient accumulation",
                      .argument = "slice",
                      .got = gradient.shape().str() + " at " + std::to_string(begin),
                      .expected = "a part of " + shape.str(),
                      .hint = {}});
  if (anomaly_enabled()) search(*node_, i, gradient);
  if (!input.grad.defined()) input.grad = Tensor::zeros(shape, gradient.dtype(), gradient.device());
  else own_grad(input);
  std::int64_t outer = 1, inner = 1;
  for (int e = 0; e < d; ++e) outer *= shape[e];
  for (int e = d + 1; e < shape.rank(); ++e) inner *= shape[e];
  visit_float(gradient.dtype(), "gradient accumulation", [&]<class T>() {
    add_rows_into(outer, length * inner, gradient.data<T>(), length * inner, input.grad.data<T>() + begin * inner,
                  shape[d] * inner);
  });
}

void backward(const Var& root, const Tensor& seed, BackwardOptions options) {
  if (!root.requires_grad())
    throw StateError({.op = "backward",
                      .argument = "root",
                      .got = "a value that depends on no leaf with a gradient",
                      .expected = {},
                      .hint = "was it computed under NoGrad, or detached?"});
  if (!seed.defined() && root.value().numel() != 1)
    throw ShapeError({.op = "backward",
                      .argument = "root",
                      .got = root.value().str(),
                      .expected = "a single number, or a seed",
                      .hint = "reduce the value with sum() or mean()"});
  Tensor gradient = seed.defined() ? seed : Tensor::full(root.shape(), 1.0, root.dtype());
  if (gradient.shape() != root.shape() || gradient.dtype() != root.dtype())
    throw ShapeError(
        {.op = "backward", .argument = "seed", .got = gradient.str(), .expected = root.value().str(), .hint = {}});

  // Users are created after their inputs, so descending sequence is a topological order.
  static std::atomic<std::uint64_t> passes{0};
  const std::uint64_t pass = 1 + passes.fetch_add(1, std::memory_order_relaxed);
  std::vector<Node*> order;
  const auto reach = [&](Node* node) {
    if (!node->requires_grad || node->pass == pass) return;
    node->pass = pass;
    if (node->freed)
      throw StateError({.op = "backward",
                        .argument = "graph",
                        .got = "a graph that an earlier backward has freed",
                        .expected = {},
                        .hint = "pass {.retain_graph = true} to the earlier call, or compute the value again"});
    order.push_back(node);
  };
  reach(root.node());
  for (std::size_t i = 0; i < order.size(); ++i)
    for (Node* input : order[i]->inputs)
      if (input) reach(input);
  const auto later = [](const Node* a, const Node* b) { return a->sequence > b->sequence; };
  if (!std::is_sorted(order.begin(), order.end(), later)) std::stable_sort(order.begin(), order.end(), later);

  const Var keep(root);  // whatever hooks do to the caller's
  Finished finished;
  // A retained gradient of an earlier pass must not flow twice.
  EarlierGradients earlier;
  const auto holds_seed = [&](const Node* node) { return seed.defined() && node->grad.storage() == seed.storage(); };
  for (Node* node : order) {
    // A seed that lies in a leaf's own memory for gradients would be overwritten while it is read.
    if (node->own_grad_storage && holds_seed(node)) gradient = gradient.clone();
    if (node->op) node->grad.let_go();
    else earlier.set_aside(*node);
  }
  send(*root.node(), std::move(gradient));

  for (Node* node : order) {
    // Neither hooks nor those who keep a gradient get the caller's seed itself, which may have come down unchanged.
    if ((!node->op || node->retain_grad || node->extras) && !node->own_grad_storage && holds_seed(node))
      node->grad = node->grad.clone();
    run_hooks(*node);
    if (!node->op) continue;
    if (node->grad.defined()) {
      if (anomaly_enabled()) refuse_changed(*node);
      Gradients gradients(*node);
      const TracedCall call;
      node->op->backward(node->grad, gradients);
      call.record(*node->op, true);
    }
    if (!node->retain_grad) node->grad.let_go();
    if (!options.retain_graph) finished.add(*node);
  }
  earlier.add_back();
}

}  // namespace atto
