#pragma once
// Memory for the many small objects of a tape, which live in crowds and die in crowds: a general allocator spends more
// on merging them than the objects' work takes.

#include <cstddef>

namespace atto {

/// Derived classes are allocated from free lists, one for each size and thread. Memory is kept for the next object of
/// about the same size and never given back.
class Pooled {
 public:
  static void* operator new(std::size_t bytes);
  static void operator delete(void* object, std::size_t bytes) noexcept;

 protected:
  ~Pooled() = default;
};

}  // namespace atto
