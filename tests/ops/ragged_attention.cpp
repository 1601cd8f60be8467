#include "ops/ragged_attention/ragged_attention.hpp"

#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

#include "autograd/tape.hpp"
#include "core/allocator.hpp"
#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/op_case.hpp"

namespace atto::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A batch and what attends in it: everything about a call but the numbers.
struct Setup {
  std::vector<std::int64_t> queries;
  std::vector<std::int64_t> keys = {};      // as queries when empty
  std::int64_t heads = 1, kv_heads = 0;     // as heads when 0
  std::int64_t width = 3, value_width = 0;  // as width when 0
  bool multiply = false, add = false, gate = false, dense = false;
  std::int64_t buckets = 256;
  std::vector<std::uint8_t> choice = {0, 1, 2, 3, 4, 5, 6};  // of buckets
  RaggedAttentionOptions options = {};

  Ragged q_offsets() const { return Ragged::from_sizes(queries); }
  Ragged k_offsets() const { return Ragged::from_sizes(keys.empty() ? queries : keys); }
  std::int64_t groups() const { return kv_heads == 0 ? heads : kv_heads; }
  std::int64_t values() const { return value_width == 0 ? width : value_width; }

  BucketPlane plane() const {
    BucketPlane plane;
    for (std::int64_t g = 0; g < q_offsets().count(); ++g)
      plane.offsets.push_back(plane.offsets.back() + q_offsets().size(g) * k_offsets().size(g));
    if (!multiply && !add && !gate) return {};
    plane.values = Tensor::empty({plane.offsets.back()}, DType::uint8);
    const RandomStream random{.seed = 5, .stream = 1};
    for (std::int64_t p = 0; p < plane.values.numel(); ++p)
      plane.values.data<std::uint8_t>()[p] = choice[random.bits(static_cast<std::uint64_t>(p)) % choice.size()];
    return plane;
  }
  std::int64_t pairs() const {
    std::int64_t sum = 0;
    for (std::int64_t g = 0; g < q_offsets().count(); ++g) sum += q_offsets().size(g) * k_offsets().size(g);
    return sum;
  }

  std::vector<Tensor> inputs() const {
    std::vector<Tensor> in{uniform({q_offsets().total(), heads, width}, -1, 1, 11),
                           uniform({k_offsets().total(), groups(), width}, -1, 1, 12),
                           uniform({k_offsets().total(), groups(), values()}, -1, 1, 13)};
    if (multiply) in.push_back(uniform({heads, buckets}, -0.5, 1.5, 14));
    if (add) in.push_back(uniform({heads, buckets}, -1, 1, 15));
    if (gate) in.push_back(uniform({heads, buckets}, 0, 1, 16));
    if (dense) in.push_back(uniform({heads * pairs()}, -1, 1, 17));
    return in;
  }

  template <class In, class Item = std::remove_cvref_t<decltype(std::declval<In>()[0])>>
  auto arguments(const In& in) const {
    struct {
      Item q, k, v, multiply, add, gate, dense;
    } a;
    std::size_t next = 0;
    a.q = in[next++], a.k = in[next++], a.v = in[next++];
    if (multiply) a.multiply = in[next++];
    if (add) a.add = in[next++];
    if (gate) a.gate = in[next++];
    if (dense) a.dense = in[next++];
    return a;
  }

  Var run(std::span<const Var> in) const {
    const auto a = arguments(in);
    return ragged_attention(a.q, a.k, a.v, q_offsets(), k_offsets(), plane(), {a.multiply, a.add, a.gate}, a.dense,
                            options);
  }
  Var reference(std::span<const Var> in) const {
    const auto a = arguments(in);
    return ragged_attention_reference(a.q, a.k, a.v, q_offsets(), k_offsets(), plane(), {a.multiply, a.add, a.gate},
                                      a.dense, options);
  }
};

struct Loop {
  Tensor out, magnitude;
};

