#include "core/roofline_simd.hpp"

#include "core/lanes.hpp"

namespace atto::kernels {
namespace {

// Enough chains to hide the latency of a multiply-add (4 cycles, two at a time), and two registers left for operands.
constexpr int kChains = 12;

}  // namespace

template <class Isa>
std::int64_t multiply_adds_of_round() {
  return kChains * simd::kLanes<Isa, float>;
}

template <class Isa>
float multiply_adds(std::int64_t rounds) {
  constexpr int N = simd::kLanes<Isa, float>;
  using V = simd::Lanes<float, N>;
  V chain[kChains];
  for (int c = 0; c < kChains; ++c) chain[c] = simd::splat<N>(static_cast<float>(c));
  const V factor = simd::splat<N>(0.999F), term = simd::splat<N>(0.001F);  // all chains tend to 1
  for (std::int64_t r = 0; r < rounds; ++r)
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) chain[c] = chain[c] * factor + term;
  V sum = chain[0];
  for (int c = 1; c < kChains; ++c) sum += chain[c];
  return simd::sum<float, N>(sum);
}

template <class Isa>
float read_all(std::int64_t n, const float* x) {
  constexpr int N = simd::kLanes<Isa, float>;
  simd::Lanes<float, N> sum[8] = {};
  for (std::int64_t i = 0; i + 8 * N <= n; i += 8 * N)
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k) sum[k] += simd::load<N>(x + i + k * N);
  for (int k = 1; k < 8; ++k) sum[0] += sum[k];
  return simd::sum<float, N>(sum[0]);
}

template <class Isa>
float read_rows(std::int64_t n, const std::int32_t* row, std::int64_t width, std::int64_t ahead, const float* table) {
  constexpr int N = simd::kLanes<Isa, float>, V = 4;
  simd::Lanes<float, N> sum[V] = {};
  for (std::int64_t i = 0; i < n; ++i) {
    const float* x = table + row[i] * width;
    if (ahead > 0 && i + ahead < n)
      for (std::int64_t k = 0; k < width; k += 16) __builtin_prefetch(table + row[i + ahead] * width + k);
    std::int64_t k = 0;
    for (; k + V * N <= width; k += V * N)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[v] += simd::load<N>(x + k + v * N);
    for (; k + N <= width; k += N) sum[0] += simd::load<N>(x + k);
  }
  for (int v = 1; v < V; ++v) sum[0] += sum[v];
  return simd::sum<float, N>(sum[0]);
}

template float multiply_adds<ATTO_ISA>(std::int64_t);
template std::int64_t multiply_adds_of_round<ATTO_ISA>();
template float read_all<ATTO_ISA>(std::int64_t, const float*);
template float read_rows<ATTO_ISA>(std::int64_t, const std::int32_t*, std::int64_t, std::int64_t, const float*);

}  // namespace atto::kernels
