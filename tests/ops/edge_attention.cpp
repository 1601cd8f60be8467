#include "ops/edge_attention/edge_attention.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "autograd/tape.hpp"
#include "tests/ops/graphs.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

using namespace atto;
using namespace atto::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t kBuckets = 5;

struct Terms {
  bool multiply = false, add = false, bias = false;
};

Tensor some_buckets(std::int64_t edges) {
  Tensor buckets = Tensor::zeros(Shape{edges}, DType::uint8);
  for (std::int64_t e = 0; e < edges; ++e)
    buckets.data<std::uint8_t>()[e] = static_cast<std::uint8_t>(e * 7 % kBuckets);
  return buckets;
}

// q, k, v, then the terms that there are.
EdgeAttentionTerms terms_of(std::span<const Var> in, const Terms& which, const Tensor& buckets) {
  std::size_t next = 3;
  const auto take = [&](bool given) { return given ? in[next++] : Var(); };
  const Var multiply = take(which.multiply), add = take(which.add), bias = take(which.bias);
  return {.multiply = multiply, .add = add, .bias = bias, .buckets = buckets};
}

// Edge by edge from the definition.
Tensor attention(const Graph& g, std::span<const Tensor> in, const Terms& which, const Tensor& buckets,
                 const EdgeAttentionOptions& options) {
  const std::int64_t heads = in[0].size(1), depth = in[0].size(2), width = heads * depth;
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(depth)));
  const auto logit = [&](std::int64_t e, std::int64_t i, std::int64_t j, std::int64_t h) {
    double z = 0;
    for (std::int64_t d = 0; d < depth; ++d)
      z += at(in[0], i, h * depth + d, width) * at(in[1], j, h * depth + d, width);
    z *= scale;
    if (options.clip > 0) z = std::max(-options.clip, std::min(options.clip, z));
    std::size_t next = 3;
    const auto bucket = [&] { return buckets.data<std::uint8_t>()[e]; };
    if (which.multiply) z *= at(in[next++], h, bucket(), kBuckets);
    if (which.add) z += at(in[next++], h, bucket(), kBuckets);
    if (which.bias) z += at(in[next], e, h, heads);
    return z;
  };
  std::vector<double> total(static_cast<std::size_t>(g.num_dst() * heads), 0.0);
  for_edges(g, [&](auto e, auto i, auto j) {
    for (std::int64_t h = 0; h < heads; ++h)
      total[static_cast<std::size_t>(i * heads + h)] += std::exp(logit(e, i, j, h));
  });
  return node_sums(g, in[0].shape(), width, [&](auto e, auto i, auto j, auto c) {
    const double sum = total[static_cast<std::size_t>(i * heads + c / depth)];
    return sum == 0 ? 0.0 : std::exp(logit(e, i, j, c / depth)) / sum * at(in[2], j, c, width);
  });
}

std::vector<Tensor> inputs_for(const Graph& g, const Terms& which, std::int64_t heads, std::int64_t depth) {
  const Shape queries{g.num_dst(), heads, depth}, keys{g.num_src(), heads, depth};
  std::vector<Tensor> inputs{uniform(queries, -1, 1, 1), uniform(keys, -1, 1, 2), uniform(keys, -1, 1, 3)};
  if (which.multiply) inputs.push_back(uniform(Shape{heads, kBuckets}, 0.2, 1, 4));
  if (which.add) inputs.push_back(uniform(Shape{heads, kBuckets}, -1, 1, 5));
  if (which.bias) inputs.push_back(uniform(Shape{g.num_edges(), heads}, -1, 1, 6));
  return inputs;
}

void add_case(std::vector<OpCase>& cases, const std::string& name, const Graph& g, const Terms& which,
              std::int64_t heads, std::int64_t depth, const EdgeAttentionOptions& options = {}) {
  const Tensor buckets = some_buckets(g.num_edges());
  std::vector<Tensor> inputs = inputs_for(g, which, heads, depth);
  if (options.clip > 0)  // quarters: no score comes near a limit that lies between their products
    for (const std::size_t i : {0, 1})
      for (double& x : inputs[i].values<double>()) x = std::round(x * 4) / 4;
  cases.push_back({.op = "edge_attention",
                   .name = name,
                   .inputs = inputs,
                   .run =
                       [=](std::span<const Var> in) {
                         return edge_attention(g, in[0], in[1], in[2], terms_of(in, which, buckets), options);
                       },
                   .expected = [=](std::span<const Tensor> in) { return attention(g, in, which, buckets, options); },
                   .magnitude =
                       [=](std::span<const Tensor>) {
                         return Tensor::full(Shape{g.num_dst(), heads, depth}, 1, DType::float64);
                       },
                   // A hub adds ten thousand exponentials one after the other.
                   .k = g.num_edges() > 1000 ? 200.0 : 8.0 + static_cast<double>(depth),
                   .reference =
                       [=](std::span<const Var> in) {
                         return edge_attention_reference(g, in[0], in[1], in[2], terms_of(in, which, buckets), options);
                       }});
}

