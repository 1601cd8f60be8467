#include <algorithm>
#include <span>

#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "core/tensor.hpp"
#include "ops/csr_views.hpp"
#include "ops/gated_conv/gated_conv.hpp"
#include "ops/gated_conv/simd.hpp"

namespace atto::kernels {
namespace {

constexpr std::int64_t kPerChannel = 16;  // elementary operations of an edge and channel

template <class T>
simd::GatedConv<T> loops_of(const GatedConvCall<T>& c) {
  return {.width = c.width,
          .dst = c.dst,
          .src = c.src,
          .value = c.value,
          .edge = c.edge,
          .kind = c.kind,
          .epsilon = c.epsilon};
}

template <class T>
std::int64_t work_of(const GatedConvCall<T>& call) {
  return call.graph.num_edges() * call.width * kPerChannel;
}

}  // namespace

template <class T>
void gated_conv_forward(Cpu, const GatedConvCall<T>& call, T* y, T* inverse) {
  if (call.width == 0) return;
  const Csr csr = by_destination(call.graph);
  with_isa([&]<class Isa>() {
    for_blocks(call.graph.in_blocks(), work_of(call), [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      simd::gated_conv<Isa>(csr, begin, end, loops_of(call), y, inverse);
    });
  });
}

template <class T>
void gated_conv_backward(Cpu, const GatedConvCall<T>& call, const T* y, const T* inverse, const T* g,
                         const GatedConvGradients<T>& out) {
  const std::int64_t width = call.width, table = call.rows * width;
  if (width == 0) return;
  const Csr in = by_destination(call.graph), back = by_source(call.graph);
  with_isa([&]<class Isa>() {
    const auto by_destination = [&](std::int64_t begin, std::int64_t end, T* edge) {
      simd::gated_conv_by_destination<Isa>(in, begin, end, loops_of(call), y, inverse, g, out.scaled, out.dst, edge);
    };
    if (out.edge && call.kind) sum_over_blocks(call.graph.in_blocks(), work_of(call), table, out.edge, by_destination);
    else
      for_blocks(call.graph.in_blocks(), work_of(call),
                 [&](std::int64_t, std::int64_t begin, std::int64_t end) { by_destination(begin, end, out.edge); });
    if (!out.src && !out.value) return;
    for_blocks(call.graph.out_blocks(), work_of(call), [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      simd::gated_conv_by_source<Isa>(back, begin, end, loops_of(call), y, out.scaled, out.src, out.value);
    });
  });
}

template void gated_conv_forward(Cpu, const GatedConvCall<float>&, float*, float*);
template void gated_conv_forward(Cpu, const GatedConvCall<double>&, double*, double*);
template void gated_conv_backward(Cpu, const GatedConvCall<float>&, const float*, const float*, const float*,
                                  const GatedConvGradients<float>&);
template void gated_conv_backward(Cpu, const GatedConvCall<double>&, const double*, const double*, const double*,
                                  const GatedConvGradients<double>&);

}  // namespace atto::kernels