// The definition, pair by pair. The magnitude of a result counts what a relative error of the logits does to the
// weights.
Loop loop(const Setup& s, std::span<const Tensor> in) {
  const auto a = s.arguments(in);
  const Ragged queries = s.q_offsets(), keys = s.k_offsets();
  const BucketPlane plane = s.plane();
  const Tensor mask = ragged_attention_dropout_mask(queries, keys, s.heads, s.options);
  const double scale = s.options.scale.value_or(1 / std::sqrt(static_cast<double>(s.width)));
  Loop result{Tensor::zeros({queries.total(), s.heads, s.values()}, DType::float64),
              Tensor::zeros({queries.total(), s.heads, s.values()}, DType::float64)};
  std::int64_t block = 0;
  for (std::int64_t g = 0; g < queries.count(); block += queries.size(g) * keys.size(g), ++g) {
    for (std::int64_t h = 0; h < s.heads; ++h) {
      for (std::int64_t i = 0; i < queries.size(g); ++i) {
        const std::int64_t row = (queries.begin(g) + i) * s.heads + h;
        const std::int64_t kv = h / (s.heads / s.groups());
        std::vector<double> weight(static_cast<std::size_t>(keys.size(g)));
        double sum = 0, size = 0;
        for (std::int64_t j = 0; j < keys.size(g); ++j) {
          if (s.options.causal && j > i + keys.size(g) - queries.size(g)) continue;
          const std::int64_t pair = block + i * keys.size(g) + j;
          const std::int64_t column = (keys.begin(g) + j) * s.groups() + kv;
          double z = 0, terms = 0;
          for (std::int64_t d = 0; d < s.width; ++d) {
            const double term = scale * a.q.template data<double>()[row * s.width + d] *
                                a.k.template data<double>()[column * s.width + d];
            z += term, terms += std::abs(term);
          }
          const auto entry = [&](const Tensor& table) {
            return table.data<double>()[h * s.buckets + plane.values.data<std::uint8_t>()[pair]];
          };
          if (s.multiply) z *= entry(a.multiply), terms *= std::abs(entry(a.multiply));
          if (s.add) z += entry(a.add), terms += std::abs(entry(a.add));
          const std::int64_t flat = s.heads * block + (h * queries.size(g) + i) * keys.size(g) + j;
          if (s.dense)
            z += a.dense.template data<double>()[flat], terms += std::abs(a.dense.template data<double>()[flat]);
          if (z == -kInfinity) continue;
          size = std::max(size, terms);
          sum += std::exp(z);
          weight[static_cast<std::size_t>(j)] =
              std::exp(z) * (s.gate ? entry(a.gate) : 1.0) * mask.data<double>()[flat];
        }
        for (std::int64_t j = 0; j < keys.size(g); ++j)
          for (std::int64_t d = 0; d < s.values(); ++d) {
            const double w = sum > 0 ? weight[static_cast<std::size_t>(j)] / sum : 0;
            const double v = a.v.template data<double>()[((keys.begin(g) + j) * s.groups() + kv) * s.values() + d];
            result.out.data<double>()[row * s.values() + d] += w * v;
            result.magnitude.data<double>()[row * s.values() + d] += (1 + 2 * size) * std::abs(w * v);
          }
      }
    }
  }
  return result;
}

OpCase attention_case(const std::string& name, const Setup& setup,
                      std::function<void(std::vector<Tensor>&)> edit = {}) {
  OpCase c;
  c.op = "ragged_attention";
  c.name = name;
  c.inputs = setup.inputs();
  if (edit) edit(c.inputs);
  c.run = [setup](std::span<const Var> in) { return setup.run(in); };
  c.expected = [setup](std::span<const Tensor> in) { return loop(setup, in).out; };
  c.magnitude = [setup](std::span<const Tensor> in) { return loop(setup, in).magnitude; };
  c.k = 8;
  c.reference = [setup](std::span<const Var> in) { return setup.reference(in); };
  return c;
}

std::vector<std::uint8_t> range(int from, int to) {
  std::vector<std::uint8_t> result(static_cast<std::size_t>(to - from));
  std::iota(result.begin(), result.end(), static_cast<std::uint8_t>(from));
  return result;
}

