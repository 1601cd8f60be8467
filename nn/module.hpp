#pragma once
// What a model is: a tree of modules that own named parameters, and the root that knows them all.
//
//     Model model({.seed = 1});
//     Linear head(model / "head", 64, 2);   // registers "head.weight" and "head.bias"
//     Var y = head(x);                      // modules are callables

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/tape.hpp"
#include "nn/scope.hpp"

namespace atto {

/// Base of layers and models. A module creates its parameters and submodules in its constructor and computes in a const
/// `operator()`; it can be neither copied nor moved (`Modules<M>` holds a list of them).
class Module {
 public:
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  const Scope& scope() const noexcept { return scope_; }

 protected:
  explicit Module(Scope scope) : scope_(std::move(scope)) {}
  ~Module() = default;

  /// `const auto here = enter();` at the top of operator(): errors of anomaly mode then name this module.
  PathScope enter() const;
  bool training() const noexcept { return scope_.training(); }

 private:
  Scope scope_;
};

/// Modules of one kind in a row: `layers.add(scope / "layers" / i, ...)`. References stay valid.
template <class M>
using Modules = std::deque<M>;

/// A module of one's own, or a reference to one that belongs to somebody else, whose parameters then stay registered,
/// decayed and saved once, under their owner. The owner must outlive the slot.
template <class M>
class Slot {
 public:
  /// Builds M in `scope`.
  template <class... Options>
  explicit Slot(const Scope& scope, Options&&... options)
      : own_(std::make_unique<M>(scope, std::forward<Options>(options)...)), module_(own_.get()) {}
  Slot(const M& shared) : module_(&shared) {}  // NOLINT: a module is a slot that shares it

  const M& operator*() const noexcept { return *module_; }
  const M* operator->() const noexcept { return module_; }
  template <class... Inputs>
  decltype(auto) operator()(Inputs&&... inputs) const {
    return (*module_)(std::forward<Inputs>(inputs)...);
  }
  bool shared() const noexcept { return own_ == nullptr; }

 private:
  std::unique_ptr<M> own_;
  const M* module_;
};

struct ModelOptions {
  std::uint64_t seed = 1;        ///< of initial values and dropout
  DType dtype = DType::float32;  ///< of all parameters; float64 for gradient checks
};

struct NamedParameter {
  std::string name;  ///< "layers.0.attention.query.weight"
  Var value;
};

/// A piece of state: saving reads the tensor, loading writes into its memory.
struct NamedTensor {
  std::string name;
  Tensor value;
};

/// All parameters of a model in two blocks of memory. Parameter i of parameters() lies at offsets[i]; the gaps between
/// them (for alignment to 64 bytes) hold zeros.
struct FlatParameters {
  Tensor values;
  Tensor gradients;
  std::vector<std::int64_t> offsets;
};

/// The root of a model: parameters, buffers, random state and training flag. Modules keep what they need of it alive.
class Model {
 public:
  explicit Model(ModelOptions options = {});
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  /// The place with the empty path.
  Scope scope() const { return {state_, {}}; }
  operator Scope() const { return scope(); }  // NOLINT: a model is the root of its places
  Scope operator/(std::string_view name) const { return scope() / name; }
  const ModelOptions& options() const noexcept;

  /// In order of registration. The order and the names are those of saved files.
  std::span<const NamedParameter> parameters() const noexcept;
  std::span<const NamedTensor> buffers() const noexcept;
  /// By full name; ValueError with the nearest name when there is none.
  const Var& parameter(std::string_view name) const;
  const Tensor& buffer(std::string_view name) const;

  /// What modules offer for attaching to, in order of construction.
  std::span<const std::shared_ptr<Socket>> sockets() const noexcept;

  /// Switches dropout on and batch norm to the statistics of the batch (the state of a new model), or back.
  void train(bool training = true) const noexcept;
  void eval() const noexcept { train(false); }
  bool training() const noexcept;

  /// Stops (or, with frozen = false, resumes) the training of all parameters whose name matches; see matches(). Returns
  /// how many there are; ValueError when there is none.
  std::int64_t freeze(std::string_view pattern, bool frozen = true) const;

  std::int64_t parameter_count() const noexcept;
  std::int64_t trainable_count() const noexcept;

  void zero_grad() const;

  /// Moves all parameters to one block of memory and all gradients to another, where an optimiser finds them. The first
  /// call does it (and ends the registration of parameters), further calls return the same blocks.
  const FlatParameters& flatten() const;

  /// Where dropout_stream() stands; checkpoints keep it.
  Generator::State random_state() const noexcept;
  void set_random_state(const Generator::State& state) const noexcept;

 private:
  std::shared_ptr<detail::ModelState> state_;
};

/// Whether a name fits a pattern in which `*` stands for any characters (dots included) and `?` for one.
bool matches(std::string_view name, std::string_view pattern) noexcept;

}  // namespace atto
