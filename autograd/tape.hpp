#pragma once
// Reverse-mode differentiation: walks the tape from a value to its leaves, without recursion.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "autograd/var.hpp"
#include "core/hash.hpp"

namespace atto {

/// What a node was computed from: up to three values inline, since few operations take more.
class NodeInputs {
 public:
  void assign(std::span<const Var> inputs);
  void clear() noexcept;
  std::size_t size() const noexcept { return size_; }
  const Var* begin() const noexcept { return many_ ? many_.get() : few_.data(); }
  const Var* end() const noexcept { return begin() + size_; }
  const Var& operator[](std::size_t i) const noexcept { return begin()[i]; }

 private:
  std::array<Var, 3> few_;
  std::unique_ptr<Var[]> many_;
  std::size_t size_ = 0;
};

/// A place on the tape. Users hold Vars; this is for code that walks graphs.
struct Node : Pooled {
  Tensor value;
  Tensor grad;
  std::unique_ptr<Op> op;  // null for leaves and constants
  NodeInputs inputs;
  std::uint64_t sequence = 0;  // of creation: inputs come before users
  std::uint64_t pass = 0;      // the last backward that came by
  std::atomic<std::int32_t> references{1};
  Node* next_dying = nullptr;  // queue of nodes whose last handle is gone
  bool requires_grad = false;
  bool retain_grad = false;
  bool own_grad_storage = false;  // grad lives in memory of the caller's and is always added to in place
  bool freed = false;             // backward has passed here and let go of op and inputs

  struct Extras {  // rare
    std::string name;
    std::string path;           // module path at creation; recorded in anomaly mode
    std::vector<Hash> content;  // of the inputs and the result after the forward; recorded in anomaly mode
    std::vector<std::function<Tensor(const Tensor&)>> hooks;
  };
  std::unique_ptr<Extras> extras;

  /// Forgets the gradient; memory of the caller's is filled with zeros.
  void clear_grad();
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
