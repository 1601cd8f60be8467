#include "bench/common/ladders.hpp"

#include <fmt/format.h>

#include <array>

#include "autograd/tape.hpp"
#include "bench/common/made.hpp"
#include "bench/common/plain.hpp"
#include "core/blas.hpp"
#include "core/sum.hpp"
#include "graph/distances.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/csr_views.hpp"
#include "ops/edge/edge.hpp"
#include "ops/edge/kernels.hpp"
#include "ops/edge/message.hpp"
#include "ops/edge_attention/edge_attention.hpp"
#include "ops/gat/gat.hpp"
#include "ops/gated_conv/gated_conv.hpp"
#include "ops/hop_decay/hop_decay.hpp"
#include "ops/index/index.hpp"
#include "ops/linear/linear.hpp"
#include "ops/norm/norm.hpp"
#include "ops/pointwise/functors.hpp"
#include "ops/pointwise/pointwise.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"
#include "ops/reduce/reduce.hpp"

namespace atto::bench {
namespace {

Var leaf(const Shape& shape, std::uint64_t seed) {
  return Var::leaf(random_tensor(shape, seed));
}

float* at(const Tensor& tensor) {
  return tensor.data<float>();
}

std::string size_text(const Graph& g) {
  return fmt::format("N {}, E {}", g.num_nodes(), g.num_edges());
}

// Kinds of edges, int64 [E].
Tensor some_kinds(std::int64_t edges, std::int64_t kinds) {
  Generator generator(6);
  std::vector<std::int64_t> all;
  for (std::int64_t e = 0; e < edges; ++e) all.push_back(generator.below(kinds));
  return Tensor::from(all);
}

// An operation, forward and backward. Gives the result and all gradients.
Step both_ways(const std::string& name, const std::vector<Var>& leaves, const Tensor& seed,
               const std::function<Var()>& operation) {
  return {name, [=] {
            for (const Var& leaf : leaves) leaf.zero_grad();
            const Var y = operation();
            backward(y, seed);
            std::vector<Tensor> results{y.value()};
            for (const Var& leaf : leaves) results.push_back(leaf.grad());
            return results;
          }};
}

Ladder spmm_forward(const Graph& g, std::int64_t width) {
  const Var w = leaf({g.num_edges()}, 1), x = leaf({g.num_nodes(), width}, 2);
  const Tensor y = random_tensor({g.num_nodes(), width}, 3);
  return {fmt::format("SpMM, {}, D {}", size_text(g), width),
          {{"copy to the edges, product, sum",
            [=] {
              const NoGrad no_grad;
              return std::vector{spmm_reference(g, w, x).value()};
            }},
           {"one loop, sums in memory",
            [=] {
              plain::spmm(by_destination(g), 1, width, at(w.value()), at(x.value()), at(y));
              return std::vector{y};
            }},
           {"sums in registers", [=] {
              const NoGrad no_grad;
              return std::vector{spmm(g, w, x).value()};
            }}}};
}

Ladder spmm_backward(const Graph& g, std::int64_t width) {
  const Shape shape{g.num_nodes(), width};
  const Tensor w = random_tensor({g.num_edges()}, 1), x = random_tensor(shape, 2), dy = random_tensor(shape, 3),
               dx = x.clone(), dw = w.clone();
  return {fmt::format("SpMM backward, {}, D {}", size_text(g), width),
          {{"two loops",
            [=] {
              plain::spmm(by_source(g), 1, width, at(w), at(dy), at(dx));
              plain::edge_dot(by_destination(g), 1, width, at(dy), at(x), at(dw));
              return std::vector{dx, dw};
            }},
           {"two kernels",
            [=] {
              kernels::spmm(Cpu{}, by_source(g), 1, width, at(w), at(dy), false, at(dx));
              kernels::edge_dot(Cpu{}, by_destination(g), 1, width, at(dy), at(x), at(dw));
              return std::vector{dx, dw};
            }},
           {"both gradients in one walk", [=] {
              kernels::spmm_gradient(Cpu{}, by_source(g), width, at(w), at(x), at(dy), at(dx), at(dw));
              return std::vector{dx, dw};
            }}}};
}

Ladder gat_layer(const Graph& g, std::int64_t heads, std::int64_t depth) {
  const Var x = leaf({g.num_nodes(), heads, depth}, 1), source = leaf({heads, depth}, 2),
            destination = leaf({heads, depth}, 3), bias = leaf({heads, depth}, 4);
  const std::vector<Var> leaves{x, source, destination, bias};
  const Tensor seed = random_tensor(x.shape(), 5);
  return {
      fmt::format("GAT, both ways, {}, H {}, D {}", size_text(g), heads, depth),
      {both_ways("edge algebra", leaves, seed, [=] { return gat_self_reference(g, x, source, destination, {}, bias); }),
       both_ways("scores, softmax and sum fused", leaves, seed,
                 [=] { return gat(g, x, sum(x * source, -1), sum(x * destination, -1)) + bias; }),
       both_ways("products and bias too", leaves, seed,
                 [=] { return gat_self(g, x, source, destination, {}, bias); })}};
}

Ladder edge_layer(const Graph& g, std::int64_t heads, std::int64_t depth) {
  const Shape shape{g.num_nodes(), heads, depth};
  const Var q = leaf(shape, 1), k = leaf(shape, 2), v = leaf(shape, 3);
  const Tensor seed = random_tensor(shape, 4);
  return {fmt::format("dot attention on edges, both ways, {}, H {}, D {}", size_text(g), heads, depth),
          {both_ways("edge algebra", {q, k, v}, seed, [=] { return edge_attention_reference(g, q, k, v); }),
           both_ways("fused", {q, k, v}, seed, [=] { return edge_attention(g, q, k, v); })}};
}

Ladder pairs(std::int64_t graphs, std::int64_t nodes, std::int64_t heads, std::int64_t depth) {
  const EqualMolecules made = equal_molecules(graphs, nodes);
  const Ragged& ragged = made.ragged;
  const BucketPlane& plane = made.plane;
  const Shape shape{ragged.total(), heads, depth};
  const Var q = leaf(shape, 1), k = leaf(shape, 2), v = leaf(shape, 3), hop = Var::leaf(Tensor::full({heads}, 1.5));
  const Tensor seed = random_tensor(shape, 4);
  const auto tables = [=] { return AttentionTables{.multiply = hop_decay(hop, {.gamma = 0.6})}; };
  return {fmt::format("attention x mask, both ways, {} graphs of {}, H {}, D {}", graphs, nodes, heads, depth),
          {both_ways("edge algebra on all pairs", {q, k, v, hop}, seed,
                     [=] { return ragged_attention_reference(q, k, v, ragged, ragged, plane, tables()); }),
           both_ways("fused", {q, k, v, hop}, seed,
                     [=] { return ragged_attention(q, k, v, ragged, ragged, plane, tables()); })}};
}

Ladder gine(const Graph& g, std::int64_t width) {
  const Tensor kind = some_kinds(g.num_edges(), 4), seed = random_tensor({g.num_nodes(), width}, 3);
  const Var x = leaf({g.num_nodes(), width}, 1), e = leaf({4, width}, 2);
  return {fmt::format("GINE sum, both ways, {}, D {}, 4 kinds", size_text(g), width),
          {both_ways("edge algebra", {x, e}, seed, [=] { return gine_sum_reference(g, x, e, kind); }),
           both_ways("fused, a row for each edge", {x, e}, seed, [=] { return gine_sum(g, x, embedding(e, kind)); }),
           both_ways("fused, a row for each kind", {x, e}, seed, [=] { return gine_sum(g, x, e, kind); })}};
}

Ladder gated(const Graph& g, std::int64_t width) {
  const Shape shape{g.num_nodes(), width};
  const Tensor kind = some_kinds(g.num_edges(), 1), seed = random_tensor(shape, 5);
  const Var dst = leaf(shape, 1), src = leaf(shape, 2), value = leaf(shape, 3), e = leaf({1, width}, 4);
  const std::vector<Var> leaves{dst, src, value, e};
  return {
      fmt::format("gated sum, both ways, {}, D {}, 1 kind", size_text(g), width),
      {both_ways("edge algebra", leaves, seed,
                 [=] { return gated_sum_reference(g, sigmoid(edge_add(g, src, dst) + embedding(e, kind)), value); }),
       both_ways("sums and division fused", leaves, seed,
                 [=] { return gated_conv_reference(g, dst, src, value, e, {.kind = kind}); }),
       both_ways("gates never stored", leaves, seed,
                 [=] { return gated_conv(g, dst, src, value, e, {.kind = kind}); })}};
}

Ladder linear_forward(std::int64_t rows, std::int64_t inputs, std::int64_t outputs) {
  const Tensor x = random_tensor({rows, inputs}, 1), weight = random_tensor({outputs, inputs}, 2),
               bias = random_tensor({outputs}, 3), y = Tensor::empty({rows, outputs});
  return {fmt::format("linear, N {}, {} -> {}, relu", rows, inputs, outputs),
          {{"product, addition, relu",
            [=] {
              const NoGrad no_grad;
              return std::vector{linear_reference(x, weight, bias, Activation::relu).value()};
            }},
           {"bias and relu part by part", [=] {
              kernels::linear<pointwise::Relu, float>(Cpu{}, rows, outputs, inputs, at(x), at(weight), at(bias), at(y),
                                                      at(y));
              return std::vector{y};
            }}}};
}

Ladder residual_norm(std::int64_t rows, std::int64_t width) {
  const Shape shape{rows, width};
  const Var x = leaf(shape, 1), r = leaf(shape, 2), weight = leaf({width}, 3), bias = leaf({width}, 4);
  const std::vector<Var> leaves{x, r, weight, bias};
  const Tensor seed = random_tensor(shape, 5);
  return {
      fmt::format("batch norm of a sum, both ways, N {}, D {}", rows, width),
      {both_ways("other operations", leaves, seed,
                 [=] { return batch_norm_reference(x, weight, bias, 1e-5, {.before = r}); }),
       both_ways("addition, then norm", leaves, seed, [=] { return batch_norm(x + r, weight, bias, 1e-5, nullptr); }),
       both_ways("addition on the way", leaves, seed,
                 [=] { return batch_norm(x, weight, bias, 1e-5, nullptr, {.before = r}); })}};
}

// The backward pass of relu(x W^T + b), whose three gradients are added to what is there. Every step has its own place
// for them.
Ladder linear_layer(std::int64_t rows, std::int64_t inputs, std::int64_t outputs) {
  const Tensor x = random_tensor({rows, inputs}, 1), weight = random_tensor({outputs, inputs}, 2),
               dy = random_tensor({rows, outputs}, 3), y = relu(Var(random_tensor({rows, outputs}, 4))).value();
  const auto zeros = [=] {
    return std::vector{Tensor::zeros(x.shape()), Tensor::zeros(weight.shape()), Tensor::zeros({outputs})};
  };
  const auto places = [](const std::vector<Tensor>& sums) { return std::array{at(sums[0]), at(sums[1]), at(sums[2])}; };
  const auto activation_gradient = [=] {
    const Tensor dz = Tensor::empty(dy.shape());
    kernels::pointwise_gradient(Cpu{}, pointwise::Relu{}, dz.numel(), at(y), at(y), at(dy), at(dz));
    return dz;
  };
  const auto products = [=](const Tensor& dz, float beta, float* dx, float* dw) {
    blas::gemm<float>(false, false, rows, inputs, outputs, 1, at(dz), at(weight), beta, dx);
    blas::gemm<float>(true, false, outputs, inputs, rows, 1, at(dz), at(x), beta, dw);
  };
  const auto bias_gradient = [=](const Tensor& dz, float* sums) {
    const Tensor fresh = Tensor::empty({outputs});
    sum_middle(1, rows, outputs, at(dz), at(fresh));
    add_into(outputs, at(fresh), sums);
  };
  return {fmt::format("linear backward, N {}, {} -> {}, relu", rows, inputs, outputs),
          {{"products and column sums, then additions",
            [=, sums = zeros()] {
              const auto [dx, dw, db] = places(sums);
              const Tensor dz = activation_gradient(), more_x = Tensor::empty(x.shape()),
                           more_w = Tensor::empty(weight.shape());
              products(dz, 0, at(more_x), at(more_w));
              add_into(more_x.numel(), at(more_x), dx);
              add_into(more_w.numel(), at(more_w), dw);
              bias_gradient(dz, db);
              return sums;
            }},
           {"products that add",
            [=, sums = zeros()] {
              const auto [dx, dw, db] = places(sums);
              const Tensor dz = activation_gradient();
              products(dz, 1, dx, dw);
              bias_gradient(dz, db);
              return sums;
            }},
           {"one pass over the rows", [=, sums = zeros()] {
              const auto [dx, dw, db] = places(sums);
              kernels::linear_backward<pointwise::Relu, float>(Cpu{}, rows, outputs, inputs, at(x), at(weight), at(y),
                                                               at(y), at(dy), {dx, true}, {dw, true}, {db, true});
              return sums;
            }}}};
}

}  // namespace

std::vector<Ladder> all_ladders(bool quick) {
  const std::int64_t divisor = quick ? 100 : 1;
  const Graph sparse = random_graph(12500 / divisor, 40500 / divisor, false),
              looped = random_graph(12500 / divisor, 40500 / divisor, true),
              dense = random_graph(1900 / divisor, 69000 / divisor, false);  // like a batch of CLUSTER
  return {spmm_forward(sparse, 64),
          spmm_backward(sparse, 64),
          gat_layer(looped, 8, 8),
          edge_layer(looped, 8, 8),
          pairs(128 / divisor, 25, 8, 8),
          gine(sparse, 64),
          gated(dense, 48),
          linear_forward(740, 64, 64),
          linear_forward(3400 / divisor, 64, 128),
          linear_layer(740, 64, 64),
          linear_layer(3400 / divisor, 64, 128),
          linear_layer(100000 / divisor, 64, 64),
          residual_norm(740, 64),
          residual_norm(3400 / divisor, 64)};
}

}  // namespace atto::bench
