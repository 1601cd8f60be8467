#pragma once
// The kernels of graph attention, and what each must compute and move at least. What bench/roofline times.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "autograd/var.hpp"

namespace atto::bench {

/// What a kernel must do by its formula.
struct Work {
  double flops = 0;
  double gathered = 0;                   ///< bytes of rows that edges name
  std::int64_t rows = 0, row_width = 0;  ///< the table that they lie in
  double streamed = 0;                   ///< bytes that are read or written in sequence
  double touched = 0;                    ///< different bytes, read or written
};

/// A kernel at one size.
struct Kernel {
  std::string name, title;
  std::string op;  ///< whose events of the trace count; empty: all of the direction
  bool backward;
  Work work;
  std::function<Var()> forward;
};

/// SpMM, SDDMM, GAT, dot attention on edges and attention over all pairs; tiny ones for a smoke test.
std::vector<Kernel> all_kernels(bool quick);

}  // namespace atto::bench
