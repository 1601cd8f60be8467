// Ragged attention beyond single cases: long segments cut into pieces, the plain kernels, dropout, NaN, masked
// segments.

#include <cmath>
#include <cstring>
#include <limits>

#include "autograd/tape.hpp"
#include "core/allocator.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "ops/ragged_attention/ragged_attention.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

using namespace atto;
using namespace atto::test;

namespace {

// A batch whose largest graph has most of the work, so that kernels cut it.
struct Batch {
  Ragged queries, keys;
  BucketPlane plane;
  std::vector<Tensor> inputs;  // q, k, v, multiply, add, gate
  RaggedAttentionOptions options;

  Batch(std::vector<std::int64_t> sizes, std::int64_t heads, std::int64_t kv_heads, std::int64_t width,
        std::int64_t value_width, DType dtype, const std::vector<std::int64_t>& key_sizes = {})
      : queries(Ragged::from_sizes(sizes)), keys(key_sizes.empty() ? queries : Ragged::from_sizes(key_sizes)) {
    for (std::int64_t g = 0; g < queries.count(); ++g)
      plane.offsets.push_back(plane.offsets.back() + queries.size(g) * keys.size(g));
    plane.values = Tensor::empty({plane.offsets.back()}, DType::uint8);
    for (std::int64_t p = 0; p < plane.values.numel(); ++p)
      plane.values.data<std::uint8_t>()[p] = static_cast<std::uint8_t>(p % 97 == 0 ? 255 : p * 7 % 23);
    const std::int64_t n = queries.total(), m = keys.total();
    for (const Shape& shape : {Shape{n, heads, width}, Shape{m, kv_heads, width}, Shape{m, kv_heads, value_width},
                               Shape{heads, 256}, Shape{heads, 256}, Shape{heads, 256}})
      inputs.push_back(uniform(shape, -1, 1, 10 + inputs.size()).to(dtype));
  }

  // Result and gradients through the operation.
  std::vector<Tensor> fast() const {
    std::vector<Var> leaves;
    for (const Tensor& input : inputs) leaves.push_back(Var::leaf(input));
    const Var y = ragged_attention(leaves[0], leaves[1], leaves[2], queries, keys, plane,
                                   {leaves[3], leaves[4], leaves[5]}, {}, options);
    backward(y, seed());
    std::vector<Tensor> all{y.value()};
    for (const Var& leaf : leaves) all.push_back(leaf.grad());
    return all;
  }

  std::vector<Tensor> plain() const {
    return visit_float(inputs[0].dtype(), "plain", [&]<class T>() {
      const Tensor out = Tensor::empty({queries.total(), inputs[0].size(1), inputs[2].size(2)}, dtype_of<T>);
      const Tensor top = Tensor::empty({queries.total(), inputs[0].size(1)}, dtype_of<T>), inverse = top.clone();
      std::vector<std::uint8_t> largest(static_cast<std::size_t>(queries.count()), 22);
      const auto at = [&](std::size_t i) { return inputs[i].data<T>(); };
      const kernels::RaggedAttentionCall<T> call{
          .graphs = queries.count(),
          .query_offsets = queries.offsets().data(),
          .key_offsets = keys.offsets().data(),
          .pair_offsets = plane.offsets.data(),
          .heads = inputs[0].size(1),
          .kv_heads = inputs[1].size(1),
          .width = inputs[0].size(2),
          .value_width = inputs[2].size(2),
          .q = at(0),
          .k = at(1),
          .v = at(2),
          .buckets = plane.values.data<std::uint8_t>(),
          .largest = largest.data(),
          .table_size = 256,
          .multiply = at(3),
          .add = at(4),
          .gate = at(5),
          .scale = static_cast<T>(1 / std::sqrt(static_cast<double>(inputs[0].size(2)))),
          .causal = options.causal,
          .threshold = static_cast<std::uint32_t>(options.dropout * 65536),
          .keep_scale = static_cast<T>(1 / (1 - options.dropout)),
          .seed = options.random.seed,
          .stream = options.random.stream,
          .out = out.data<T>(),
          .row_max = top.data<T>(),
          .row_inverse = inverse.data<T>()};
      kernels::ragged_attention_forward_naive(call);
      std::vector<Tensor> all{out};
      for (const Tensor& input : inputs) all.push_back(Tensor::empty(input.shape(), input.dtype()));
      const Tensor gradient = seed();
      kernels::ragged_attention_backward_naive(call, kernels::RaggedAttentionGradients<T>{.out = gradient.data<T>(),
                                                                                          .q = all[1].data<T>(),
                                                                                          .k = all[2].data<T>(),
                                                                                          .v = all[3].data<T>(),
                                                                                          .multiply = all[4].data<T>(),
                                                                                          .add = all[5].data<T>(),
                                                                                          .gate = all[6].data<T>()});
      return all;
    });
  }

