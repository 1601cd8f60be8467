#pragma once
// What core/roofline.cpp times, on the calling thread. The results only keep the compiler from leaving the work out.

#include <cstdint>

namespace atto::kernels {

/// Multiply-adds in registers, several chains side by side.
template <class Isa>
float multiply_adds(std::int64_t rounds);
/// Multiply-adds of one round.
template <class Isa>
std::int64_t multiply_adds_of_round();
/// Reads n numbers in sequence.
template <class Isa>
float read_all(std::int64_t n, const float* x);
/// Reads the n rows of `width` numbers, a multiple of 16, that `row` names; fetches `ahead` rows in advance, 0 = none.
template <class Isa>
float read_rows(std::int64_t n, const std::int32_t* row, std::int64_t width, std::int64_t ahead, const float* table);

}  // namespace atto::kernels
