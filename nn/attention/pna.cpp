#include "nn/attention/pna.hpp"

#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"
#include "nn/attention/places.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/edge/edge.hpp"
#include "ops/index/index.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/segment/cummax.hpp"
#include "ops/segment/segment.hpp"
#include "ops/shape/shape.hpp"

namespace atto {
namespace {

// v and v^2 side by side, so that one weighted sum gives both moments.
Var with_squares(const Var& value) {
  return concat({value, square(value)}, -1);
}

struct Moments {
  Var sum, mean, variance;
};
// `degree` [N,H], or undefined where it is 1.
Moments moments(const Var& sums, const Var& degree) {
  const std::int64_t width = sums.size(2) / 2;
  const Var sum = slice(sums, 2, 0, width), squares = slice(sums, 2, width, 2 * width);
  if (!degree.defined()) return {sum, sum, relu(squares - square(sum))};
  const Tensor counts = Tensor::empty(degree.shape(), degree.dtype()),
               ones = Tensor::empty(degree.shape(), degree.dtype());
  visit_float(degree.dtype(), "Pna", [&]<class T>() {
    for (std::int64_t i = 0; i < degree.value().numel(); ++i) {
      const bool nothing = degree.value().data<T>()[i] == 0;
      counts.data<T>()[i] = nothing ? T{0} : T{1};
      ones.data<T>()[i] = nothing ? T{1} : T{0};
    }
  });
  const Var divisor = reshape(degree * Var(counts) + Var(ones), Shape{degree.size(0), degree.size(1), 1});
  const Var mean = sum / divisor;
  return {sum, mean, relu(squares / divisor - square(mean))};
}

// int64 [N_dst,H,W]: where in `value` [N_src,H,W] the largest (smallest) number stands among the edges into i with a
// weight above `threshold`; undefined weights let every edge in. -1 where there is none; the first of equals.
Tensor winners(const Graph& graph, const Tensor& weights, double threshold, const Tensor& value, bool largest) {
  const std::int64_t heads = value.size(1), width = value.size(2), row = heads * width;
  const Tensor winner = Tensor::empty(Shape{graph.num_dst(), heads, width}, DType::int64);
  std::int64_t* place = winner.data<std::int64_t>();
  visit_float(value.dtype(), "winners", [&]<class T>() {
    const T* v = value.data<T>();
    const T* a = weights.defined() ? weights.data<T>() : nullptr;
    const T least = static_cast<T>(threshold);
    const std::int64_t work = row * (1 + graph.num_edges() / std::max<std::int64_t>(1, graph.num_dst()));
    parallel_for(graph.num_dst(), work, [&](std::int64_t begin, std::int64_t end) {
      std::fill(place + begin * row, place + end * row, std::int64_t{-1});
      for (std::int64_t i = begin; i < end; ++i)
        for (std::int64_t e = graph.in_offsets()[static_cast<std::size_t>(i)];
             e < graph.in_offsets()[static_cast<std::size_t>(i) + 1]; ++e) {
          const std::int64_t j = graph.in_src()[static_cast<std::size_t>(e)];
          for (std::int64_t c = 0; c < row; ++c) {
            if (a && !(a[e * heads + c / width] > least)) continue;
            std::int64_t& best = place[i * row + c];
            const T candidate = v[j * row + c];
            const bool better = best < 0 || (largest ? candidate > v[best] : candidate < v[best]);
            const bool first_nan =
                best >= 0 && std::isnan(candidate) && !std::isnan(v[best]);  // it wins, as in edge_max
            if (better || first_nan) best = j * row + c;
          }
        }
    });
  });
  return winner;
}

// Where there is no winner, place c of row own[i] instead (-1 stays -1).
void fill_empty(const Tensor& winner, const Tensor& own) {
  const std::int64_t row = winner.size(1) * winner.size(2);
  for (std::int64_t i = 0; i < winner.size(0); ++i)
    for (std::int64_t c = 0; c < row; ++c) {
      std::int64_t& place = winner.data<std::int64_t>()[i * row + c];
      const std::int64_t self = own.data<std::int64_t>()[i];
      if (place < 0 && self >= 0) place = self * row + c;
    }
}

Var numbers_at(const Var& value, const Tensor& places) {
  return gather_rows(reshape(value, {-1}), places, {.missing = true});
}
Var values_of_self(const EdgeView& view) {
  return are_their_own(*view.support) ? view.value
                                      : gather_rows(view.value, own_places(*view.support), {.missing = true});
}

class PnaReduce final : public SlotModule {
 public:
  explicit PnaReduce(const Pna& options) : options_(options) {}
  std::string name() const override { return options_.maximum == MaximumOf::self ? "pna (own maximum)" : "pna"; }
  std::int64_t width(std::int64_t in) const override { return 4 * in; }

