// The walk back: from a value to its leaves, adding up what arrives at each.

#include <algorithm>
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

void send(Node& node, Tensor gradient) {
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
                        .expected = node.value.str(),
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
      if (leaf.node()->own_grad_storage) leaf.node()->grad.copy_from(before);
      else leaf.node()->grad = before;
    }
  }

  void set_aside(const Var& leaf) {
    Node& node = *leaf.node();
    if (!node.grad.defined() || !node.extras || node.extras->hooks.empty()) return;
    list_.emplace_back(leaf, node.own_grad_storage ? node.grad.clone() : node.grad);
    node.clear_grad();
  }

  void add_back() {
    for (const auto& [leaf, before] : list_) send(*leaf.node(), before);
    list_.clear();
  }

 private:
  std::vector<std::pair<Var, Tensor>> list_;
};

}  // namespace

bool Gradients::wants(std::size_t i) const {
  return node_->inputs[i].requires_grad();
}

void Gradients::add(std::size_t i, Tensor gradient) {
  if (!wants(i)) return;
  Node& input = *node_->inputs[i].node();
  if (anomaly_enabled()) search(*node_, i, gradient);
  if (gradient.shape() != input.value.shape()) gradient = sum_to(gradient, input.value.shape());
  send(input, std::move(gradient));
}

void Gradients::add_slice(std::size_t i, int dimension, std::int64_t begin, const Tensor& gradient) {
  if (!wants(i)) return;
  Node& input = *node_->inputs[i].node();
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
  Tensor gradient = seed.defined() ? seed.clone() : Tensor::full(root.shape(), 1.0, root.dtype());
  if (gradient.shape() != root.shape() || gradient.dtype() != root.dtype())
    throw ShapeError(
        {.op = "backward", .argument = "seed", .got = gradient.str(), .expected = root.value().str(), .hint = {}});

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
      throw StateError({.op = "backward",
                        .argument = "graph",
                        .got = "a graph that an earlier backward has freed",
                        .expected = {},
                        .hint = "pass {.retain_graph = true} to the earlier call, or compute the value again"});
    order.push_back(value);
    for (const Var& input : node->inputs)
      if (input.defined()) stack.push_back(&input);
  }
  const auto later = [](const Var& a, const Var& b) { return a.node()->sequence > b.node()->sequence; };
  if (!std::is_sorted(order.begin(), order.end(), later)) std::sort(order.begin(), order.end(), later);

  // A retained gradient of an earlier pass must not flow twice.
  EarlierGradients earlier;
  for (const Var& value : order) {
    if (value.node()->op) value.node()->grad = {};
    else earlier.set_aside(value);
  }
  send(*root.node(), std::move(gradient));

  for (Var& value : order) {
    const Var keep = std::exchange(value, {});  // frees the value, too, unless somebody holds it
    Node* node = keep.node();
    run_hooks(*node);
    if (!node->op) continue;
    if (node->grad.defined()) {
      if (anomaly_enabled()) refuse_changed(*node);
      Gradients gradients(*node);
      const TracedCall call;
      node->op->backward(node->grad, gradients);
      call.record(*node->op, true);
    }
    if (!node->retain_grad) node->grad = {};
    if (!options.retain_graph) {
      node->op.reset();
      node->inputs.clear();
      node->freed = true;
    }
  }
  earlier.add_back();
}

}  // namespace atto
