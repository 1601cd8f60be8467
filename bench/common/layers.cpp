// Single operations and layers: attention over all pairs, GAT, SpMM.

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

#include "autograd/tape.hpp"
#include "bench/common/made.hpp"
#include "bench/common/workload.hpp"
#include "graph/distances.hpp"
#include "nn/attention/gat_conv.hpp"
#include "ops/edge/edge.hpp"
#include "ops/hop_decay/hop_decay.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"

namespace atto::bench {
namespace {

// A computation whose result is multiplied by a fixed seed and differentiated.
class Differentiated : public Workload {
 public:
  void repeat() override {
    for (const NamedParameter& leaf : leaves_) leaf.value.zero_grad();
    backward(forward(), seed_);
  }
  std::vector<double> check(int) override {
    for (const NamedParameter& leaf : leaves_) leaf.value.zero_grad();
    const Var y = forward();
    backward(y, seed_);
    std::vector<double> numbers{dot(y.value(), seed_)};
    for (const NamedParameter& leaf : leaves_) numbers.push_back(norm(leaf.value.grad()));
    return numbers;
  }
  std::vector<NamedTensor> inputs() const override {
    std::vector<NamedTensor> all = more_;
    all.push_back({"seed", seed_});
    for (const NamedParameter& leaf : leaves_) all.push_back({leaf.name, leaf.value.value()});
    return all;
  }

 protected:
  virtual Var forward() const = 0;
  const Var& leaf(const std::string& name, const Tensor& value) {
    leaves_.push_back({name, Var::leaf(value)});
    return leaves_.back().value;
  }

  Tensor seed_;
  std::vector<NamedParameter> leaves_;  // in the order of check()
  std::vector<NamedTensor> more_;
};

// Scaled dot products times a decay mask whose radius per head is learned. Gradients to queries, keys, values and
// radius.
class Attention final : public Differentiated {
 public:
  Attention(std::int64_t graphs, std::int64_t nodes, std::int64_t heads, std::int64_t width) {
    const EqualMolecules made = equal_molecules(graphs, nodes);
    ragged_ = made.ragged;
    plane_ = made.plane;
    const Shape shape{ragged_.total(), heads, width};
    q_ = leaf("q", random_tensor(shape, 1));
    k_ = leaf("k", random_tensor(shape, 2));
    v_ = leaf("v", random_tensor(shape, 3));
    // Between whole numbers, where the mask has a derivative, and different for each head.
    Tensor hop = Tensor::empty({heads});
    for (std::int64_t h = 0; h < heads; ++h) hop.data<float>()[h] = 1.5F + static_cast<float>(h);
    hop_ = leaf("hop", hop);
    seed_ = random_tensor(shape, 4);
    more_ = {{"hops", plane_.values.reshape({graphs, nodes, nodes})}};
  }

 private:
  Var forward() const override {
    return ragged_attention(q_, k_, v_, ragged_, ragged_, plane_, {.multiply = hop_decay(hop_, {.gamma = 0.6})});
  }

  Ragged ragged_;
  BucketPlane plane_;
  Var q_, k_, v_, hop_;
};

// One sequence, causal, without a mask: what PyTorch has a kernel for.
class CausalAttention final : public Differentiated {
 public:
  CausalAttention(std::int64_t length, std::int64_t heads, std::int64_t width)
      : ragged_(Ragged::from_sizes(std::vector<std::int64_t>{length})) {
    const Shape shape{length, heads, width};
    q_ = leaf("q", random_tensor(shape, 1));
    k_ = leaf("k", random_tensor(shape, 2));
    v_ = leaf("v", random_tensor(shape, 3));
    seed_ = random_tensor(shape, 4);
  }

 private:
  Var forward() const override { return ragged_attention(q_, k_, v_, ragged_, ragged_, {}, {}, {}, {.causal = true}); }

  Ragged ragged_;
  Var q_, k_, v_;
};

// A whole GAT layer, projection included, with a gradient to its input.
class Gat final : public Differentiated {
 public:
  Gat(std::int64_t nodes, std::int64_t edges, std::int64_t heads, std::int64_t width)
      : root_({.seed = 3}),
        layer_(root_, heads * width, heads * width, {.heads = heads}),
        graph_(random_graph(nodes, edges, true)) {
    x_ = leaf("x", random_tensor({nodes, heads * width}, 1));
    for (const NamedParameter& parameter : root_.parameters()) leaves_.push_back(parameter);
    seed_ = random_tensor({nodes, heads * width}, 4);
    more_ = {{"src", sources(graph_)}, {"dst", destinations(graph_)}};
  }

