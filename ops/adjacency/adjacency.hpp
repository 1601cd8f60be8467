#pragma once
// From attention probabilities to the weights of edges: thresholds, hard and soft.

#include <string_view>

#include "autograd/var.hpp"
#include "core/device.hpp"
#include "ops/adjacency/functors.hpp"

namespace atto {

extern const Schema adjacency_schema;

/// What a graph attention aggregates with instead of its probabilities (Buehler, arXiv 2501.02393, process_adjacency);
/// x = p - tau, b = 1 where p > tau, else 0:
///
///     relu                         max(x, 0)
///     silu                         x sigmoid(x)
///     softplus                     ln(1 + e^x)
///     sharp_softplus               ln(1 + e^(beta x)) / beta
///     sigmoid                      sigmoid(beta x)
///     flowthreshold                sigmoid(5 p) sigmoid(50 x)
///     binary                       s b                           (s is 1 in the paper's code)
///     silu_plus_binary             x sigmoid(x) + s b
///     silu_below_binary_above      x sigmoid(x) where b = 0, else 1
///     relu_below_binary_above      b
///     softplus_below_binary_above  ln(1 + e^x) where b = 0, else 1
///
/// p[...], tau[1] (default: the option) -> [...]; gradient to both, none through b. Rows are not renormalised. Modes
/// that are not 0 at p = 0 make an edge of every pair that is listed: list only those that may be seen. An empty input
/// gives an empty result and a gradient 0 of tau. ValueError unless sharpness is above 0. Cost: up to 50 FLOP per
/// element.
Var adjacency(const Var& p, const AdjacencyOptions& options = {}, const Var& tau = {});
/// The same from other operations.
Var adjacency_reference(const Var& p, const AdjacencyOptions& options = {}, const Var& tau = {});

/// "relu", "silu_plus_binary", ... as in AdjacencyMode.
std::string_view name_of(AdjacencyMode mode);

namespace kernels {

/// y = f(p, tau)
template <class T>
void adjacency(Cpu, const AdjacencyOptions& options, std::int64_t n, T tau, const T* p, T* y);
/// dp = g df/dp and, unless it is null, dtau = g df/dtau for every element.
template <class T>
void adjacency_gradient(Cpu, const AdjacencyOptions& options, std::int64_t n, T tau, const T* p, const T* g, T* dp,
                        T* dtau);

/// The same on the calling thread, for an instruction set.
template <class Isa, class F, class T>
void adjacency_chunk(F f, std::int64_t n, T tau, const T* p, T* y);
template <class Isa, class F, class T>
void adjacency_gradient_chunk(F f, std::int64_t n, T tau, const T* p, const T* g, T* dp, T* dtau);

}  // namespace kernels
}  // namespace atto
