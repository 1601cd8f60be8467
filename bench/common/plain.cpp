#include "bench/common/plain.hpp"

#include <algorithm>
#include <cmath>

namespace atto::bench::plain {

void spmm(const Csr& csr, std::int64_t heads, std::int64_t depth, const float* w, const float* x, float* y) {
  const std::int64_t width = heads * depth;
  std::fill_n(y, csr.rows * width, 0.0f);
  for (std::int64_t r = 0; r < csr.rows; ++r)
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) {
      const std::int64_t edge = csr.edge ? csr.edge[t] : t;
      for (std::int64_t h = 0; h < heads; ++h)
        for (std::int64_t d = 0; d < depth; ++d)
          y[r * width + h * depth + d] += w[edge * heads + h] * x[csr.column[t] * width + h * depth + d];
    }
}

void edge_dot(const Csr& csr, std::int64_t heads, std::int64_t depth, const float* q, const float* k, float* e) {
  const std::int64_t width = heads * depth;
  for (std::int64_t r = 0; r < csr.rows; ++r)
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t)
      for (std::int64_t h = 0; h < heads; ++h) {
        float sum = 0;
        for (std::int64_t d = 0; d < depth; ++d)
          sum += q[r * width + h * depth + d] * k[csr.column[t] * width + h * depth + d];
        e[t * heads + h] = sum;
      }
}

void edge_softmax(const Csr& csr, std::int64_t heads, const float* z, float* a) {
  for (std::int64_t r = 0; r < csr.rows; ++r)
    for (std::int64_t h = 0; h < heads; ++h) {
      float top = -INFINITY, sum = 0;
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) top = std::max(top, z[t * heads + h]);
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t)
        sum += a[t * heads + h] = std::exp(z[t * heads + h] - top);
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) a[t * heads + h] /= sum;
    }
}

void edge_softmax_gradient(const Csr& csr, std::int64_t heads, const float* a, const float* da, float* dz) {
  for (std::int64_t r = 0; r < csr.rows; ++r)
    for (std::int64_t h = 0; h < heads; ++h) {
      float dot = 0;
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t) dot += a[t * heads + h] * da[t * heads + h];
      for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t)
        dz[t * heads + h] = a[t * heads + h] * (da[t * heads + h] - dot);
    }
}

void gated_sum(const Csr& csr, std::int64_t width, const float* s, const float* x, float* gates, float* y) {
  std::fill_n(y, csr.rows * width, 0.0f);
  std::fill_n(gates, csr.rows * width, 1e-6f);
  for (std::int64_t r = 0; r < csr.rows; ++r) {
    for (std::int64_t t = csr.offsets[r]; t < csr.offsets[r + 1]; ++t)
      for (std::int64_t c = 0; c < width; ++c) {
        y[r * width + c] += s[t * width + c] * x[csr.column[t] * width + c];
        gates[r * width + c] += s[t * width + c];
      }
    for (std::int64_t c = 0; c < width; ++c) y[r * width + c] /= gates[r * width + c];
  }
}

void gated_sum_gradient(const Csr& in, const Csr& out, std::int64_t width, const float* s, const float* x,
                        const float* gates, const float* y, const float* dy, float* ds, float* dx) {
  for (std::int64_t r = 0; r < in.rows; ++r)
    for (std::int64_t t = in.offsets[r]; t < in.offsets[r + 1]; ++t)
      for (std::int64_t c = 0; c < width; ++c)
        ds[t * width + c] = dy[r * width + c] / gates[r * width + c] * (x[in.column[t] * width + c] - y[r * width + c]);
  std::fill_n(dx, out.rows * width, 0.0f);
  for (std::int64_t r = 0; r < out.rows; ++r)
    for (std::int64_t t = out.offsets[r]; t < out.offsets[r + 1]; ++t)
      for (std::int64_t c = 0; c < width; ++c) {
        const std::int64_t i = out.column[t] * width + c;
        dx[r * width + c] += s[out.edge[t] * width + c] * dy[i] / gates[i];
      }
}

}  // namespace atto::bench::plain