const RegisterCases cases([] {
  std::vector<OpCase> all;
  const Terms none{}, every{.multiply = true, .add = true, .bias = true};
  for (const NamedGraph& named : small_graphs()) {
    add_case(all, named.name, named.graph, none, 2, 3);
    add_case(all, named.name + ", all terms", named.graph, every, 2, 3);
    add_case(all, named.name + ", heads in registers", named.graph, every, 8, 8);
  }
  // Heads that fill registers of every instruction set, halves of them, parts, and those that overlap.
  for (const auto& [heads, depth] : {std::pair{1, 1},
                                     {1, 5},
                                     {8, 8},
                                     {16, 8},
                                     {4, 16},
                                     {4, 32},
                                     {8, 16},
                                     {4, 4},
                                     {4, 8},
                                     {12, 8},
                                     {3, 32},
                                     {5, 12},
                                     {16, 4},
                                     {11, 2},
                                     {20, 1},
                                     {1, 67},
                                     {1, 64}})
    for (const Terms& which : {none, every})
      add_case(all, "H " + std::to_string(heads) + ", D " + std::to_string(depth) + (which.bias ? ", all terms" : ""),
               random_square(12, 40, 7), which, heads, depth);
  const Graph g = random_square(20, 80, 3);
  for (const std::int64_t depth : {8, 3}) {
    const std::string text = "D " + std::to_string(depth) + ", ";
    add_case(all, text + "multiply", g, {.multiply = true}, 8, depth);
    add_case(all, text + "add", g, {.add = true}, 8, depth);
    add_case(all, text + "bias", g, {.bias = true}, 8, depth);
    add_case(all, text + "scale", g, {.add = true}, 8, depth, {.scale = 0.7});
    add_case(all, text + "clip", g, every, 8, depth, {.scale = 0.5, .clip = 0.11});
  }
  add_case(all, "no depth", g, every, 2, 0);
  add_case(all, "no heads", g, every, 0, 3);
  add_case(all, "several blocks", random_square(300, 1000, 7), every, 2, 3);
  add_case(all, "several blocks, heads in registers", random_square(300, 1000, 7), every, 4, 16);
  add_case(all, "bipartite", random_bipartite(7, 12, 50, 5), every, 8, 8);
  add_case(all, "hub", hub(50, 10000), {.add = true}, 2, 3);
  add_case(all, "hub, heads in registers", hub(50, 10000), {.add = true}, 8, 8);
  return all;
});

const RegisterErrors errors([] {
  const Graph g = Graph::from_edges(3, {{0, 1}, {1, 2}});
  const Tensor x = Tensor::zeros(Shape{3, 2, 4}), table = Tensor::zeros(Shape{2, 3});
  const auto buckets = [](std::vector<std::uint8_t> values) { return Tensor::from(values); };
  const auto call = [=](const EdgeAttentionTerms& terms, const EdgeAttentionOptions& options = {}) {
    return [=] { edge_attention(g, x, x, x, terms, options); };
  };
  return std::vector<OpError>{
      {.op = "edge_attention",
       .name = "keys",
       .call =
           [=] {
             edge_attention(g, x, Tensor::zeros(Shape{4, 2, 4}), x);
           },
       .text = "N = 3"},
      {.op = "edge_attention",
       .name = "depth",
       .call =
           [=] {
             edge_attention(g, x, x, Tensor::zeros(Shape{3, 2, 5}));
           },
       .text = "D = 4"},
      {.op = "edge_attention", .name = "bias", .call = call({.bias = Tensor::zeros(Shape{3, 2})}), .text = "E = 2"},
      {.op = "edge_attention", .name = "no buckets", .call = call({.add = table}), .text = "the bucket of every edge"},
      {.op = "edge_attention",
       .name = "too few buckets",
       .call = call({.add = table, .buckets = buckets({1})}),
       .text = "uint8[2]"},
      {.op = "edge_attention",
       .name = "bucket outside",
       .call = call({.multiply = table, .buckets = buckets({1, 3})}),
       .text = "bucket of edge 1"},
      {.op = "edge_attention",
       .name = "tables of two sizes",
       .call = call({.multiply = table, .add = Tensor::zeros(Shape{2, 4}), .buckets = buckets({1, 1})}),
       .text = "add"},
      {.op = "edge_attention",
       .name = "table too large",
       .call = call({.add = Tensor::zeros(Shape{2, 257}), .buckets = buckets({1, 1})}),
       .text = "B <= 256"},
      {.op = "edge_attention", .name = "dropout", .call = call({}, {.dropout = 1}), .text = "dropout"},
      {.op = "edge_attention", .name = "clip", .call = call({}, {.clip = -1}), .text = "clip"}};
});

