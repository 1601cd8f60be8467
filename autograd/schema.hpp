#pragma once
// What an operation takes and gives, in one string that is the shape check, the error text and the documentation at
// once.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.hpp"

namespace atto {

class Schema;
class VarRef;

/// The input tensors of a call; an undefined optional input is an undefined tensor.
class Inputs {
 public:
  explicit Inputs(std::span<const Tensor* const> tensors) : tensors_(tensors) {}
  const Tensor& operator[](std::size_t i) const { return *tensors_[i]; }
  std::size_t size() const noexcept { return tensors_.size(); }

 private:
  std::span<const Tensor* const> tensors_;
};

/// Where the values of a call's arguments are, looked up once.
class InputList {
 public:
  explicit InputList(std::span<const VarRef> vars);
  operator Inputs() const { return Inputs({many_ ? many_.get() : few_.data(), size_}); }

 private:
  std::array<const Tensor*, 8> few_;
  std::unique_ptr<const Tensor*[]> many_;
  std::size_t size_;
};

/// The sizes that the letters of a signature stand for, while one call is checked. -1 = not bound yet.
class Dims {
 public:
  /// Binds a letter to a size that the operation knows from its options (a graph's N or E); unknown letters are
  /// ignored.
  void set(std::string_view letter, std::int64_t size);
  std::int64_t operator[](std::string_view letter) const;

 private:
  friend class Schema;
  explicit Dims(const Schema& schema);
  const Schema* schema_;
  std::array<std::int64_t, 16> sizes_;  // as many as the signature has letters
};

/// Name, signature and rules of an operation; one static object per operation.
///
/// Signature: arguments, "->", result. `weight[O,I]` has rank 2; the same letter means the same size everywhere; a
/// number is that size; `bias?[O]` may be undefined; `x[...,I]` has any leading sizes, `x[N,...]` any further ones;
/// `x[...]` any shape; a final `*` after an argument (`parts*[...]`) takes any number of further inputs. All inputs
/// share one floating dtype.
class Schema {
 public:
  struct Text {
    std::string_view name;       ///< "edge_softmax"
    std::string_view signature;  ///< "logits[E,H] -> alpha[E,H]"
    std::string_view formula;    ///< forward, in one line of plain text
    std::string_view gradient;   ///< backward, likewise; empty when the operation has none
    std::string_view cost;       ///< FLOP and bytes in the letters of the signature
  };

  explicit Schema(const Text& text);

  std::string_view name() const noexcept { return text_.name; }
  const Text& text() const noexcept { return text_; }
  Dims dims() const { return Dims(*this); }

  /// Checks shapes and dtypes of a call and binds the letters; ShapeError or TypeError names operation, argument, got
  /// and expected.
  void check(const Inputs& inputs, Dims& dims) const;

 private:
  friend class Dims;
  struct Argument {
    std::string name;
    std::string pattern;  // "[...,I]" for messages
    bool optional = false;
    bool repeated = false;
    bool open = false;                // "..." on either side
    bool open_end = false;            // after the sizes, not before them
    std::vector<std::int64_t> sizes;  // >= 0: a number; < 0: letter -1 - id
  };
  int letter(std::string_view name) const;
  [[noreturn]] void refuse(const Argument& argument, const Tensor& got, const Dims& dims) const;

  Text text_;
  std::vector<Argument> arguments_;
  std::vector<std::string> letters_;
};

inline Dims::Dims(const Schema& schema) : schema_(&schema) {
  for (std::size_t i = 0; i < schema.letters_.size(); ++i) sizes_[i] = -1;
}

}  // namespace atto