  Tensor seed() const {
    return uniform({queries.total(), inputs[0].size(1), inputs[2].size(2)}, -1, 1, 77).to(inputs[0].dtype());
  }
};

// The largest difference, relative to the largest element.
double difference(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(DType::float64), y = b.to(DType::float64);
  double worst = 0, largest = 1e-30;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double d = std::abs(x.data<double>()[i] - y.data<double>()[i]);
    if (!(d <= worst)) worst = d;
    largest = std::max(largest, std::abs(y.data<double>()[i]));
  }
  return worst / largest;
}

struct Restore {
  int count = threads();
  Isa set = isa();
  ~Restore() {
    set_threads(count);
    set_isa(set);
  }
};

}  // namespace

TEST_CASE("memory for the largest graph of a chunk serves the smaller ones") {
  for (const std::int64_t width : {0, 1, 6, 16, 64})
    for (std::int64_t keys = 1; keys <= 2000; ++keys) {
      if (kernels::forward_scratch(keys, width, width) < kernels::forward_scratch(keys - 1, width, width))
        FAIL_CHECK("forward, " << keys << " keys");
      if (kernels::backward_scratch(keys, width, width) < kernels::backward_scratch(keys - 1, width, width))
        FAIL_CHECK("backward, " << keys << " keys");
    }
}

TEST_CASE("ragged_attention: fast and plain kernels agree, also where long segments are cut") {
  const Restore restore;
  const Isa best = isa();
  struct Size {
    std::vector<std::int64_t> sizes;
    std::int64_t heads, kv_heads, width, value_width;
    std::vector<std::int64_t> keys = {};
  };
  for (const Size& size : {Size{{40, 300, 7}, 1, 1, 16, 8}, Size{{120, 33}, 4, 2, 12, 24},
                           Size{{25, 31, 18, 64, 65}, 2, 2, 8, 8}, Size{{230, 7}, 2, 1, 32, 32, {400, 9}},
                           Size{{310, 7}, 1, 1, 32, 16, {170, 3}}, Size{{1, 2}, 4, 2, 8, 8, {150, 60}}}) {
    for (const bool causal : {false, true}) {
      for (const DType dtype : {DType::float32, DType::float64}) {
        Batch batch(size.sizes, size.heads, size.kv_heads, size.width, size.value_width, dtype, size.keys);
        batch.options = {.causal = causal, .dropout = 0.25, .random = {.seed = 5, .stream = 6}};
        const std::vector<Tensor> expected = batch.plain();
        for (const Isa set : {Isa::baseline, Isa::avx2, Isa::avx512}) {
          if (set > best) continue;
          set_isa(set);
          INFO(name_of(dtype) << ", " << name_of(set) << ", causal " << causal << ", first size " << size.sizes[0]);
          const std::vector<Tensor> got = batch.fast();
          for (std::size_t i = 0; i < got.size(); ++i) {
            INFO("tensor " << i);
            CHECK(difference(got[i], expected[i]) < (dtype == DType::float32 ? 2e-5 : 1e-13));
          }
        }
      }
    }
  }
}

TEST_CASE("ragged_attention: the bits of a cut segment do not depend on the number of threads") {
  const Restore restore;
  Batch batch({700, 3, 90}, 2, 2, 16, 16, DType::float32);
  for (const bool causal : {false, true}) {
    batch.options.causal = causal;
    set_threads(1);
    const std::vector<Tensor> expected = batch.fast();
    CHECK(difference(expected[0], batch.plain()[0]) < 1e-5);
    for (const int count : {2, 7}) {
      set_threads(count);
      const std::vector<Tensor> got = batch.fast();
      for (std::size_t i = 0; i < got.size(); ++i) CHECK(bit_equal(got[i], expected[i]));
    }
  }
}

