#include "graph/rwse.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "graph/components.hpp"
#include "graph/parallel_nodes.hpp"
#include "graph/rwse_kernels.hpp"

namespace atto {
namespace {

using kernels::kWalkLanes;

// Walks from up to kWalkLanes sources at once. Column c of x_t holds P^t[:, s + c]: how likely each node reaches s + c
// in t steps.
class Walks {
 public:
  explicit Walks(const Graph& graph) : graph_(graph), symmetric_(is_symmetric(graph)), n_(graph.num_nodes()) {
    degree_.resize(static_cast<std::size_t>(n_));
    scale_.resize(static_cast<std::size_t>(n_));
    for (std::int64_t i = 0; i < n_; ++i) {
      degree_[i] = std::max(1, graph.out_degree(i));
      scale_[i] = 1 / degree_[i];
    }
    now_.resize(static_cast<std::size_t>(n_ * kWalkLanes));
    next_.resize(now_.size());
  }

  // Rows first..last-1 of the encoding, last - first <= kWalkLanes.
  void encode(std::int64_t first, std::int64_t last, std::int64_t steps, float* rows) {
    std::ranges::fill(now_, 0.0);
    for (std::int64_t s = first; s < last; ++s) now_[s * kWalkLanes + s - first] = 1;
    const auto put = [&](std::int64_t k, const double* returns) {
      for (std::int64_t s = first; s < last; ++s)
        rows[(s - first) * steps + k - 1] = static_cast<float>(returns[s - first]);
    };
    double returns[kWalkLanes];
    if (!symmetric_) {
      for (std::int64_t k = 1; k <= steps; ++k) {
        step();
        for (std::int64_t s = first; s < last; ++s) returns[s - first] = now_[s * kWalkLanes + s - first];
        put(k, returns);
      }
      return;
    }
    // Half the steps do for an undirected graph, where d_s P^t[s,i] = d_i P^t[i,s] and so
    // P^(t+u)[s,s] = sum_i P^t[s,i] P^u[i,s] = 1/d_s sum_i d_i x_t[i] x_u[i].
    for (std::int64_t t = 0; 2 * t < steps; ++t) {
      step();  // now_ = x_(t+1), next_ = x_t
      meet(next_, now_, first, last, returns);
      put(2 * t + 1, returns);
      if (2 * t + 2 > steps) break;
      meet(now_, now_, first, last, returns);
      put(2 * t + 2, returns);
    }
  }

 private:
  // x <- P x; the old x stays in next_.
  void step() {
    with_isa([&]<class Isa>() {
      kernels::walk_step<Isa>(n_, graph_.out_offsets().data(), graph_.out_dst().data(), scale_.data(), now_.data(),
                              next_.data());
    });
    now_.swap(next_);
  }

  void meet(const std::vector<double>& x, const std::vector<double>& y, std::int64_t first, std::int64_t last,
            double* returns) const {
    double sum[kWalkLanes];
    with_isa([&]<class Isa>() { kernels::walks_meet<Isa>(n_, degree_.data(), x.data(), y.data(), sum); });
    for (std::int64_t s = first; s < last; ++s) returns[s - first] = sum[s - first] * scale_[s];
  }

  const Graph& graph_;
  bool symmetric_;
  std::int64_t n_;
  std::vector<double> degree_, scale_, now_, next_;
};

}  // namespace

Tensor rwse(std::span<const Graph> graphs, std::int64_t steps) {
  if (steps < 1)
    throw ValueError({.op = "rwse", .argument = "steps", .got = std::to_string(steps), .expected = "at least 1"});
  std::vector<Graph> simple;
  std::vector<std::int64_t> first_row{0};
  for (const Graph& graph : graphs) {
    const GraphEdit coalesced = graph.coalesced();
    simple.push_back(coalesced.graph.num_edges() == graph.num_edges() ? graph : coalesced.graph);
    first_row.push_back(first_row.back() + graph.num_nodes());
  }
  const Tensor encoding = Tensor::empty({first_row.back(), steps});
  float* rows = encoding.data<float>();
  const auto work = [&](const Graph& graph) { return steps * (graph.num_edges() + 2 * graph.num_nodes()); };
  parallel_nodes(simple, work, [&](std::int64_t g, std::int64_t begin, std::int64_t end) {
    Walks walks(simple[g]);
    for (std::int64_t s = begin; s < end; s += kWalkLanes)
      walks.encode(s, std::min(end, s + kWalkLanes), steps, rows + (first_row[g] + s) * steps);
  });
  return encoding;
}

Tensor rwse(const Graph& graph, std::int64_t steps) {
  return rwse(std::span(&graph, 1), steps);
}

}  // namespace atto