const RegisterCases cases([] {
  const std::vector<std::uint8_t> far = {0, 1, 2, 253, 254, 255};
  RaggedAttentionOptions causal{.causal = true};
  RaggedAttentionOptions dropout{.dropout = 0.3, .random = {.seed = 3, .stream = 9}};
  RaggedAttentionOptions everything{.scale = 0.7, .causal = true, .dropout = 0.5, .random = {.seed = 4, .stream = 1}};
  const auto mask_some = [](std::vector<Tensor>& in) {  // bucket 2 everywhere, bucket 0 of head 0
    Tensor& add = in[3];
    for (std::int64_t h = 0; h < add.size(0); ++h) add.data<double>()[h * add.size(1) + 2] = -kInfinity;
    add.data<double>()[0] = -kInfinity;
  };
  return std::vector<OpCase>{
      attention_case("plain", {.queries = {5, 3}, .heads = 2}),
      attention_case("no graphs", {.queries = {}, .heads = 2}),
      attention_case("graphs of 0 and 1 nodes", {.queries = {0, 1, 0, 2, 1, 0}, .heads = 3, .multiply = true}),
      attention_case("only empty graphs", {.queries = {0, 0}, .heads = 2, .multiply = true, .add = true}),
      attention_case("no heads", {.queries = {3}, .heads = 0}),
      attention_case("no width", {.queries = {3, 4}, .heads = 1, .width = 0, .value_width = 2}),
      attention_case("sizes 1 to 20",
                     {.queries = {20, 1, 7, 16, 17, 9, 8, 12, 15}, .heads = 2, .width = 4, .multiply = true}),
      attention_case("sizes around the blocks",
                     {.queries = {128, 31, 129, 33, 65}, .heads = 1, .width = 2, .multiply = true}),
      // Few queries, so that several graphs share a chunk and its memory.
      attention_case("sizes around the tiles", {.queries = {5, 5, 5, 5},
                                                .keys = {80, 64, 66, 49},
                                                .heads = 1,
                                                .width = 2,
                                                .multiply = true,
                                                .add = true,
                                                .gate = true,
                                                .choice = range(0, 200)}),
      attention_case("long",
                     {.queries = {200, 3, 0, 150}, .heads = 2, .width = 5, .multiply = true, .choice = range(0, 40)}),
      attention_case("multiply, add and gate",
                     {.queries = {6, 9}, .heads = 3, .multiply = true, .add = true, .gate = true}),
      attention_case("add only", {.queries = {6, 9}, .heads = 2, .add = true, .buckets = 7}),
      attention_case("gate only", {.queries = {6, 9}, .heads = 2, .gate = true, .buckets = 7}),
      attention_case("dense", {.queries = {4, 0, 17, 1}, .heads = 2, .dense = true}),
      attention_case("everything", {.queries = {4, 19, 1},
                                    .keys = {6, 17, 0},
                                    .heads = 4,
                                    .kv_heads = 2,
                                    .width = 3,
                                    .value_width = 5,
                                    .multiply = true,
                                    .add = true,
                                    .gate = true,
                                    .dense = true,
                                    .options = everything}),
      attention_case("far and unreachable",
                     {.queries = {18, 5}, .heads = 2, .multiply = true, .gate = true, .choice = far}),
      attention_case("16 slots", {.queries = {21, 5}, .heads = 2, .multiply = true, .choice = {0, 3, 14, 255}}),
      attention_case("32 slots", {.queries = {21, 5}, .heads = 2, .multiply = true, .choice = {0, 15, 30, 255}}),
      attention_case("64 slots", {.queries = {21, 5}, .heads = 2, .multiply = true, .choice = {0, 31, 62, 255}}),
      attention_case("one more than 16 slots",
                     {.queries = {21, 5}, .heads = 2, .multiply = true, .choice = {0, 3, 15, 255}}),
      attention_case("one more than 32 slots",
                     {.queries = {21, 5}, .heads = 2, .multiply = true, .choice = {0, 15, 31, 255}}),
      attention_case("one more than 64 slots",
                     {.queries = {21, 5}, .heads = 2, .multiply = true, .choice = {0, 31, 63, 255}}),
      attention_case("128 slots", {.queries = {21, 5}, .heads = 2, .multiply = true, .choice = {0, 63, 64, 126, 255}}),
      attention_case("graphs of different diameters",
                     {.queries = {3, 25, 7}, .heads = 2, .multiply = true, .gate = true, .choice = range(0, 70)}),
      attention_case("a table of one bucket",
                     {.queries = {9}, .heads = 2, .multiply = true, .buckets = 1, .choice = {0}}),
      attention_case("a table of 64 buckets",
                     {.queries = {9}, .heads = 2, .multiply = true, .buckets = 64, .choice = {0, 1, 63}}),
      attention_case("causal", {.queries = {5, 18, 1, 0}, .heads = 2, .multiply = true, .options = causal}),
      attention_case("causal, whole vectors",
                     {.queries = {9, 20}, .heads = 2, .width = 8, .multiply = true, .options = causal}),
      attention_case("causal, whole vectors, more queries",
                     {.queries = {20}, .keys = {9}, .heads = 1, .width = 8, .options = causal}),
      attention_case("grouped queries, whole vectors",
                     {.queries = {9, 20}, .heads = 4, .kv_heads = 2, .width = 8, .multiply = true}),
      attention_case("causal, long", {.queries = {140}, .heads = 1, .width = 2, .options = causal}),
      attention_case("causal, more keys", {.queries = {2, 17, 1}, .keys = {5, 20, 30}, .heads = 2, .options = causal}),
      attention_case("causal, more queries",
                     {.queries = {5, 20, 3}, .keys = {2, 17, 0}, .heads = 2, .add = true, .options = causal}),
      attention_case("rectangular", {.queries = {3, 0, 8, 2},
                                     .keys = {7, 4, 1, 0},
                                     .heads = 2,
                                     .value_width = 4,
                                     .multiply = true,
                                     .dense = true}),
      attention_case("grouped queries", {.queries = {7, 18}, .heads = 6, .kv_heads = 2, .width = 4, .multiply = true}),
      attention_case("one head of keys", {.queries = {7}, .heads = 3, .kv_heads = 1, .width = 8}),
      attention_case("dropout", {.queries = {9, 17}, .heads = 2, .multiply = true, .options = dropout}),
      attention_case("dropout, long", {.queries = {131}, .heads = 1, .width = 2, .options = dropout}),
      attention_case("masked buckets", {.queries = {6, 12}, .heads = 2, .add = true, .choice = {0, 1, 2}}, mask_some),
      attention_case("rows masked whole", {.queries = {4, 3}, .heads = 2, .add = true, .choice = {2}}, mask_some),
      attention_case("widths 8 and 12", {.queries = {19}, .heads = 2, .width = 8, .value_width = 12, .multiply = true}),
      attention_case("widths 16 and 24",
                     {.queries = {19}, .heads = 2, .width = 16, .value_width = 24, .multiply = true}),
      attention_case("widths 32 and 64",
                     {.queries = {17}, .heads = 1, .width = 32, .value_width = 64, .multiply = true}),
      attention_case("widths 64 and 20", {.queries = {17}, .heads = 1, .width = 64, .value_width = 20}),
  };
});

