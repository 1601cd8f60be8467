#include "nn/attention/adjacency_gates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "nn/attention/places.hpp"
#include "nn/attention/weights.hpp"
#include "nn/init.hpp"
#include "nn/names.hpp"

namespace atto {
namespace {

class AdjacencyGate final : public SlotModule {
 public:
  AdjacencyGate(const Scope& scope, const Adjacency& o)
      : options_{.mode = o.mode, .threshold = o.threshold, .sharpness = o.sharpness, .binary_scale = o.binary_scale},
        threshold_(o.learn_threshold ? scope.parameter("threshold", Shape{1}, init::constant(o.threshold))
                                     : Parameter::none()) {}
  std::string name() const override { return "adjacency (" + std::string(name_of(options_.mode)) + ")"; }
  Var operator()(const EdgeView&, const Var& weights) const override {
    return adjacency(weights, options_, threshold_);
  }

 private:
  AdjacencyOptions options_;
  Parameter threshold_;
};

// Ones on the count(i, listed) largest of the edges into i that `counts(i, e)` lets in, for every head; of equals the
// first. A constant: no gradient goes through a choice.
template <class Count, class Counts>
Var chosen(const Graph& graph, const Tensor& weights, double threshold, Count&& count, Counts&& counts) {
  const std::int64_t heads = weights.size(1);
  const Tensor mask = Tensor::zeros(weights.shape(), weights.dtype());
  visit_float(weights.dtype(), "TopK", [&]<class T>() {
    const T* a = weights.data<T>();
    const auto least = static_cast<T>(threshold);
    const std::int64_t work = heads * 20 * (1 + graph.num_edges() / std::max<std::int64_t>(1, graph.num_dst()));
    parallel_for(graph.num_dst(), work, [&](std::int64_t begin, std::int64_t end) {
      std::vector<std::int64_t> row;
      for (std::int64_t i = begin; i < end; ++i)
        for (std::int64_t h = 0; h < heads; ++h) {
          row.clear();
          for (std::int64_t e = graph.in_offsets()[static_cast<std::size_t>(i)];
               e < graph.in_offsets()[static_cast<std::size_t>(i) + 1]; ++e)
            if (counts(i, graph.in_src()[static_cast<std::size_t>(e)])) row.push_back(e);
          const auto listed = static_cast<std::int64_t>(row.size());
          const std::int64_t k = std::min(listed, count(i, listed));
          const auto value = [&](std::int64_t e) { return a[e * heads + h] < least ? T{0} : a[e * heads + h]; };
          std::partial_sort(row.begin(), row.begin() + k, row.end(), [&](std::int64_t e, std::int64_t f) {
            return value(e) != value(f) ? value(e) > value(f) : e < f;
          });
          for (std::int64_t n = 0; n < k; ++n) mask.data<T>()[row[static_cast<std::size_t>(n)] * heads + h] = T{1};
        }
    });
  });
  return mask;
}

void check_fraction(const char* op, double fraction) {
  if (!(fraction > 0 && fraction <= 1))
    throw ValueError({.op = op,
                      .argument = "fraction",
                      .got = std::to_string(fraction),
                      .expected = "0 < fraction <= 1",
                      .hint = {}});
}

class TopKGate final : public SlotModule {
 public:
  explicit TopKGate(const TopK& options) : options_(options) { check_fraction("TopK", options.fraction); }
  std::string name() const override { return "top_k"; }
  Var operator()(const EdgeView& view, const Var& weights) const override {
    const std::vector<std::int64_t> counts = counts_of_rows(view);
    constexpr double kNone = -std::numeric_limits<double>::infinity();
    return chosen(
        view.graph, weights.value(), kNone,
        [&](std::int64_t i, std::int64_t) { return counts[static_cast<std::size_t>(i)]; },
        [](std::int64_t, std::int64_t) { return true; });
  }
  std::string looks_ahead() const override {
    return options_.insist ? "" : "how many it keeps depends on the length of the whole sequence";
  }
  bool by_row() const override { return false; }

 private:
  std::vector<std::int64_t> counts_of_rows(const EdgeView& view) const {
    const auto of = [&](std::int64_t senders) {
      return std::max<std::int64_t>(1, static_cast<std::int64_t>(options_.fraction * static_cast<double>(senders)));
    };
    const Support& support = *view.support;
    std::vector<std::int64_t> counts(static_cast<std::size_t>(support.num_dst()), of(support.num_src()));
    if (support.kind() == Support::Kind::edges) return counts;
    for (std::int64_t s = 0; s < support.queries().count(); ++s)
      std::fill(counts.begin() + support.queries().begin(s), counts.begin() + support.queries().end(s),
                of(support.keys().size(s)));
    return counts;
  }