  Var operator()(const EdgeView& view, const Var& weights) const override {
    const Moments m = moments(spmm(view.graph, weights, summands(view)), edge_sum(view.graph, weights));
    const bool positive = options_.neighbours == Neighbours::positive;
    const Tensor winner = winners(view.graph, positive ? weights.value() : Tensor(), 0, view.value.value(), true);
    const Tensor own = own_places(*view.support);
    if (options_.maximum == MaximumOf::self) keep_own(winner, own);
    if (options_.empty == WithoutNeighbours::own) fill_empty(winner, own);
    return side_by_side(m, numbers_at(view.value, winner));
  }

  bool fits(FusedOp op) const override {
    return op == FusedOp::ragged_attention && options_.neighbours == Neighbours::listed;
  }
  bool needs_unit_rows() const override { return true; }
  Var summands(const EdgeView& view) const override { return with_squares(view.value); }
  Var from_sums(const EdgeView& view, const Var& sums) const override {
    return side_by_side(moments(sums, {}), repeat_heads(maximum(view), sums.size(1)));
  }

 private:
  static Var side_by_side(const Moments& m, const Var& maximum) {
    return concat({m.sum, m.mean, maximum, m.variance}, -1);
  }
  // Winners of nodes that have one become the node's own value.
  static void keep_own(const Tensor& winner, const Tensor& own) {
    const std::int64_t row = winner.size(1) * winner.size(2);
    for (std::int64_t p = 0; p < winner.numel(); ++p) {
      std::int64_t& place = winner.data<std::int64_t>()[p];
      const std::int64_t self = own.data<std::int64_t>()[p / row];
      if (place >= 0) place = self < 0 ? -1 : self * row + p % row;
    }
  }
  // The maximum over all keys that a support of pairs or a causal one lists, without listing them.
  Var maximum(const EdgeView& view) const {
    const Support& support = *view.support;
    if (options_.maximum == MaximumOf::self) return values_of_self(view);
    const bool causal = support.kind() == Support::Kind::causal;
    if (!causal) {
      const Var most = segment_max(view.value, support.keys());  // zeros for no keys, who then are no node of their own
      return segment_broadcast(most, support.queries());
    }
    const Var running = segment_cummax(view.value, support.keys());
    return are_their_own(support) ? running : gather_rows(running, own_places(support), {.missing = true});
  }

  Pna options_;
};

class PnaLmReduce final : public SlotModule {
 public:
  explicit PnaLmReduce(const PnaLm& options) : options_(options) {}
  std::string name() const override { return "pna_lm"; }
  std::int64_t width(std::int64_t in) const override { return 4 * in; }

  Var operator()(const EdgeView& view, const Var& weights) const override {
    const Var degree = edge_sum(view.graph, weights);
    const Moments m = moments(spmm(view.graph, weights, with_squares(view.value)), degree);
    const Var most = chosen(view, weights.value(), degree.value(), true),
              least = chosen(view, weights.value(), degree.value(), false);
    return concat({m.mean, most, m.variance, least}, -1);
  }

 private:
  // The values of the senders whose length is extreme, one per node and head.
  Var chosen(const EdgeView& view, const Tensor& weights, const Tensor& degree, bool largest) const {
    const std::int64_t heads = view.value.size(1), width = view.value.size(2);
    const Tensor winner =
        winners(view.graph, weights, options_.threshold, squared_lengths(view.value.value()), largest);
    const Tensor own = own_places(*view.support);
    std::int64_t* place = winner.data<std::int64_t>();
    visit_float(degree.dtype(), "PnaLm", [&]<class T>() {
      for (std::int64_t p = 0; p < winner.numel(); ++p) {
        const std::int64_t i = p / heads, h = p % heads, self = own.data<std::int64_t>()[i];
        if (degree.data<T>()[p] == 0) place[p] = self < 0 ? -1 : self * heads + h;
        else if (place[p] < 0)
          place[p] =
              view.graph.in_src()[static_cast<std::size_t>(view.graph.in_offsets()[static_cast<std::size_t>(i)])] *
                  heads +
              h;
      }
    });
    const Var rows = gather_rows(reshape(view.value, {-1, width}), winner.reshape({-1}), {.missing = true});
    return reshape(rows, Shape{view.graph.num_dst(), heads, width});
  }
  static Tensor squared_lengths(const Tensor& value) {
    const Tensor lengths = Tensor::zeros(value.shape().with(2, 1), value.dtype());
    visit_float(value.dtype(), "PnaLm", [&]<class T>() {
      for (std::int64_t p = 0; p < value.numel(); ++p) {
        const T v = value.data<T>()[p];
        lengths.data<T>()[p / value.size(2)] += v * v;
      }
    });
    return lengths;
  }

  PnaLm options_;
};

}  // namespace

SlotPointer Pna::build(const Scope&, const AttentionSizes&) const {
  return std::make_shared<PnaReduce>(*this);
}
SlotPointer PnaLm::build(const Scope&, const AttentionSizes&) const {
  return std::make_shared<PnaLmReduce>(*this);
}

}  // namespace atto