TEST_CASE("ragged_attention: nothing of the size of heads x queries x keys is allocated") {
  Batch batch({1500}, 4, 4, 8, 8, DType::float32);
  const std::int64_t whole = 4 * 1500 * 1500 * 4;  // one such tensor
  allocator::trim();                               // or a larger block that is free would be counted
  const std::int64_t before = allocator::statistics().in_use;
  allocator::reset_peak();
  batch.fast();
  CHECK(allocator::statistics().peak - before < whole / 8);
}

TEST_CASE("ragged_attention drops the share of weights that it was told to, and keeps their mean") {
  const std::int64_t n = 200, heads = 3;
  const Ragged nodes = Ragged::from_sizes(std::vector<std::int64_t>{n, n / 2});
  for (const double rate : {0.1, 0.5, 0.9}) {
    const RaggedAttentionOptions options{.dropout = rate, .random = {.seed = 11, .stream = 2}};
    const Tensor mask = ragged_attention_dropout_mask(nodes, nodes, heads, options);
    double kept = 0, same_as_next = 0, other_values = 0;
    const std::int64_t size = mask.numel();
    for (std::int64_t i = 0; i < size; ++i) {
      const double value = mask.data<double>()[i];
      other_values += value != 0 && value != Approx(1 / (1 - rate)).epsilon(1e-4);
      kept += value != 0;
      same_as_next += i + 1 < size && (value != 0) == (mask.data<double>()[i + 1] != 0);
    }
    CHECK(other_values == 0);
    const double p = 1 - rate, sigma = std::sqrt(p * rate * static_cast<double>(size));
    CHECK(std::abs(kept - p * static_cast<double>(size)) < 4 * sigma);
    const double same = p * p + rate * rate;
    CHECK(std::abs(same_as_next - same * static_cast<double>(size)) < 5 * std::sqrt(static_cast<double>(size)) / 2);
    // What it draws for one head, one graph or one stream says nothing about the others.
    const Tensor other =
        ragged_attention_dropout_mask(nodes, nodes, heads, {.dropout = rate, .random = {.seed = 11, .stream = 3}});
    CHECK(!bit_equal(mask, other));
    double both = 0, heads_both = 0;
    for (std::int64_t i = 0; i < n * n; ++i) {
      both += mask.data<double>()[i] != 0 && other.data<double>()[i] != 0;
      heads_both += mask.data<double>()[i] != 0 && mask.data<double>()[n * n + i] != 0;
    }
    for (const double count : {both, heads_both}) CHECK(std::abs(count / static_cast<double>(n * n) - p * p) < 0.01);
  }
}

TEST_CASE("ragged_attention: the operation draws what ragged_attention_dropout_mask says, the same every time") {
  const Ragged nodes = Ragged::from_sizes(std::vector<std::int64_t>{21, 3});
  const RaggedAttentionOptions options{.dropout = 0.4, .random = {.seed = 1, .stream = 5}};
  const Tensor zeros = Tensor::zeros({24, 1, 2}, DType::float64);
  // Uniform weights and one-hot values: the result shows the mask.
  Tensor one_hot = Tensor::zeros({24, 1, 24}, DType::float64);
  for (std::int64_t j = 0; j < 24; ++j) one_hot.data<double>()[j * 24 + j] = 1;
  const Tensor y = ragged_attention(zeros, zeros, one_hot, nodes, nodes, {}, {}, {}, options).value();
  const Tensor mask = ragged_attention_dropout_mask(nodes, nodes, 1, options);
  for (std::int64_t i = 0; i < 21; ++i)
    for (std::int64_t j = 0; j < 21; ++j)
      CHECK(y.data<double>()[i * 24 + j] == Approx(mask.data<double>()[i * 21 + j] / 21));
  CHECK(bit_equal(y, ragged_attention(zeros, zeros, one_hot, nodes, nodes, {}, {}, {}, options).value()));
}

