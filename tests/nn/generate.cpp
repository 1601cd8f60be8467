// Choosing tokens, and generation with and without the cache.

#include "nn/language/generate.hpp"

#include <cmath>
#include <limits>
#include <map>

#include "autograd/tape.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/op_case.hpp"

using namespace atto;
using namespace atto::test;

namespace {

const Tensor kLogits = Tensor::from<double>({0.0, std::log(4.0), std::log(2.0), -INFINITY, std::log(3.0)}, Shape{5});

// How often each token is drawn for evenly spread uniform numbers, out of 1000.
std::map<std::int32_t, int> counts(const SamplingOptions& options) {
  std::map<std::int32_t, int> result;
  for (int i = 0; i < 1000; ++i) ++result[choose_token(kLogits, options, (i + 0.5) / 1000)];
  return result;
}

struct Small {
  explicit Small(const LanguageModelOptions& options = {.vocabulary = 13,
                                                        .channels = 16,
                                                        .layers = 3,
                                                        .heads = 4,
                                                        .key_heads = 2,
                                                        .rotary = {.theta = 100},
                                                        .deviation = 0.5})
      : root({.seed = 2, .dtype = DType::float64}), model(root, options) {
    root.eval();
  }
  Model root;
  LanguageModel model;
};

const std::vector<Tokens> kPrompts{{3, 1, 6, 0, 12}, {5}, {2, 2, 2, 7, 7, 7, 1, 0, 4}};

}  // namespace

TEST_CASE("tokens are drawn by their probability, within the cuts") {
  CHECK(counts({}) == std::map<std::int32_t, int>{{0, 100}, {1, 400}, {2, 200}, {4, 300}});
  CHECK(counts({.greedy = true}) == std::map<std::int32_t, int>{{1, 1000}});
  CHECK(counts({.top_k = 1}) == std::map<std::int32_t, int>{{1, 1000}});
  CHECK(counts({.top_k = 2}) == std::map<std::int32_t, int>{{1, 571}, {4, 429}});
  CHECK(counts({.top_k = 100}) == counts({}));
  CHECK(counts({.top_p = 0.4}) == std::map<std::int32_t, int>{{1, 1000}});
  CHECK(counts({.top_p = 0.41}) == std::map<std::int32_t, int>{{1, 571}, {4, 429}});
  CHECK(counts({.top_p = 0.001}) == std::map<std::int32_t, int>{{1, 1000}});
  // Of the three most likely 4/9 and 3/9 reach 0.7.
  CHECK(counts({.top_k = 3, .top_p = 0.7}) == std::map<std::int32_t, int>{{1, 571}, {4, 429}});
  CHECK(counts({.temperature = 0.5}) == std::map<std::int32_t, int>{{0, 33}, {1, 534}, {2, 133}, {4, 300}});
  CHECK(counts({.temperature = 1e-4}) == std::map<std::int32_t, int>{{1, 1000}});
  const Tensor equal = Tensor::zeros(Shape{4}, DType::float32);
  CHECK(choose_token(equal, {.greedy = true}, 0.9) == 0);
  CHECK(choose_token(equal, {.top_k = 2}, 0.9) == 1);
  CHECK(choose_token(equal, {}, 0.9999999) == 3);
}

TEST_CASE("what cannot be drawn from is an error") {
  CHECK_THROWS_AS(choose_token(kLogits, {.temperature = 0}, 0), ValueError);
  CHECK_THROWS_AS(choose_token(kLogits, {.top_k = -1}, 0), ValueError);
  CHECK_THROWS_AS(choose_token(kLogits, {.top_p = 0}, 0), ValueError);
  CHECK_THROWS_AS(choose_token(kLogits, {.top_p = 1.5}, 0), ValueError);
  CHECK_THAT_SAYS(NumericError, choose_token(Tensor::from<double>({0.0, std::nan("")}, {2}), {}, 0), "token 1");
  CHECK_THROWS_AS(choose_token(Tensor::full(Shape{3}, -INFINITY, DType::float64), {}, 0), NumericError);
  CHECK_THROWS_AS(choose_token(Tensor::zeros(Shape{0}), {}, 0), NumericError);
  const Small small;
  CHECK_THAT_SAYS(ValueError, generate_tokens(small.model, std::vector<Tokens>{{1}, {}}), "no token in prompt 1");
  CHECK_THROWS_AS(generate_tokens(small.model, std::vector<Tokens>{{13}}), IndexError);
}

TEST_CASE("cached and uncached generation agree, for prompts of different lengths side by side") {
  const Small small;
  for (const SamplingOptions& sampling :
       {SamplingOptions{.greedy = true}, SamplingOptions{.temperature = 1.3, .top_k = 7, .top_p = 0.9}}) {
    std::vector<std::vector<Tensor>> logits[2];
    std::vector<Tokens> texts[2];
    for (const bool cache : {false, true}) {
      logits[cache].resize(kPrompts.size());
      texts[cache] = generate_tokens(small.model, kPrompts,
                                     {.tokens = 40,
                                      .sampling = sampling,
                                      .seed = 9,
                                      .cache = cache,
                                      .on_token = [&](std::int64_t text, std::int32_t, const Tensor& row) {
                                        logits[cache][static_cast<std::size_t>(text)].push_back(row.clone());
                                      }});
    }
    REQUIRE(texts[0] == texts[1]);
    for (std::size_t t = 0; t < kPrompts.size(); ++t) {
      REQUIRE(texts[0][t].size() == 40);
      REQUIRE(logits[0][t].size() == 40);
      for (std::size_t i = 0; i < 40; ++i)
        CHECK(mismatch(logits[1][t][i], logits[0][t][i], Tensor::full(Shape{13}, 1, DType::float64), 1e-12) == "");
      // A text does not depend on those beside it, but for the stream that it draws from.
      if (sampling.greedy)
        CHECK(generate_tokens(small.model, std::span(&kPrompts[t], 1), {.tokens = 40, .sampling = sampling})[0] ==
              texts[0][t]);
    }
  }
}

TEST_CASE("generation repeats with its seed, and ends at a stop token") {
  const Small small;
  const auto run = [&](std::uint64_t seed, std::vector<std::int32_t> stop = {}, bool cache = true) {
    return generate_tokens(small.model, kPrompts,
                           {.tokens = 30, .stop = std::move(stop), .seed = seed, .cache = cache});
  };
  const std::vector<Tokens> free = run(1);
  CHECK(run(1) == free);
  CHECK(run(2) != free);
  const std::int32_t stop = free[0][4];
  for (const bool cache : {true, false}) {
    const std::vector<Tokens> stopped = run(1, {stop}, cache);
    for (std::size_t t = 0; t < free.size(); ++t) {
      const auto end = std::find(free[t].begin(), free[t].end(), stop);
      CHECK(stopped[t] == Tokens(free[t].begin(), end == free[t].end() ? end : end + 1));
    }
  }
  CHECK(generate_tokens(small.model, kPrompts, {.tokens = 0}) == std::vector<Tokens>(3));
  CHECK(generate_tokens(small.model, {}, {.tokens = 3}).empty());
}
