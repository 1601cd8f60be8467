#pragma once
// The edge algebra as plain loops that follow the formulas (ops/edge/kernels.hpp has their kernels): one thread,
// results summed in memory. What the kernels are measured against.

#include <cstdint>

#include "ops/csr.hpp"

namespace atto::bench::plain {

void spmm(const Csr& csr, std::int64_t heads, std::int64_t depth, const float* w, const float* x, float* y);
void edge_dot(const Csr& csr, std::int64_t heads, std::int64_t depth, const float* q, const float* k, float* e);
void edge_softmax(const Csr& csr, std::int64_t heads, const float* z, float* a);
void edge_softmax_gradient(const Csr& csr, std::int64_t heads, const float* a, const float* da, float* dz);
void gated_sum(const Csr& csr, std::int64_t width, const float* s, const float* x, float* gates, float* y);
void gated_sum_gradient(const Csr& in, const Csr& out, std::int64_t width, const float* s, const float* x,
                        const float* gates, const float* y, const float* dy, float* ds, float* dx);

}  // namespace atto::bench::plain
