#pragma once
// Rows by number: gather, its adjoint, and embedding tables. Sums over rows that are named several times run in order
// of the places that name them, so their bits depend neither on threads nor on the run.

#include "autograd/var.hpp"
#include "core/device.hpp"

namespace atto {

extern const Schema gather_rows_schema, scatter_add_rows_schema, embedding_schema;

struct GatherOptions {
  bool missing = false;  ///< -1 stands for a row of zeros (the maps of graph edits), instead of being an error
};

/// y_m = x_(index_m): rows in any order, repeats allowed. x[N,...], index int32 or int64 [M...] -> y[M...,...].
/// IndexError naming the first index outside 0..N-1. The gradient sums repeats; the index is sorted for it once. Cost:
/// M rows moved.
Var gather_rows(const Var& x, const Tensor& index, const GatherOptions& options = {});

/// y_n = sum of x_m over all m with index_m = n; rows that nobody names are zero. x[M,...], index [M] -> y[rows,...].
/// IndexError as above. Cost: M rows added.
Var scatter_add_rows(const Var& x, const Tensor& index, std::int64_t rows);

/// Row table_(index_m) of an embedding table: table[V,D], index int32 or int64 [M...] -> [M...,D]. IndexError as above.
Var embedding(const Var& table, const Tensor& index);
/// The same from gather_rows.
Var embedding_reference(const Var& table, const Tensor& index);

namespace kernels {

/// Index -1 gives zeros.
template <class T>
void gather_rows(Cpu, std::int64_t count, std::int64_t width, const T* x, const std::int64_t* index, T* y);

}  // namespace kernels
}  // namespace atto
