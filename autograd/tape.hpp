#pragma once
// Reverse-mode differentiation: walks the tape from a value to its leaves, without recursion.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autograd/var.hpp"
#include "core/hash.hpp"

namespace atto {

/// What a node was computed from: up to three nodes inline, since few operations take more; null for an optional input
/// that was not given. Keeps the nodes, but not their values: operations save what their backward needs.
class NodeInputs {
 public:
  NodeInputs() = default;
  NodeInputs(const NodeInputs&) = delete;
  NodeInputs& operator=(const NodeInputs&) = delete;
  ~NodeInputs() {
    if (size_ != 0) clear();
  }
  /// Adds a reference of the tape to each, and one of a Var where the bit of `kept` says so: 63 for all further ones.
  /// The sequence of the youngest.
  std::uint64_t assign(std::span<const VarRef> inputs, std::int64_t kept);
  void clear() noexcept;
  std::size_t size() const noexcept { return size_; }
  Node* const* begin() const noexcept { return many_ ? many_.get() : few_.data(); }
  Node* const* end() const noexcept { return begin() + size_; }
  Node* operator[](std::size_t i) const noexcept { return begin()[i]; }

 private:
  std::array<Node*, 3> few_{};
  std::unique_ptr<Node*[]> many_;
  std::size_t size_ = 0;
};

/// The references to a node in one number: those of Vars, which keep its value, in the lower half, those of the tape,
/// which keep the node alone, in the upper. Not atomic, since a tape belongs to one thread at a time.
class References {
 public:
  static constexpr std::uint64_t kVar = 1, kTape = std::uint64_t{1} << 32;
  enum class Left { some, none_of_vars, none };

  void add(std::uint64_t some) noexcept { count_ += some; }
  Left remove(std::uint64_t one) noexcept {
    count_ -= one;
    if (count_ == 0) return Left::none;
    return one == kVar && count_ % kTape == 0 ? Left::none_of_vars : Left::some;
  }

 private:
  std::uint64_t count_ = kVar;
};

/// A place on the tape. Users hold Vars; this is for code that walks graphs.
struct Node : Pooled {
  explicit Node(Tensor&& v) : value(std::move(v)) {}
  /// The result of a call.
  Node(Op& call, Inputs arguments) : value(call.forward(arguments)) {}
  ~Node() {
    if (op) let_op_go();
  }

  // What walks look at lies together, in front.
  std::unique_ptr<Op> op;  // null for leaves and constants
  NodeInputs inputs;
  std::uint64_t sequence = 0;  // of creation: inputs come before users
  std::uint64_t pass = 0;      // the last backward that came by
  References references;
  Node* next_dying = nullptr;  // queue of nodes whose last handle is gone
  bool requires_grad = false;
  bool keep_value = false;
  bool retain_grad = false;
  bool own_grad_storage = false;  // grad lives in memory of the caller's and is always added to in place
  bool freed = false;             // backward has passed here and let go of op and inputs
  Tensor grad;
  Tensor value;  // let go when no Var is left and no operation keeps it, unless keep_value

  struct Extras {  // rare
    std::string name;
    std::string path;           // module path at creation; recorded in anomaly mode
    std::vector<Hash> content;  // of the inputs and the result after the forward; recorded in anomaly mode
    std::vector<std::function<Tensor(const Tensor&)>> hooks;
  };
  std::unique_ptr<Extras> extras;

  /// Forgets the gradient; memory of the caller's is filled with zeros.
  void clear_grad();
  /// One holder of the value less; the last one but the tape lets it go.
  References::Left drop_var() noexcept {
    const References::Left left = references.remove(References::kVar);
    if (left == References::Left::none_of_vars && !keep_value) value.let_go();
    return left;
  }
  /// Makes this the place of a call, later than its inputs, of which it keeps those that it will read.
  void record(std::unique_ptr<Op> call, std::span<const VarRef> arguments);
  /// Frees what backward would need, the inputs that were kept included.
  void let_op_go() noexcept;
  Extras& more() {
    if (!extras) extras = std::make_unique<Extras>();
    return *extras;
  }
};

struct BackwardOptions {
  bool retain_graph = false;  ///< keep saved tensors for another backward; otherwise they are freed on the way
};

/// Adds d<root, seed>/d leaf to the gradient of every leaf that root depends on. Without a seed root is a single number
/// and seed is one. ShapeError when the seed does not fit; StateError when root needs no gradient or its graph was
/// freed.
void backward(const Var& root, const Tensor& seed = {}, BackwardOptions options = {});

/// While an object lives nothing is recorded on this thread.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};
bool grad_enabled();

/// While an object lives on this thread, new places on the tape keep their values until backward, for code that looks
/// into the tape. Otherwise a value goes when its last Var does, unless an operation has saved it.
class KeepValues {
 public:
  KeepValues();
  ~KeepValues();
  KeepValues(const KeepValues&) = delete;
  KeepValues& operator=(const KeepValues&) = delete;

 private:
  bool previous_;
};

/// While an object lives, every value and gradient is searched for NaN and infinity; the first one is a NumericError
/// that names the operation and the module path where it was created. -infinity is a mask where an operation declares
/// it (Op::gives_masks) and where it came in with an input; it is never one in a gradient. Backward also compares the
/// inputs and the result of each operation with what they held in the forward, and a value that was changed in place
/// meanwhile is a StateError, whether or not this operation's gradient reads it. Costs some passes over every value.
class AnomalyMode {
 public:
  AnomalyMode();
  ~AnomalyMode();
  AnomalyMode(const AnomalyMode&) = delete;
  AnomalyMode& operator=(const AnomalyMode&) = delete;

 private:
  bool previous_;
};

/// Names the place in the model where operations are created from here to the end of the block ("layers.0.attention").
class PathScope {
 public:
  /// `path` must outlive the scope.
  explicit PathScope(const std::string& path);
  ~PathScope();
  PathScope(const PathScope&) = delete;
  PathScope& operator=(const PathScope&) = delete;

 private:
  const std::string* previous_;
};

}  // namespace atto