struct Results {
  Tensor value;
  std::vector<Tensor> gradients;
};

Results results(bool reference, const Graph& g, const std::vector<Tensor>& inputs, const Terms& which,
                const EdgeAttentionOptions& options) {
  std::vector<Var> leaves;
  for (const Tensor& input : inputs) leaves.push_back(Var::leaf(input.clone()));
  const EdgeAttentionTerms terms = terms_of(leaves, which, some_buckets(g.num_edges()));
  const Var y = reference ? edge_attention_reference(g, leaves[0], leaves[1], leaves[2], terms, options)
                          : edge_attention(g, leaves[0], leaves[1], leaves[2], terms, options);
  backward(y, uniform(y.shape(), -1, 1, 9).to(y.dtype()));
  Results all{y.value(), {}};
  for (const Var& leaf : leaves) all.gradients.push_back(leaf.grad());
  return all;
}

void check_same(const Results& a, const Results& b, double tolerance) {
  CHECK(mismatch(a.value, b.value, Tensor::full(b.value.shape(), 1, DType::float64), tolerance) == "");
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    INFO("input " << i);
    CHECK(mismatch(a.gradients[i], b.gradients[i], Tensor::full(b.gradients[i].shape(), 1, DType::float64),
                   10 * tolerance) == "");
  }
}

const Terms kEvery{.multiply = true, .add = true, .bias = true};

}  // namespace

TEST_CASE("edge_attention drops the same weights as its reference, and sends back what was kept") {
  const Graph g = random_square(30, 200, 8);
  for (const std::int64_t depth : {8, 3}) {
    const EdgeAttentionOptions options{.dropout = 0.4, .random = {.seed = 3, .stream = 9}};
    const std::vector<Tensor> inputs = inputs_for(g, kEvery, 8, depth);
    check_same(results(false, g, inputs, kEvery, options), results(true, g, inputs, kEvery, options), 1e-12);
    std::vector<Tensor> narrow;
    for (const Tensor& input : inputs) narrow.push_back(input.to(DType::float32));
    check_same(results(false, g, narrow, kEvery, options), results(true, g, inputs, kEvery, options), 1e-5);
  }
}

TEST_CASE("edge_attention gives zeros and no gradient to a row that is masked, and masked edges no weight") {
  const Graph g = random_square(30, 200, 8);
  for (const DType dtype : {DType::float32, DType::float64})
    for (const std::int64_t depth : {8, 3}) {
      std::vector<Tensor> inputs = inputs_for(g, kEvery, 8, depth);
      for_edges(g, [&](std::int64_t e, std::int64_t i, std::int64_t) {
        for (std::int64_t h = 0; h < 8; ++h)
          if (i % 3 == 0 || (e + h) % 4 == 0) inputs[5].data<double>()[e * 8 + h] = -kInfinity;
      });
      std::vector<Tensor> typed;
      for (const Tensor& input : inputs) typed.push_back(input.to(dtype));
      const Results got = results(false, g, typed, kEvery, {});
      check_same(got, results(true, g, inputs, kEvery, {}), dtype == DType::float32 ? 1e-5 : 1e-12);
      const Tensor y = got.value.to(DType::float64), dq = got.gradients[0].to(DType::float64),
                   dbias = got.gradients[5].to(DType::float64);
      for (std::int64_t i = 0; i < 30; i += 3)
        for (std::int64_t c = 0; c < 8 * depth; ++c)
          CHECK((at(y, i, c, 8 * depth) == 0 && at(dq, i, c, 8 * depth) == 0));
      for (std::int64_t e = 0; e < 200; ++e)
        for (std::int64_t h = 0; h < 8; ++h)
          if (at(inputs[5], e, h, 8) == -kInfinity) CHECK(at(dbias, e, h, 8) == 0);
    }
}

