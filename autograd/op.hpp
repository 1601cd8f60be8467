#pragma once
// What an operation is: a forward that computes, a backward that differentiates, and a cost that says what both should
// take.

#include <cstdint>
#include <memory>
#include <span>

#include "autograd/schema.hpp"
#include "core/pool.hpp"
#include "core/tensor.hpp"
#include "core/trace.hpp"

namespace atto {

struct Node;
class Var;

/// Where backward leaves its results. The tape adds up what several users of a value send, sums out broadcast
/// dimensions, and drops what nobody wants.
class Gradients {
 public:
  explicit Gradients(Node& node) : node_(&node) {}
  /// Whether input i needs a gradient: ask before computing an expensive one.
  bool wants(std::size_t i) const;
  /// Input i of the forward, which called keep_input(i).
  const Tensor& input(std::size_t i) const;
  /// Memory for the gradient of an input of the result's shape: that of `gradient`, the one that backward was given,
  /// where nobody else reads it, and new memory otherwise. Afterwards `gradient` may be undefined, and what it held is
  /// in the result until it is overwritten: for operations that compute a gradient element by element, as their last.
  Tensor reuse(const Tensor& gradient);
  /// Adds a gradient to input i; its shape is that of the input, or a shape to which the input was broadcast.
  void add(std::size_t i, Tensor gradient);
  /// What input i has collected so far, for an operation that can add to it in place, as a matrix product can;
  /// undefined when nothing has come yet, or when add() must look at every gradient (AnomalyMode). Needs wants(i).
  Tensor collected(std::size_t i);
  /// Adds a gradient to the places begin, begin + 1, ... of a dimension of input i: what slices and their kind send
  /// back without a tensor full of zeros each.
  void add_slice(std::size_t i, int dimension, std::int64_t begin, const Tensor& gradient);

 private:
  Node* node_;
};

/// One recorded call. Members hold the options and what backward needs, and nothing else that is large: a value that no
/// operation has saved or kept goes with its last Var. They are freed in backward.
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
  bool recording() const noexcept { return wanted_ != 0; }
  /// In forward: whether input i will want a gradient, for operations that save more for some than for others.
  bool will_want(std::size_t i) const noexcept { return (wanted_ & bit(i)) != 0; }
  /// In forward, when recording: input i stays until backward, which finds it in Gradients::input(i). Cheaper than a
  /// member with a handle of its own. Of the inputs from 63 on all are kept with one.
  void keep_input(std::size_t i) noexcept { kept_ |= bit(i); }
  bool keeps_input(std::size_t i) const noexcept { return (kept_ & bit(i)) != 0; }

 private:
  friend class Gradients;
  friend struct Node;
  // One bit for each input; the last one is for all that are left.
  static constexpr std::uint64_t bit(std::size_t i) noexcept { return std::uint64_t{1} << (i < 63 ? i : 63); }
  friend Var apply_op(std::unique_ptr<Op> op, std::span<const VarRef> inputs);
  // The same bits as a number that keeps its last one when it is shifted.
  std::int64_t kept() const noexcept { return static_cast<std::int64_t>(kept_); }
  std::uint64_t wanted_ = 0, kept_ = 0;
};

}  // namespace atto
