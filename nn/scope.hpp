#pragma once
// A place in a model. Creating a parameter or a buffer at a place registers it: there is no second step to forget.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "autograd/var.hpp"
#include "core/random.hpp"
#include "nn/init.hpp"

namespace atto {

namespace detail {
struct ModelState;
}

class Scope;

/// A trained value. It converts to the Var that operations take. It can be neither copied nor moved, so a model cannot
/// end up training one value and using another; a function may return it, since the language builds the result in
/// place.
class Parameter {
 public:
  /// Registers `name` in `scope`; see Scope::parameter.
  Parameter(const Scope& scope, std::string_view name, const Shape& shape, const Initialiser& initialiser);
  /// The absence of a parameter (`bias = false`): an undefined Var.
  static Parameter none() { return Parameter(); }
  Parameter(const Parameter&) = delete;
  Parameter& operator=(const Parameter&) = delete;

  operator const Var&() const noexcept { return var_; }  // NOLINT: a parameter is a Var wherever an operation takes one
  const Var& var() const noexcept { return var_; }
  const Tensor& value() const { return var_.value(); }
  const Shape& shape() const { return var_.shape(); }
  bool defined() const noexcept { return var_.defined(); }

 private:
  Parameter() = default;
  Var var_;
};

/// A tensor that belongs to the model and is saved with it, but is not trained (running statistics).
class Buffer {
 public:
  Buffer(const Scope& scope, std::string_view name, const Tensor& initial);
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  operator const Tensor&() const noexcept { return tensor_; }  // NOLINT: a buffer is a tensor with a name
  const Tensor& tensor() const noexcept { return tensor_; }

 private:
  Tensor tensor_;
};

/// A place of a model where something can be attached from outside, without an edit of the model: modules derive what
/// they offer and create it with Scope::socket(); adapters find it with Model::sockets().
class Socket {
 public:
  Socket() = default;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  virtual ~Socket() = default;
  /// That of the module which offers it.
  const std::string& path() const noexcept { return path_; }

 private:
  friend class Scope;
  std::string path_;
};

/// A handle to a place in a model: `model / "layers" / 0 / "attention"` is the place "layers.0.attention". Cheap to
/// copy.
class Scope {
 public:
  /// The place `name` below this one. Names consist of letters, digits, `_` and `-`; anything else is a ValueError.
  Scope operator/(std::string_view name) const;
  Scope operator/(std::int64_t index) const;

  /// Creates a parameter of the model's element type. Its initial values depend on the model's seed and on its full
  /// name, not on what else the model holds. StateError when the name is taken, or when the model is already flattened.
  Parameter parameter(std::string_view name, const Shape& shape, const Initialiser& initialiser) const;
  /// Registers a buffer with a copy of `initial`.
  Buffer buffer(std::string_view name, const Tensor& initial) const;

  /// Makes a socket known to the model.
  void offer(const std::shared_ptr<Socket>& socket) const;

  /// A generator for set-up work that draws numbers (random features). The same seed, place and purpose give the same
  /// numbers.
  Generator random(std::string_view purpose) const;
  /// A fresh stream for one use of dropout, from the random state of the model, which checkpoints keep.
  RandomStream dropout_stream() const;
  /// Where dropout_stream() stands.
  Generator::State random_state() const;
  /// Whether a Replay is under way: what has been done once, such as moving running statistics, is not done again.
  bool replaying() const noexcept;
  /// Whether the model is in training mode.
  bool training() const noexcept;
  /// Element type of the model's parameters.
  DType dtype() const noexcept;
  /// "layers.0.attention"; empty for the root.
  const std::string& path() const noexcept { return path_; }

 private:
  friend class Model;
  friend class Parameter;
  friend class Buffer;
  friend class Replay;
  Scope(std::shared_ptr<detail::ModelState> state, std::string path)
      : state_(std::move(state)), path_(std::move(path)) {}
  std::string full_name(std::string_view name) const;

  std::shared_ptr<detail::ModelState> state_;
  std::string path_;
};

/// While it lives, a model repeats what it did from `random` on: dropout draws the same numbers, running statistics
/// stay.
class Replay {
 public:
  Replay(const Scope& scope, const Generator::State& random);
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

 private:
  std::shared_ptr<detail::ModelState> state_;
  Generator::State random_;
  bool replaying_;
};

}  // namespace atto