TEST_CASE("edge_attention: logits of any size do not overflow, and a NaN spreads over its row only") {
  const Graph g = Graph::from_edges(3, {{0, 0}, {1, 0}, {2, 0}, {0, 1}, {1, 1}, {2, 2}});
  for (const std::int64_t depth : {8, 3}) {
    const Shape shape{3, 8, depth};
    const Tensor x = Tensor::full(shape, 1), v = uniform(shape, -1, 1, 2).to(DType::float32);
    Tensor bias = Tensor::zeros(Shape{6, 8});
    for (std::int64_t h = 0; h < 8; ++h) bias.data<float>()[h] = 1e30f, bias.data<float>()[3 * 8 + h] = -1e30f;
    const auto run = [&] { return edge_attention(g, x, x, v, {.bias = bias}).value().to(DType::float64); };
    const Tensor y = run();
    for (std::int64_t c = 0; c < 8 * depth; ++c) {
      CHECK(at(y, 0, c, 8 * depth) == v.data<float>()[c]);
      CHECK(at(y, 1, c, 8 * depth) == v.data<float>()[8 * depth + c]);
    }
    bias.data<float>()[8 + 2] = std::nanf("");  // edge 1 -> 0, head 2
    const Tensor spread = run();
    for (std::int64_t c = 0; c < 3 * 8 * depth; ++c) CHECK(std::isnan(spread.data<double>()[c]) == (c / depth == 2));
  }
}

TEST_CASE("edge_attention of more than the caches hold agrees with its reference") {
  const std::int64_t n = 12000;
  const Graph g = random_square(n, 15000, 5);
  const Terms none{};
  for (const auto& [heads, depth] : {std::pair<std::int64_t, std::int64_t>{8, 8}, {4, 16}, {8, 10}}) {
    const std::vector<Tensor> inputs = inputs_for(g, none, heads, depth);
    std::vector<Tensor> narrow;
    for (const Tensor& input : inputs) narrow.push_back(input.to(DType::float32));
    check_same(results(false, g, narrow, none, {}), results(true, g, inputs, none, {}), 1e-5);
  }
}

TEST_CASE("edge_attention: the naive kernels compute the same") {
  const Graph g = random_bipartite(20, 30, 200, 8);
  const std::int64_t heads = 4, depth = 5;
  const std::vector<Tensor> inputs = inputs_for(g, kEvery, heads, depth);
  const EdgeAttentionOptions options{.clip = 0.2, .dropout = 0.3, .random = {.seed = 3, .stream = 9}};
  const Results expected = results(true, g, inputs, kEvery, options);
  const Tensor buckets = some_buckets(200), y = inputs[0].clone(), seed = uniform(y.shape(), -1, 1, 9);
  const Tensor lse = Tensor::zeros(Shape{30, heads}, DType::float64);
  Results got{y, {}};
  for (const Tensor& input : inputs) got.gradients.push_back(input.clone());
  const auto from = [&](std::size_t i) { return inputs[i].data<double>(); };
  const auto to = [&](std::size_t i) { return got.gradients[i].data<double>(); };
  const kernels::EdgeAttentionCall<double> call{.graph = g,
                                                .heads = heads,
                                                .depth = depth,
                                                .buckets = kBuckets,
                                                .scale = 1 / std::sqrt(5.0),
                                                .clip = options.clip,
                                                .dropout = options.dropout,
                                                .random = options.random,
                                                .q = from(0),
                                                .k = from(1),
                                                .v = from(2),
                                                .multiply = from(3),
                                                .add = from(4),
                                                .bias = from(5),
                                                .bucket = buckets.data<std::uint8_t>()};
  kernels::edge_attention_forward_naive(call, y.data<double>(), lse.data<double>());
  kernels::edge_attention_backward_naive(
      call, lse.data<double>(), seed.data<double>(),
      kernels::EdgeAttentionGradients<double>{
          .q = to(0), .k = to(1), .v = to(2), .multiply = to(3), .add = to(4), .bias = to(5)});
  check_same(got, expected, 1e-12);
}
