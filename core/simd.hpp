#pragma once
// Run-time choice of instruction set. A file named `*_simd.cpp` is compiled once per instruction set with ATTO_ISA
// defined as one of the tags below. Its kernels are templates on that tag, `template <class Isa, class T> void
// kernel(...)`, explicitly instantiated for ATTO_ISA at the end of the file, so that the copies never share a symbol.
// Such a file includes no part of the standard library that has code of its own (templates would leak instructions into
// the portable binary): plain loops on plain pointers, which the compiler turns into vectors.

namespace atto {

struct Baseline {};  ///< what every processor of the architecture has
struct Avx2 {};      ///< AVX2 and FMA
struct Avx512 {};    ///< AVX-512 F, BW, DQ, VL

enum class Isa { baseline, avx2, avx512 };

/// The instruction set in use: the best that the processor has and the build has kernels for, unless the environment
/// variable ATTO_ISA (baseline, avx2, avx512) or set_isa() chose a lesser one.
Isa isa();
/// Chooses an instruction set for the process; ValueError when the processor lacks it.
void set_isa(Isa isa);
const char* name_of(Isa isa);

/// Calls `f.template operator()<Tag>()` with the tag of the instruction set in use.
template <class F>
decltype(auto) with_isa(F&& f) {
#if defined(__x86_64__) && !defined(ATTO_PORTABLE)
  switch (isa()) {
    case Isa::avx512:
      return f.template operator()<Avx512>();
    case Isa::avx2:
      return f.template operator()<Avx2>();
    case Isa::baseline:
      break;
  }
#endif
  return f.template operator()<Baseline>();
}

}  // namespace atto