 private:
  Var forward() const override { return layer_(x_, graph_); }

  Model root_;
  GatConv layer_;
  Graph graph_;
  Var x_;
};

// y_i = sum of w_ij x_j; with `both` also the gradients to w and x.
class Spmm final : public Differentiated {
 public:
  Spmm(const Graph& graph, std::int64_t width, bool both) : both_(both), graph_(graph.coalesced().graph) {
    const Shape shape{graph_.num_nodes(), width};
    x_ = leaf("x", random_tensor(shape, 1));
    w_ = leaf("w", random_tensor({graph_.num_edges()}, 2));
    seed_ = random_tensor(shape, 4);
    std::vector<std::int32_t> offsets(graph_.in_offsets().begin(), graph_.in_offsets().end());
    more_ = {{"src", sources(graph_)}, {"offsets", Tensor::from(offsets)}};
  }
  void repeat() override {
    if (both_) return Differentiated::repeat();
    const NoGrad no_grad;
    forward();
  }

 private:
  Var forward() const override { return spmm(graph_, w_, x_); }

  bool both_;
  Graph graph_;
  Var x_, w_;
};

// "spmm-12k-64" -> 64 for the prefix "spmm-12k-".
std::optional<std::int64_t> number_after(const std::string& name, const std::string& prefix) {
  std::int64_t number = 0;
  if (!name.starts_with(prefix)) return std::nullopt;
  const auto result = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
  return result.ec == std::errc() && result.ptr == name.data() + name.size() ? std::optional(number) : std::nullopt;
}

}  // namespace

std::unique_ptr<Workload> make_attention(const std::string& name, const WorkloadOptions& options) {
  struct Size {
    std::int64_t graphs, nodes, heads, width;
  };
  for (const Size& s : {Size{128, 25, 8, 8}, Size{32, 32, 8, 16}, Size{8, 128, 8, 16}, Size{2, 512, 4, 16}})
    if (name == fmt::format("attention-{}", s.nodes))
      return options.quick ? std::make_unique<Attention>(2, std::min<std::int64_t>(s.nodes, 32), s.heads, s.width)
                           : std::make_unique<Attention>(s.graphs, s.nodes, s.heads, s.width);
  for (const std::int64_t length : {256, 512, 1024, 2048})
    if (name == fmt::format("causal-{}", length))
      return std::make_unique<CausalAttention>(options.quick ? length / 8 : length, 8, 64);
  return nullptr;
}

std::unique_ptr<Workload> make_gat(const std::string& name, const WorkloadOptions& options) {
  if (name == "gat-100") return std::make_unique<Gat>(100, 320, 8, 8);
  const std::int64_t divisor = options.quick ? 100 : 1;
  if (name == "gat-12k") return std::make_unique<Gat>(12500 / divisor, 40500 / divisor, 8, 8);
  if (name == "gat-100k") return std::make_unique<Gat>(100000 / divisor, 1000000 / divisor, 4, 16);
  return nullptr;
}

std::unique_ptr<Workload> make_spmm(const std::string& name, const WorkloadOptions& options) {
  const bool both = name.ends_with("-both");
  const std::string forward = both ? name.substr(0, name.size() - 5) : name;
  const std::int64_t divisor = options.quick ? 100 : 1;
  if (const auto width = number_after(forward, "spmm-12k-"))
    return std::make_unique<Spmm>(random_graph(12500 / divisor, 40500 / divisor, false), *width, both);
  if (const auto width = number_after(forward, "spmm-100k-"))
    return std::make_unique<Spmm>(random_graph(100000 / divisor, 1000000 / divisor, false), *width, both);
  if (const auto width = number_after(forward, "spmm-molecules-"))
    return std::make_unique<Spmm>(batch_of_molecules(500 / divisor, 25), *width, both);
  return nullptr;
}

}  // namespace atto::bench