TEST_CASE("ragged_attention: a NaN stays in its graph, and is not hidden") {
  Batch batch({5, 6, 20}, 1, 1, 3, 3, DType::float32);
  batch.inputs[0].data<float>()[7 * 3] = std::numeric_limits<float>::quiet_NaN();  // a query of the second graph
  const std::vector<Tensor> y = batch.fast();
  for (std::int64_t i = 0; i < 31 * 3; ++i) CHECK(std::isnan(y[0].data<float>()[i]) == (i / 3 == 7));
  for (const std::size_t gradient : {1, 2, 3})
    for (std::int64_t i = 0; i < 31 * 3; ++i)
      if (i / 3 < 5 || i / 3 >= 11) CHECK(!std::isnan(y[gradient].data<float>()[i]));
}

TEST_CASE("ragged_attention: a NaN of any kind, wherever it stands, reaches the rows that depend on it and no others") {
  const Restore restore;
  const Isa best = isa();
  const auto run = [&]<class T, class Bits>(const std::vector<Bits>& kinds) {
    for (const Isa set : {Isa::baseline, Isa::avx2, Isa::avx512}) {
      if (set > best) continue;
      set_isa(set);
      for (const Bits bits : kinds) {
        // The element that is NaN; of the 31 rows of three graphs, those that must be.
        const auto check = [&](std::size_t input, std::int64_t element, std::int64_t first, std::int64_t last) {
          Batch batch({5, 6, 20}, 1, 1, 3, 3, dtype_of<T>);
          batch.plane.values.template data<std::uint8_t>()[25 + 2 * 6 + 3] =
              40;  // rows 7 and 8 of the batch, and nobody else
          std::memcpy(batch.inputs[input].template data<T>() + element, &bits, sizeof bits);
          const Tensor y =
              ragged_attention(batch.inputs[0], batch.inputs[1], batch.inputs[2], batch.queries, batch.keys,
                               batch.plane, {batch.inputs[3], batch.inputs[4], batch.inputs[5]})
                  .value();
          INFO(name_of(set) << ", " << name_of(dtype_of<T>) << ", bits " << bits << ", input " << input);
          for (std::int64_t row = 0; row < 31; ++row)
            CHECK(std::isnan(y.data<T>()[row * 3]) == (row >= first && row < last));
          if (input == 2) CHECK_FALSE(std::isnan(y.data<T>()[first * 3 + 1]));  // the other features of a value
        };
        check(0, 7 * 3, 7, 8);
        check(1, 7 * 3, 5, 11);
        check(2, 7 * 3, 5, 11);
        for (const std::size_t table : {3, 4, 5}) check(table, 40, 7, 8);
      }
    }
  };
  run.operator()<float>(std::vector<std::uint32_t>{0x7FC00000u, 0xFFC00000u, 0x7FFFFFFFu, 0xFFFFFFFFu, 0xFFC00001u});
  run.operator()<double>(
      std::vector<std::uint64_t>{std::uint64_t{0x7FF8} << 48, ~std::uint64_t{0} >> 1, ~std::uint64_t{0}});
}

TEST_CASE("ragged_attention: a segment that is masked whole gives zeros and takes no gradient") {
  Batch batch({4, 6}, 2, 2, 3, 3, DType::float64);
  for (std::int64_t p = 0; p < 16; ++p) batch.plane.values.data<std::uint8_t>()[p] = 30;
  for (const std::int64_t b : {30, 286}) batch.inputs[4].data<double>()[b] = -std::numeric_limits<double>::infinity();
  const std::vector<Tensor> y = batch.fast();
  for (std::size_t t = 0; t < 4; ++t)
    for (std::int64_t i = 0; i < 4 * 2 * 3; ++i) CHECK(y[t].data<double>()[i] == 0);
  for (const Tensor& tensor : y)
    for (const double value : tensor.values<double>()) CHECK(std::isfinite(value));
}

TEST_CASE("ragged_attention: large logits neither overflow nor vanish") {
  const Ragged nodes = Ragged::single(3);
  const Tensor q = Tensor::from({1e4f, -1e4f, 0.f}, {3, 1, 1}), k = Tensor::from({1.f, 2.f, -3.f}, {3, 1, 1}),
               v = Tensor::from({1.f, 2.f, 4.f}, {3, 1, 1});
  const Var y = ragged_attention(Var::leaf(q), Var::leaf(k), Var::leaf(v), nodes, nodes, {}, {}, {}, {.scale = 1.0});
  CHECK(y.value().data<float>()[0] == 2);
  CHECK(y.value().data<float>()[1] == 4);
  CHECK(y.value().data<float>()[2] == Approx(7.0 / 3));
}
