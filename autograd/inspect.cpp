#include "autograd/inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <unordered_map>
#include <vector>

#include "autograd/tape.hpp"

namespace atto {
namespace {

std::vector<const Node*> reachable(const Var& root) {
  std::vector<const Node*> stack, order;
  std::unordered_map<const Node*, bool> seen;
  if (root.defined()) stack.push_back(root.node());
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (std::exchange(seen[node], true)) continue;
    order.push_back(node);
    for (std::size_t i = node->inputs.size(); i-- > 0;)  // so that the first one comes first
      if (node->inputs[i]) stack.push_back(node->inputs[i]);
  }
  std::stable_sort(order.begin(), order.end(), [](const Node* a, const Node* b) { return a->sequence < b->sequence; });
  return order;
}

std::string label(const Node& node) {
  const std::string name = node.extras ? node.extras->name : std::string();
  if (node.op) return std::string(node.op->schema().name()) + (name.empty() ? "" : " " + name);
  if (!name.empty()) return name;
  return node.freed ? "computed" : node.requires_grad ? "leaf" : "constant";
}

double norm(const Tensor& tensor) {
  return visit_float(tensor.dtype(), "dot", [&]<class T>() {
    double sum = 0;
    for (const T value : tensor.values<T>()) sum += double{value} * double{value};
    return std::sqrt(sum);
  });
}

// Known also when the value itself was let go.
std::string type(const Tensor& tensor) {
  return std::string(name_of(tensor.dtype())) + tensor.shape().str();
}

std::string range(const Tensor& tensor) {
  if (!tensor.defined()) return "value let go";
  if (tensor.numel() == 0) return "empty";
  return visit_any(tensor.dtype(), [&]<class T>() {
    const auto [low, high] = std::minmax_element(tensor.values<T>().begin(), tensor.values<T>().end());
    return fmt::format("{:.4g} .. {:.4g}", static_cast<double>(*low), static_cast<double>(*high));
  });
}

std::string escape(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '{' || c == '}' || c == '|' || c == '<' || c == '>') result += '\\';
    result += c;
  }
  return result;
}

}  // namespace

std::string to_string(const Var& root) {
  std::string text;
  std::unordered_map<const Node*, std::size_t> number;
  for (const Node* node : reachable(root)) {
    const std::size_t id = number.size();
    number[node] = id;
    fmt::format_to(std::back_inserter(text), "%{} = {}(", id, label(*node));
    bool first = true;
    for (const Node* input : node->inputs) {
      text += first ? "" : ", ";
      text += input ? fmt::format("%{}", number.at(input)) : "none";
      first = false;
    }
    fmt::format_to(std::back_inserter(text), ") : {}{}\n", type(node->value), node->requires_grad ? "" : " constant");
  }
  return text;
}

std::string dot(const Var& root) {
  std::string text = "digraph tape {\n  rankdir=LR;\n  node [shape=record, fontname=\"sans-serif\"];\n";
  std::unordered_map<const Node*, std::size_t> number;
  for (const Node* node : reachable(root)) {
    const std::size_t id = number.size();
    number[node] = id;
    const std::string gradient = node->grad.defined() ? fmt::format("|gradient norm {:.4g}", norm(node->grad)) : "";
    fmt::format_to(std::back_inserter(text), "  n{} [label=\"{{{}|{}|{}{}}}\"{}];\n", id, escape(label(*node)),
                   type(node->value), escape(range(node->value)), gradient, node->op ? ", style=rounded" : "");
    for (const Node* input : node->inputs)
      if (input) fmt::format_to(std::back_inserter(text), "  n{} -> n{};\n", number.at(input), id);
  }
  return text + "}\n";
}

}  // namespace atto
