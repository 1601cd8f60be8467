#include "nn/attention/differential.hpp"

#include <cmath>
#include <vector>

#include "nn/init.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/segment/segment.hpp"
#include "ops/shape/shape.hpp"

namespace atto {
namespace {

// The edges of every segment, and how many pairs a full map of it has.
struct MapSegments {
  Ragged edges;
  std::vector<double> pairs;
};
MapSegments segments_of(const EdgeView& view) {
  const Graph& graph = view.graph;
  if (!view.support || view.support->kind() == Support::Kind::edges)
    return {Ragged::single(graph.num_edges()),
            {static_cast<double>(graph.num_dst()) * static_cast<double>(graph.num_src())}};
  const Ragged &queries = view.support->queries(), &keys = view.support->keys();
  MapSegments segments;
  std::vector<std::int64_t> offsets;
  for (const std::int64_t row : queries.offsets()) offsets.push_back(graph.in_offsets()[static_cast<std::size_t>(row)]);
  segments.edges = Ragged(std::move(offsets));
  for (std::int64_t s = 0; s < queries.count(); ++s)
    segments.pairs.push_back(static_cast<double>(queries.size(s)) * static_cast<double>(keys.size(s)));
  return segments;
}

class DifferentialStage final : public SlotModule {
 public:
  DifferentialStage(const Scope& scope, const AttentionSizes& sizes, const Differential& o)
      : heads_(sizes.heads),
        initial_(o.lambda.value_or(initial_lambda(o.layer, o.count))),
        insist_(o.insist),
        lambda_(scope.parameter("lambda", Shape{1}, init::constant(initial_))),
        norm_weight_(o.group_norm ? scope.parameter("norm_weight", Shape{heads_}, init::ones()) : Parameter::none()),
        norm_bias_(o.group_norm ? scope.parameter("norm_bias", Shape{heads_}, init::zeros()) : Parameter::none()),
        map_(o.map.build(scope, sizes)) {
    if (map_->maps() != 1)
      throw ValueError({.op = "Differential",
                        .argument = "map",
                        .got = map_->name(),
                        .expected = "a normaliser of one map",
                        .hint = {}});
  }

  std::string name() const override {
    return "differential" + (map_->name().empty() ? "" : " " + map_->name()) +
           (norm_weight_.defined() ? ", normed" : "");
  }
  std::int64_t maps() const override { return 2; }
  Var merge(const Var& maps) const override {
    return slice(maps, 1, 0, heads_) - slice(maps, 1, heads_, 2 * heads_) * lambda_.var();
  }
  Var operator()(const EdgeView& view, const Var& logits) const override {
    const Var weights = merge((*map_)(view, logits));
    return norm_weight_.defined() ? normed(view, weights) : weights;
  }
  bool fits(FusedOp op) const override {
    return op == FusedOp::ragged_attention && !norm_weight_.defined() && map_->fits(op);
  }
  void fill(RaggedForm& form) const override { map_->fill(form); }
  std::string looks_ahead() const override {
    return norm_weight_.defined() && !insist_ ? "its norm has statistics of whole maps" : map_->looks_ahead();
  }
  bool by_row() const override { return !norm_weight_.defined() && map_->by_row(); }

 private:
  // Mean and biased variance of a full map: of its E listed entries and of zeros.
  Var normed(const EdgeView& view, const Var& weights) const {
    constexpr double kEpsilon = 1e-5;
    const MapSegments segments = segments_of(view);
    const auto count = static_cast<std::int64_t>(segments.pairs.size());
    std::vector<double> reciprocal, unlisted;
    for (std::int64_t s = 0; s < count; ++s) {
      const double pairs = segments.pairs[static_cast<std::size_t>(s)];
      reciprocal.push_back(pairs > 0 ? 1 / pairs : 0);
      unlisted.push_back(pairs - static_cast<double>(segments.edges.size(s)));
    }
    const auto column = [&](const std::vector<double>& values) {
      return Var(Tensor::from(values, Shape{count, 1}).to(weights.dtype()));
    };
    const Var mean = segment_sum(weights, segments.edges) * column(reciprocal);
    const Var centred = weights - segment_broadcast(mean, segments.edges);
    const Var variance =
        (segment_sum(square(centred), segments.edges) + square(mean) * column(unlisted)) * column(reciprocal);
    const Var scaled = centred * segment_broadcast(rsqrt(variance + kEpsilon), segments.edges);
    return (scaled * norm_weight_.var() + norm_bias_.var()) * (1 - initial_);
  }

  std::int64_t heads_;
  double initial_;
  bool insist_;
  Parameter lambda_, norm_weight_, norm_bias_;
  SlotPointer map_;
};

}  // namespace

double initial_lambda(std::int64_t layer, LayerCount count) {
  const auto l = static_cast<double>(count == LayerCount::from_one ? layer : layer - 1);
  return 0.8 - 0.6 * std::exp(-0.3 * l);
}

SlotPointer Differential::build(const Scope& scope, const AttentionSizes& sizes) const {
  return std::make_shared<DifferentialStage>(scope, sizes, *this);
}

}  // namespace atto