  TopK options_;
};

class PrecedingTopKGate final : public SlotModule {
 public:
  explicit PrecedingTopKGate(const PrecedingTopK& options) : options_(options) {
    check_fraction("PrecedingTopK", options.fraction);
  }
  std::string name() const override { return "preceding_top_k"; }
  Var operator()(const EdgeView& view, const Var& weights) const override {
    const Tensor own = own_places(*view.support);
    return chosen(
        view.graph, weights.value(), options_.threshold,
        [&](std::int64_t, std::int64_t others) {
          return std::max<std::int64_t>(
              1, static_cast<std::int64_t>(std::ceil(options_.fraction * static_cast<double>(others))));
        },
        [&](std::int64_t i, std::int64_t j) { return own.data<std::int64_t>()[i] != j; });
  }
  bool incremental() const override { return true; }
  bool by_row() const override { return false; }  // some rows alone do not tell which sender a node is

 private:
  PrecedingTopK options_;
};

enum class Mode {
  none,
  relu,
  silu,
  softplus,
  sharp_softplus,
  sigmoid,
  flowthreshold,
  binary,
  top_k,
  preceding,
  silu_plus_binary,
  silu_below,
  relu_below,
  softplus_below,
};
constexpr Names<Mode, 14> kModes{"adjacency",
                                 {{{Mode::none, "none"},
                                   {Mode::relu, "relu"},
                                   {Mode::silu, "silu"},
                                   {Mode::softplus, "softplus"},
                                   {Mode::sharp_softplus, "sharp_softplus"},
                                   {Mode::sigmoid, "sigmoid_elementwise"},
                                   {Mode::flowthreshold, "flowthreshold"},
                                   {Mode::binary, "binary"},
                                   {Mode::top_k, "top_k"},
                                   {Mode::preceding, "scaled_topk_causal_4d"},
                                   {Mode::silu_plus_binary, "silu+binary"},
                                   {Mode::silu_below, "silu_below_binary_above"},
                                   {Mode::relu_below, "relu_below_binary_above"},
                                   {Mode::softplus_below, "softplus_below_binary_above"}}}};

AdjacencyMode pointwise_mode(Mode mode) {
  switch (mode) {
    case Mode::relu:
      return AdjacencyMode::relu;
    case Mode::silu:
      return AdjacencyMode::silu;
    case Mode::softplus:
      return AdjacencyMode::softplus;
    case Mode::sigmoid:
      return AdjacencyMode::sigmoid;
    case Mode::flowthreshold:
      return AdjacencyMode::flowthreshold;
    case Mode::binary:
      return AdjacencyMode::binary;
    case Mode::silu_plus_binary:
      return AdjacencyMode::silu_plus_binary;
    case Mode::silu_below:
      return AdjacencyMode::silu_below_binary_above;
    case Mode::relu_below:
      return AdjacencyMode::relu_below_binary_above;
    case Mode::softplus_below:
      return AdjacencyMode::softplus_below_binary_above;
    default:
      return AdjacencyMode::sharp_softplus;
  }
}

}  // namespace

SlotPointer Adjacency::build(const Scope& scope, const AttentionSizes&) const {
  return std::make_shared<AdjacencyGate>(scope, *this);
}
SlotPointer TopK::build(const Scope&, const AttentionSizes&) const {
  return std::make_shared<TopKGate>(*this);
}
SlotPointer PrecedingTopK::build(const Scope&, const AttentionSizes&) const {
  return std::make_shared<PrecedingTopKGate>(*this);
}

Choice<GateKind> adjacency_gate(std::string_view name, const AdjacencyGateOptions& o) {
  const Mode mode = kModes.parse(name);
  if (mode == Mode::none) return NoGate{};
  if (mode == Mode::top_k) return TopK{.fraction = o.fraction, .insist = o.insist};
  if (mode == Mode::preceding) return PrecedingTopK{.fraction = o.fraction, .threshold = o.threshold};
  return Adjacency{.mode = pointwise_mode(mode),
                   .threshold = o.threshold,
                   .learn_threshold = o.learn_threshold,
                   .sharpness = o.sharpness,
                   .binary_scale = mode == Mode::binary ? 1 : o.binary_scale};
}

}  // namespace atto
