#pragma once
// Softmax and its relatives over the last dimension. Each row is shifted by its largest value, so nothing overflows;
// -infinity stands for what is masked. A row of nothing but -infinity, and an empty row, give zeros and a zero
// gradient, as a node without neighbours does everywhere else. A NaN or +infinity makes its row NaN.

#include "autograd/var.hpp"
#include "core/device.hpp"

namespace atto {

extern const Schema softmax_schema, log_softmax_schema, log_sum_exp_schema;

/// y_nd = exp(x_nd) / sum_d exp(x_nd). x[...,D] -> y[...,D]. Cost: about 20 FLOP per value, 2 values moved.
Var softmax(const Var& x);
/// The logarithm of that: y_nd = x_nd - log(sum_d exp(x_nd)).
Var log_softmax(const Var& x);
/// y_n = log(sum_d exp(x_nd)). x[...,D] -> y[...].
Var log_sum_exp(const Var& x);
// The same from max, exp, sum and log; rows of -infinity are NaN here, and rows of nothing a ValueError.
Var softmax_reference(const Var& x);
Var log_softmax_reference(const Var& x);
Var log_sum_exp_reference(const Var& x);

namespace kernels {

enum class Softmax { probability, logarithm, normaliser };

/// probability: softmax; logarithm: log_softmax; both [rows,columns]. normaliser: log_sum_exp, y is [rows].
template <class T>
void softmax(Cpu, Softmax kind, std::int64_t rows, std::int64_t columns, const T* x, T* y);
/// With p = softmax(x). probability: dx = p (g - sum g p), and `saved` is p. logarithm: dx = g - p sum g, and `saved`
/// is x. normaliser: dx = p g, g is [rows], and `saved` is x.
template <class T>
void softmax_gradient(Cpu, Softmax kind, std::int64_t rows, std::int64_t columns, const T* saved, const T* g, T* dx);

/// The same on the calling thread, for an instruction set.
template <class Isa, class T>
void softmax_rows(Softmax kind, std::int64_t rows, std::int64_t columns, const T* x, T* y);
template <class Isa, class T>
void softmax_gradient_rows(Softmax kind, std::int64_t rows, std::int64_t columns, const T* saved, const T* g, T* dx);

}  // namespace kernels
}  // namespace atto
