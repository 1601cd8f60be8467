#include "nn/adapters/sparse_map.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "nn/attention/row_tiles.hpp"
#include "nn/recompute.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/index/index.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/reduce/reduce.hpp"
#include "ops/shape/shape.hpp"

namespace atto {

// Some rows of a map: its edges, where they lie in the whole, the sequence of every row, and what was chosen of them.
struct SparseMapBuilder::Part {
  Graph graph;
  std::int64_t first_row = 0, first_sender = 0;
  Ragged sequences;
  std::vector<std::int32_t> kept, degree, sender;  // kept edges of the part; per row; of the whole
};

namespace {

constexpr std::int64_t kHidden = 128;

double distance_weight(const SparseMapOptions& o, double distance) {
  const double w = distance * o.distance_scale;
  switch (o.distance) {
    case DistanceScaling::sigmoid:
      return 1 / (1 + std::exp(-w));
    case DistanceScaling::exponential:
      return std::exp(w);
    case DistanceScaling::power:
      return std::pow(w + 1, o.distance_scale);
    case DistanceScaling::none:
      break;
  }
  return 1;
}

// The whole as one sequence where a support has none.
Ragged sequences_of(const Support& support) {
  return support.kind() == Support::Kind::edges ? Ragged::single(support.num_dst()) : support.queries();
}

SparseMap joined(std::int64_t nodes, const std::vector<std::int32_t>& degree, std::vector<std::int32_t> sender,
                 const std::vector<Var>& weights, DType dtype) {
  std::vector<std::int32_t> offsets{0};
  for (const std::int32_t count : degree) offsets.push_back(offsets.back() + count);
  SparseMap map{.graph = Graph::from_in_csr(nodes, std::move(offsets), std::move(sender)), .weights = {}};
  map.weights = weights.empty()       ? Var(Tensor::zeros(Shape{0}, dtype))
                : weights.size() == 1 ? weights[0]
                                      : concat(weights, 0);
  return map;
}

}  // namespace

SparseMapBuilder::SparseMapBuilder(const Scope& scope, std::int64_t heads, const SparseMapOptions& options)
    : Module(scope), options_(options), dropout_(scope, 0.1) {
  if (options.combine != CombineHeads::learned && options.combine != CombineHeads::learned_softmax) return;
  hidden_.emplace(scope / "hidden", heads, kHidden, LinearOptions{.activation = Activation::relu});
  output_.emplace(scope / "output", kHidden, 1);
}

// [E,H] -> [E]
Var SparseMapBuilder::combined(const Var& heads, const Graph& graph) const {
  switch (options_.combine) {
    case CombineHeads::sum: {
      const Var total = sum(heads, -1);
      return minimum(Var(Tensor::full(Shape{1}, 1.0, heads.dtype())), total);  // at 1 there is no gradient
    }
    case CombineHeads::mean:
      return mean(heads, -1);
    case CombineHeads::threshold_any:
      // sigmoid grows, so the largest weight has the largest.
      return sigmoid((max(heads, -1) - options_.threshold) / options_.any_temperature);
    case CombineHeads::learned:
    case CombineHeads::learned_softmax:
      break;
  }
  const Var scores = reshape((*output_)(dropout_((*hidden_)(heads))), {-1});
  return options_.combine == CombineHeads::learned ? sigmoid(scores) : edge_softmax(graph, scores);
}

// What the gate decides about.
Var SparseMapBuilder::scores(const Var& heads, const Part& part) const {
  Var a = combined(heads, part.graph);
  if (options_.distance != DistanceScaling::none) {
    std::vector<double> factor;
    const auto src = part.graph.in_src(), dst = part.graph.edge_dst();
    std::int64_t segment = 0;
    double largest = 1;
    for (std::size_t e = 0; e < src.size(); ++e) {
      const std::int64_t i = part.first_row + dst[e], j = part.first_sender + src[e];
      while (i >= part.sequences.end(segment)) ++segment;
      if (e == 0 || dst[e] != dst[e - 1]) {
        const double ends[] = {distance_weight(options_, 0),
                               distance_weight(options_, static_cast<double>(part.sequences.size(segment) - 1))};
        largest = std::max(ends[0], ends[1]);  // all of them grow or fall with distance
      }
      factor.push_back(distance_weight(options_, std::abs(static_cast<double>(i - j))) / largest);
    }
    a = a * Var(Tensor::from(factor).to(a.dtype()));
  }
  return options_.sharpness > 0 ? sigmoid((a - options_.threshold) * options_.sharpness) : a;
}

void SparseMapBuilder::choose(Part& part, const Tensor& scores) const {
  const auto src = part.graph.in_src(), dst = part.graph.edge_dst();
  part.degree.assign(static_cast<std::size_t>(part.graph.num_dst()), 0);
  visit_float(scores.dtype(), "SparseMap", [&]<class T>() {
    const T least = static_cast<T>(options_.gate.value_or(0));
    for (std::size_t e = 0; e < src.size(); ++e) {
      const std::int64_t i = part.first_row + dst[e], j = part.first_sender + src[e];
      if ((options_.gate && !(scores.data<T>()[e] > least)) || (options_.causal && j > i) ||
          (options_.remove_self && j == i))
        continue;
      part.kept.push_back(static_cast<std::int32_t>(e));
      part.sender.push_back(static_cast<std::int32_t>(j));
      ++part.degree[static_cast<std::size_t>(dst[e])];
    }
  });
}

SparseMap SparseMapBuilder::operator()(const Var& weights, const Graph& graph, const Ragged& sequences) const {
  const auto here = enter();
  Part part{.graph = graph, .sequences = sequences, .kept = {}, .degree = {}, .sender = {}};
  const Var all = scores(weights, part);
  choose(part, all.value());
  return joined(graph.num_nodes(), part.degree, part.sender, {gather_rows(all, Tensor::from(part.kept))}, all.dtype());
}

SparseMap SparseMapBuilder::operator()(const GraphAttention& attention, const AttentionInputs& inputs,
                                       const Support& support) const {
  const auto here = enter();
  if (support.num_dst() != support.num_src() ||
      (support.kind() != Support::Kind::edges && !(support.queries() == support.keys())))
    throw ShapeError(
        {.op = "SparseMap",
         .argument = "support",
         .got = std::to_string(support.num_dst()) + " receivers, " + std::to_string(support.num_src()) + " senders",
         .expected = "the same nodes on both sides",
         .hint = "a graph over the past needs all of it, not its last tokens"});
  const std::vector<RowTile> tiles = row_tiles(support, options_.tile_pairs);
  if (tiles.size() <= 1 || !attention.by_row()) {
    if (tiles.size() > 1)
      throw ValueError({.op = "SparseMap",
                        .argument = "attention",
                        .got = "one whose rows depend on each other",
                        .expected = "at most " + std::to_string(options_.tile_pairs) + " pairs for it",
                        .hint = "raise tile_pairs"});
    return (*this)(attention.map(inputs, support), support.graph(), sequences_of(support));
  }

  const EdgeView whole = attention.view(inputs, support);
  std::vector<std::int32_t> degree, sender;
  std::vector<Var> weights;
  for (const RowTile& tile : tiles) {
    const auto part = std::make_shared<Part>();
    part->first_row = tile.first_row;
    part->first_sender = tile.first_sender;
    part->sequences = sequences_of(support);
    const EdgeView rows = rows_of(whole, tile);
    std::vector<Var> inputs_of_tile{rows.query, rows.key, rows.value, rows.self, rows.source};
    const bool edges = rows.edge.defined();
    if (edges) inputs_of_tile.push_back(rows.edge);
    // The tile's map is made again in backward; what was chosen stays chosen.
    weights.push_back(recompute(
        scope(),
        [this, part, &attention, tile, edges, chosen = false](std::span<const Var> in) mutable {
          EdgeView view;
          view.query = in[0];
          view.key = in[1];
          view.value = in[2];
          view.self = in[3];
          view.source = in[4];
          if (edges) view.edge = in[5];
          list_rows(view, tile);
          part->graph = view.graph;
          const Var all = scores(attention.map(view), *part);
          if (!std::exchange(chosen, true)) choose(*part, all.value());
          part->graph = {};
          return gather_rows(all, Tensor::from(part->kept));
        },
        inputs_of_tile));
    degree.insert(degree.end(), part->degree.begin(), part->degree.end());
    sender.insert(sender.end(), part->sender.begin(), part->sender.end());
  }
  return joined(support.num_dst(), degree, std::move(sender), weights, whole.query.dtype());
}

}  // namespace atto
