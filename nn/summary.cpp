#include "nn/summary.hpp"

#include <algorithm>
#include <unordered_set>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "nn/report/table.hpp"

namespace atto {
namespace {

// Every value from which the loss was computed.
std::unordered_set<const Node*> reached_from(const Var& loss) {
  std::unordered_set<const Node*> seen;
  std::vector<const Node*> stack{loss.node()};
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!seen.insert(node).second) continue;
    for (const Node* input : node->inputs)
      if (input && input->requires_grad) stack.push_back(input);
  }
  return seen;
}

bool all_zero(const Tensor& tensor) {
  return visit_float(tensor.dtype(), "audit", [&]<class T>() {
    const auto values = tensor.values<T>();
    return std::all_of(values.begin(), values.end(), [](T value) { return value == T{0}; });
  });
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += "\n  " + name;
  return text;
}

}  // namespace

std::string summary(const Model& model) {
  using report::Align;
  report::Table table({{"name"}, {"shape"}, {"values", Align::right}, {"trained"}});
  for (const NamedParameter& parameter : model.parameters())
    table.row({parameter.name, parameter.value.shape().str(), std::to_string(parameter.value.value().numel()),
               parameter.value.requires_grad() ? "yes" : "frozen"});
  for (const NamedTensor& buffer : model.buffers())
    table.row({buffer.name, buffer.value.shape().str(), std::to_string(buffer.value.numel()), "buffer"});
  const std::int64_t total = model.parameter_count();
  const std::int64_t trained = model.trainable_count();
  std::string text = table.text() + "parameters: " + std::to_string(total);
  if (trained != total) text += ", " + std::to_string(trained) + " of them trained";
  return text + " (" + std::string(name_of(model.options().dtype)) + ")\n";
}

Audit audit(const Model& model, const Var& loss) {
  Audit result;
  if (!loss.requires_grad()) {
    for (const NamedParameter& parameter : model.parameters())
      if (parameter.value.requires_grad()) result.unreached.push_back(parameter.name);
    return result;
  }
  if (loss.node()->freed)
    throw StateError({.op = "audit",
                      .argument = "loss",
                      .got = "a graph that backward has freed",
                      .expected = {},
                      .hint = "call audit before backward"});
  const auto reached = reached_from(loss);

  // Gradients are lent to this pass and given back, also when it fails.
  struct Keep {
    const Model& model;
    std::vector<Tensor> gradients;
    explicit Keep(const Model& m) : model(m) {
      for (const NamedParameter& parameter : model.parameters()) gradients.push_back(parameter.value.grad().clone());
      model.zero_grad();
    }
    ~Keep() {
      model.zero_grad();
      for (std::size_t i = 0; i < gradients.size(); ++i) {
        Node& node = *model.parameters()[i].value.node();
        if (!gradients[i].defined()) continue;
        if (node.own_grad_storage) node.grad.copy_from(gradients[i]);
        else node.grad = gradients[i];
      }
    }
  } keep(model);
  backward(loss, {}, {.retain_graph = true});
  for (const NamedParameter& parameter : model.parameters()) {
    if (!parameter.value.requires_grad()) continue;
    const Tensor gradient = parameter.value.grad();
    if (reached.count(parameter.value.node()) == 0) result.unreached.push_back(parameter.name);
    else if (!gradient.defined() || all_zero(gradient)) result.zero.push_back(parameter.name);
  }
  return result;
}

std::string Audit::str() const {
  if (clean()) return "every trainable parameter gets a gradient";
  std::string text;
  if (!unreached.empty()) text += "the loss does not depend on:" + list(unreached);
  if (!zero.empty()) text += std::string(text.empty() ? "" : "\n") + "the gradient is exactly zero for:" + list(zero);
  return text;
}

}  // namespace atto
