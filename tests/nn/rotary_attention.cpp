// Rotary positions in an attention, and its cache of keys and values.

#include "nn/attention/graph_attention.hpp"
#include "nn/attention/rotary.hpp"
#include "ops/shape/shape.hpp"
#include "tests/nn/attention_slots.hpp"
#include "tests/support/errors.hpp"

namespace atto::test {
namespace {

AttentionOptions rotary_options() {
  return {.channels = 8,
          .heads = 4,
          .head_width = 4,
          .key_heads = 2,
          .rotary = RotaryEmbedding(4, {.theta = 100}),
          .causal = true};
}

std::vector<std::int64_t> values_of(const Tensor& x) {
  return {x.values<std::int64_t>().begin(), x.values<std::int64_t>().end()};
}

}  // namespace

TEST_CASE("positions are places in a segment, and queries are the last ones") {
  const Ragged queries({0, 2, 2, 3}), keys({0, 2, 4, 8});
  CHECK(values_of(key_positions(keys)) == std::vector<std::int64_t>{0, 1, 0, 1, 0, 1, 2, 3});
  CHECK(values_of(query_positions(queries, keys)) == std::vector<std::int64_t>{0, 1, 3});
}

TEST_CASE("rotary attention with grouped queries: fused equals lowered, whole and with more keys than queries") {
  const Model model({.seed = 1, .dtype = DType::float64});
  AttentionOptions options = rotary_options();
  const GraphAttention attention(model / "attention", options);
  const Var x = Var::leaf(uniform(Shape{9, 8}));
  const Ragged all({0, 4, 4, 9}), last({0, 1, 1, 4});
  CHECK(attention.plan(Support::causal(all)) == "ragged_attention, fused");
  for (const Support& support : {Support::causal(all), Support::causal(last, all)}) {
    const auto inputs = [&] {
      AttentionInputs in;
      in.query = support.num_dst() == 9 ? x : concat({rows(x, 3, 4), rows(x, 6, 9)}, 0);
      in.source = x;
      return in;
    };
    compare(outcome(model, x, [&] { return attention(inputs(), support); }),
            outcome(model, x, [&] { return attention.lowered(inputs(), support); }));
  }
  // The queries that come last see what they see among all.
  const Tensor whole = attention(x, Support::causal(all)).value();
  const Tensor part =
      attention({.query = concat({rows(x, 3, 4), rows(x, 6, 9)}, 0), .source = x}, Support::causal(last, all)).value();
  CHECK(mismatch(part.rows(0, 1), whole.rows(3, 4), Tensor::full(Shape{1, 8}, 1, DType::float64), 1e-13) == "");
  CHECK(mismatch(part.rows(1, 4), whole.rows(6, 9), Tensor::full(Shape{3, 8}, 1, DType::float64), 1e-13) == "");
}

TEST_CASE("rotary attention depends on positions, and not on where a sequence stands in a batch") {
  const Model model({.seed = 1, .dtype = DType::float64});
  const GraphAttention attention(model / "attention", rotary_options());
  const Tensor x = uniform(Shape{5, 8});
  const Tensor alone = attention(x, Support::causal(Ragged::single(5))).value();
  const Tensor behind =
      attention(concat({uniform(Shape{3, 8}, -1, 1, 7), x}, 0), Support::causal(Ragged({0, 3, 8}))).value().rows(3, 8);
  CHECK(mismatch(behind, alone, Tensor::full(alone.shape(), 1, DType::float64), 1e-13) == "");
  AttentionOptions plain = rotary_options();
  plain.rotary.reset();
  const Model other({.seed = 1, .dtype = DType::float64});
  const GraphAttention without(other / "attention", plain);
  CHECK(mismatch(without(x, Support::causal(Ragged::single(5))).value(), alone,
                 Tensor::full(alone.shape(), 1, DType::float64), 1e-3) != "");
}

TEST_CASE("rotary attention refuses edges and heads of another width") {
  const Model model;
  AttentionOptions options = rotary_options();
  options.causal = false;
  const GraphAttention attention(model / "attention", options);
  CHECK_THAT_SAYS(ValueError, attention(Var(Tensor::zeros(Shape{9, 8})), support_of("edges")), "edges have none");
  options.head_width = 6;
  CHECK_THAT_SAYS(ValueError, GraphAttention(model / "other", options), "head_width = 6");
}

TEST_CASE("a cache fed in pieces of any size gives what the whole sequences give, fused and lowered") {
  const Model model({.seed = 1, .dtype = DType::float64});
  for (const bool composed : {false, true}) {
    AttentionOptions options = rotary_options();
    if (composed) options.gate = SigmoidGate{};
    const GraphAttention attention(model / (composed ? "composed" : "fused"), options);
    const std::vector<std::int64_t> lengths{7, 0, 12, 3};
    const Ragged all = Ragged::from_sizes(lengths);
    const Tensor x = uniform(Shape{22, 8});
    const NoGrad no_grad;
    const Tensor whole = attention(x, Support::causal(all)).value();
    for (const std::int64_t piece : {1, 2, 5, 12}) {
      INFO((composed ? "composed, " : "fused, ") << piece << " at a time");
      KeyValueCache cache(1, 4);
      for (std::int64_t from = 0; from < 12; from += piece) {
        std::vector<std::int64_t> sizes;
        std::vector<Var> parts;
        for (std::int64_t s = 0; s < 4; ++s) {
          const std::int64_t begin = std::min(from, all.size(s)), end = std::min(from + piece, all.size(s));
          sizes.push_back(end - begin);
          parts.push_back(Var(x.rows(all.begin(s) + begin, all.begin(s) + end)));
        }
        const Support support = cache.extend(Ragged::from_sizes(sizes));
        const Tensor y = attention({.query = concat(parts, 0), .cache = &cache.layer(0)}, support).value();
        std::int64_t row = 0;
        for (std::int64_t s = 0; s < 4; ++s)
          for (std::int64_t i = 0; i < sizes[static_cast<std::size_t>(s)]; ++i, ++row)
            CHECK(mismatch(y.rows(row, row + 1), whole.rows(all.begin(s) + from + i, all.begin(s) + from + i + 1),
                           Tensor::full(Shape{1, 8}, 1, DType::float64), 1e-13) == "");
      }
      for (std::int64_t s = 0; s < 4; ++s) CHECK(cache.length(s) == all.size(s));
    }
  }
}

TEST_CASE("a cache refuses gradients, rows that nobody announced, and other numbers of sequences") {
  const Model model({.seed = 1, .dtype = DType::float64});
  const GraphAttention attention(model / "attention", rotary_options());
  KeyValueCache cache(1, 2);
  const Support support = cache.extend(Ragged({0, 2, 3}));
  CHECK_THAT_SAYS(StateError, attention({.query = uniform(Shape{3, 8}), .cache = &cache.layer(0)}, support), "NoGrad");
  const NoGrad no_grad;
  CHECK_THROWS_AS(cache.layer(0).keys(uniform(Shape{4, 2, 4})), ShapeError);
  CHECK_NOTHROW(attention({.query = uniform(Shape{3, 8}), .cache = &cache.layer(0)}, support));
  CHECK_THROWS_AS(cache.layer(0).keys(uniform(Shape{3, 1, 4})), ShapeError);
  CHECK_THROWS_AS(cache.extend(Ragged({0, 1})), ShapeError);
}

}  // namespace atto::test
