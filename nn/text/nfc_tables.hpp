#pragma once
// What Unicode says about characters that are composed of others.

#include <span>

namespace atto::text {

/// A character and its canonical decomposition; second is 0 where that is a single character.
struct Pair {
  char32_t whole, first, second = 0;
};

/// Characters first..last, which stand behind others, and their canonical combining class.
struct ClassRange {
  char32_t first, last;
  unsigned char combining_class;
};

/// Ordered by `whole`. The primary composites, whose pairs become `whole` again, and all others.
std::span<const Pair> composing_pairs();
std::span<const Pair> other_decompositions();
std::span<const ClassRange> combining_classes();

}  // namespace atto::text
