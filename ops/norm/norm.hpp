#pragma once
// Normalisations: rows by their own statistics, columns by those of the batch.

#include "autograd/var.hpp"
#include "core/device.hpp"

namespace atto {

extern const Schema layer_norm_schema, rms_norm_schema, batch_norm_schema, batch_norm_inference_schema;

/// y_nd = gamma_d (x_nd - mean_n) / sqrt(var_n + epsilon) + beta_d, statistics over each row, biased variance (Ba et
/// al. 2016). x[...,D], weight[D], bias?[D] -> y[...,D]; gradient to all three. Cost: about 8 FLOP per value.
Var layer_norm(const Var& x, const Var& weight, const Var& bias, double epsilon = 1e-5);

/// y_nd = gamma_d x_nd / sqrt(mean_d x_nd^2 + epsilon) (Zhang and Sennrich 2019). x[...,D], weight[D].
Var rms_norm(const Var& x, const Var& weight, double epsilon = 1e-6);

/// Mean and variance of the columns of a batch. `variance` is biased; `rows` is what it was taken over.
struct BatchStatistics {
  Tensor mean;      ///< [D]
  Tensor variance;  ///< [D]
  std::int64_t rows = 0;
};

/// Residual connections around a norm, added on its way: y = norm(x + before) + after. Either may be undefined.
struct Residuals {
  Var before, after;
};

/// y_nd = gamma_d (s_nd - mean_d) / sqrt(var_d + epsilon) + beta_d + after_nd, s = x + before, with the statistics of
/// all N rows of s, every node of a ragged batch counted once (Ioffe and Szegedy 2015, algorithm 1). x[N,D], before and
/// after likewise; gradient to all five. `statistics`, when given, receives what a module keeps as running values. No
/// rows give no rows and statistics of zero rows; one row gives the bias (and `after`). Two passes, sums over fixed
/// chunks: bits do not depend on threads. Cost: about 8 FLOP per value.
Var batch_norm(const Var& x, const Var& weight, const Var& bias, double epsilon, BatchStatistics* statistics,
               const Residuals& residuals = {});

/// The same with statistics that are given (evaluation).
Var batch_norm_inference(const Var& x, const Var& weight, const Var& bias, const Tensor& mean, const Tensor& variance,
                         double epsilon);

/// The same from other operations.
Var layer_norm_reference(const Var& x, const Var& weight, const Var& bias, double epsilon = 1e-5);
Var rms_norm_reference(const Var& x, const Var& weight, double epsilon = 1e-6);
Var batch_norm_reference(const Var& x, const Var& weight, const Var& bias, double epsilon,
                         const Residuals& residuals = {});

namespace kernels {

// Columns: mean, variance, weight, bias and their gradients are [D].

/// mean_d and biased variance_d over the rows; zeros for no rows. Where `before` is not null they are those of
/// sum = x + before, which is written too.
template <class T>
void column_moments(Cpu, std::int64_t rows, std::int64_t columns, const T* x, const T* before, T* sum, T* mean,
                    T* variance);
/// y_nd = (x_nd - mean_d) / sqrt(variance_d + epsilon) weight_d + bias_d + after_nd; `after` may be null.
template <class T>
void normalise_columns(Cpu, std::int64_t rows, std::int64_t columns, double epsilon, const T* x, const T* mean,
                       const T* variance, const T* weight, const T* bias, const T* after, T* y);
/// The gradients that are not null. `given`: the moments are constants, not those of x. dx is added to `more` as well,
/// unless that is null.
template <class T>
void column_norm_gradient(Cpu, std::int64_t rows, std::int64_t columns, double epsilon, bool given, const T* g,
                          const T* x, const T* mean, const T* variance, const T* weight, T* dx, T* more, T* dweight,
                          T* dbias);

// Rows: mean and inverse deviation are [N]. RMS norm has no mean and no bias: null.

template <class T>
void normalise_rows(Cpu, std::int64_t rows, std::int64_t columns, double epsilon, const T* x, const T* weight,
                    const T* bias, T* mean, T* inverse, T* y);
/// The gradients that are not null.
template <class T>
void row_norm_gradient(Cpu, std::int64_t rows, std::int64_t columns, const T* g, const T* x, const T* mean,
                       const T* inverse, const T* weight, T* dx, T* dweight, T* dbias);

}  // namespace kernels
}  // namespace atto