Setup valid() {
  return {.queries = {2, 3}, .heads = 2, .multiply = true, .buckets = 7};
}

const RegisterErrors errors([] {
  const auto call = [](auto edit) {
    return [edit] {
      Setup setup = valid();
      std::vector<Var> in;
      for (const Tensor& tensor : setup.inputs()) in.emplace_back(tensor);
      BucketPlane plane = setup.plane();
      Ragged keys = setup.k_offsets();
      AttentionTables tables{.multiply = in[3]};
      Var dense;
      RaggedAttentionOptions options;
      edit(in, keys, plane, tables, dense, options);
      ragged_attention(in[0], in[1], in[2], setup.q_offsets(), keys, plane, tables, dense, options);
    };
  };
  using In = std::vector<Var>;
  const std::string op = "ragged_attention";
  return std::vector<OpError>{
      {op, "width", call([](In& in, auto&...) {
         in[1] = uniform({5, 2, 4});
       }),
       "ragged_attention: k: got [5,2,4], expected [M,G,D] with M = 5, G = 2, D = 3"},
      {op, "rows", call([](In& in, auto&...) {
         in[0] = uniform({6, 2, 3});
       }),
       "q: got [6,2,3], expected [N,H,D] with N = 5"},
      {op, "heads", call([](In& in, auto&...) {
         in[1] = uniform({5, 3, 3}), in[2] = uniform({5, 3, 3});
       }),
       "k: got 3 heads, expected a divisor of the 2 heads of q"},
      {op, "segments", call([](In&, Ragged& keys, auto&...) { keys = Ragged::single(5); }),
       "keys: got 1 segments, expected 2 as in queries"},
      {op, "no plane", call([](In&, Ragged&, BucketPlane& plane, auto&...) { plane = {}; }),
       "buckets: got undefined tensor, expected uint8"},
      {op, "another plane", call([](In&, Ragged&, BucketPlane& plane, auto&...) {
         plane.offsets = {0, 9, 13};
       }),
       "is the plane of another batch?"},
      {op, "a short plane",
       call([](In&, Ragged&, BucketPlane& plane, auto&...) { plane.values = plane.values.rows(0, 12); }), "13 in all"},
      {op, "bucket", call([](In&, Ragged&, BucketPlane& plane, auto&...) {
         plane.values = plane.values.clone();
         plane.values.data<std::uint8_t>()[12] = 7;
       }),
       "buckets: got bucket 7 in segment 1, expected buckets below the tables' 7"},
      {op, "unreachable bucket", call([](In&, Ragged&, BucketPlane& plane, auto&...) {
         plane.values = plane.values.clone();
         plane.values.data<std::uint8_t>()[0] = 255;
       }),
       "got bucket 255 in segment 0"},
      {op, "large table", call([](In&, Ragged&, BucketPlane&, AttentionTables& tables, auto&...) {
         tables.multiply = uniform({2, 300});
       }),
       "B = 300, expected 1 <= B <= 256"},
      {op, "table heads", call([](In&, Ragged&, BucketPlane&, AttentionTables& tables, auto&...) {
         tables.multiply = uniform({3, 7});
       }),
       "multiply: got [3,7]"},
      {op, "tables differ", call([](In&, Ragged&, BucketPlane&, AttentionTables& tables, auto&...) {
         tables.add = uniform({2, 8});
       }),
       "add: got [2,8]"},
      {op, "dense",
       call([](In&, Ragged&, BucketPlane&, AttentionTables&, Var& dense, auto&...) { dense = uniform({13}); }),
       "dense: got [13], expected [26]"},
      {op, "dropout", call([](In&, Ragged&, BucketPlane&, AttentionTables&, Var&, RaggedAttentionOptions& options) {
         options.dropout = 1;
       }),
       "dropout: got 1.0"},
      // 800 rows of one key and 1 row of a thousand: 102 groups of rows, however few pairs per key. Without features,
      // so that the numbers of heads cost nothing.
      {op, "more row groups than counters",
       [] {
         const auto heads = (std::int64_t{1} << 32) / 101;
         const Var q = Tensor::zeros({801, heads, 0}), k = Tensor::zeros({1001, 1, 0});
         ragged_attention(q, k, k, Ragged({0, 800, 801}), Ragged({0, 1, 1001}), {}, {}, {}, {.dropout = 0.5});
       },
       "ragged_attention: q: got [801,42524428,0] in 2 segments, expected at most 2^32 heads"},
      {op, "dtype", call([](In& in, auto&...) { in[2] = in[2].value().to(DType::float32); }),
       "v: got float32, expected float64"},
  };
});

}  // namespace
}  // namespace atto::test
