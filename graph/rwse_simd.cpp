#include "core/lanes.hpp"
#include "graph/rwse_kernels.hpp"

namespace atto::kernels {
namespace {

// One row of walks in registers. Written out in lanes, because g++ turns the same loop over an array into scalar code.
template <class Isa>
struct Row {
  static constexpr int kLanes = simd::kLanes<Isa, double>, kParts = kWalkLanes / kLanes;
  simd::Lanes<double, kLanes> part[kParts] = {};

  [[gnu::always_inline]] void add(const double* x) {
    for (int p = 0; p < kParts; ++p) part[p] += simd::load<kLanes>(x + p * kLanes);
  }
  [[gnu::always_inline]] void add_product(double w, const double* x, const double* y) {
    for (int p = 0; p < kParts; ++p)
      part[p] += simd::load<kLanes>(x + p * kLanes) * simd::load<kLanes>(y + p * kLanes) * w;
  }
  [[gnu::always_inline]] void store(double scale, double* to) const {
    for (int p = 0; p < kParts; ++p) simd::store(to + p * kLanes, part[p] * scale);
  }
};

}  // namespace

template <class Isa>
void walk_step(std::int64_t n, const std::int32_t* offsets, const std::int32_t* dst, const double* scale,
               const double* now, double* next) {
  for (std::int64_t i = 0; i < n; ++i) {
    Row<Isa> sum;
    for (std::int32_t k = offsets[i]; k < offsets[i + 1]; ++k) sum.add(now + std::int64_t{dst[k]} * kWalkLanes);
    sum.store(scale[i], next + i * kWalkLanes);
  }
}

template <class Isa>
void walks_meet(std::int64_t n, const double* weight, const double* x, const double* y, double* sum) {
  Row<Isa> total;
  for (std::int64_t i = 0; i < n; ++i) total.add_product(weight[i], x + i * kWalkLanes, y + i * kWalkLanes);
  total.store(1, sum);
}

template void walk_step<ATTO_ISA>(std::int64_t, const std::int32_t*, const std::int32_t*, const double*, const double*,
                                  double*);
template void walks_meet<ATTO_ISA>(std::int64_t, const double*, const double*, const double*, double*);

}  // namespace atto::kernels
