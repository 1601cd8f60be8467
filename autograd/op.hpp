#pragma once
// What an operation is: a forward that computes, a backward that differentiates, and a cost that says what both should
// take.

#include <memory>
#include <span>

#include "autograd/schema.hpp"
#include "core/pool.hpp"
#include "core/tensor.hpp"
#include "core/trace.hpp"

namespace atto {

struct Node;

/// Where backward leaves its results. The tape adds up what several users of a value send, sums out broadcast
/// dimensions, and drops what nobody wants.
class Gradients {
 public:
  explicit Gradients(Node& node) : node_(&node) {}
  /// Whether input i needs a gradient: ask before computing an expensive one.
  bool wants(std::size_t i) const;
  /// Adds a gradient to input i; its shape is that of the input, or a shape to which the input was broadcast.
  void add(std::size_t i, Tensor gradient);
  /// Adds a gradient to the places begin, begin + 1, ... of a dimension of input i: what slices and their kind send
  /// back without a tensor full of zeros each.
  void add_slice(std::size_t i, int dimension, std::int64_t begin, const Tensor& gradient);

 private:
  Node* node_;
};

/// One recorded call. Members hold the options and what backward needs; they are freed with the tape.
class Op : public Pooled {
 public:
  Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  virtual ~Op() = default;

  virtual const Schema& schema() const = 0;
  /// Tells the schema check the sizes that the options fix (nodes and edges of a graph, say).
  virtual void bind(Dims&) const {}
  /// Computes the result. Shapes and dtypes are checked already. Saves what backward needs only when `recording()`.
  virtual Tensor forward(Inputs inputs) = 0;
  /// Sends the gradients of the inputs, given that of the result. An op without one keeps this and `differentiable() ==
  /// false`.
  virtual void backward(const Tensor& gradient, Gradients& gradients);
  virtual bool differentiable() const { return true; }
  /// Whether -infinity may stand in the result although no input holds one: the logarithm of "attends to nothing".
  virtual bool gives_masks() const { return false; }
  /// Cost of the last forward; backward is traced as `backward_factor` times it.
  virtual Cost cost() const = 0;
  virtual double backward_factor() const { return 2.0; }

 protected:
  bool recording() const noexcept { return recording_; }

 private:
  friend Var apply_op(std::unique_ptr<Op> op, std::span<const Var> inputs);
  bool recording_ = false;
};

}  // namespace atto
