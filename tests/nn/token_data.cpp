#include "nn/language/token_data.hpp"

#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "tests/support/catch.hpp"

using namespace atto;

namespace {

std::vector<std::int32_t> numbers(std::int32_t count, std::int32_t first = 0) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

std::vector<std::int64_t> targets_of(const TokenData& data, const std::vector<std::int64_t>& samples) {
  std::vector<std::int64_t> all;
  for (const std::int64_t sample : samples) {
    const TokenBatch batch = data.batch(std::span(&sample, 1));
    CHECK(batch.tokens.size(0) == data.tokens(sample));
    CHECK(batch.sequences.total() == data.tokens(sample));
    for (std::int64_t i = 0; i < batch.tokens.size(0); ++i)  // numbers count up inside a piece
      CHECK(batch.targets.data<std::int64_t>()[i] == batch.tokens.data<std::int32_t>()[i] + 1);
    all.insert(all.end(), batch.targets.values<std::int64_t>().begin(), batch.targets.values<std::int64_t>().end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<std::int64_t> range(std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(to - from));
  std::iota(all.begin(), all.end(), from);
  return all;
}

}  // namespace

TEST_CASE("windows of a stream: every token but the first is a target once, and the end is kept for validation") {
  const TokenData data = TokenData::windows(numbers(100), {.length = 8, .valid = 0.2});
  CHECK(targets_of(data, data.split().train) == range(1, 80));
  CHECK(targets_of(data, data.split().valid) == range(81, 100));
  CHECK(data.split().train.size() == 10);
  CHECK(data.tokens(9) == 7);
  CHECK(data.split().test.empty());
  const std::vector<std::int64_t> chosen{1, 0};
  const TokenBatch batch = data.batch(chosen);
  CHECK(batch.tokens.dtype() == DType::int32);
  CHECK(batch.tokens.data<std::int32_t>()[0] == 8);
  CHECK(batch.tokens.data<std::int32_t>()[8] == 0);
  CHECK(batch.sequences == Ragged({0, 8, 16}));
}

TEST_CASE("documents are packed without a token lost, long ones cut, and short ones left out") {
  std::vector<std::vector<std::int32_t>> documents;
  std::int32_t first = 0;
  for (const std::int32_t size : {3, 1, 30, 0, 5, 7, 2, 4, 6, 3}) {
    documents.push_back(numbers(size, first));
    first += size;
  }
  const TokenData data = TokenData::documents(documents, {.length = 8, .valid = 0.3});
  std::vector<std::int64_t> expected;
  for (std::size_t d = 0; d < 7; ++d)
    for (std::size_t i = 1; i < documents[d].size(); ++i) expected.push_back(documents[d][i]);
  CHECK(targets_of(data, data.split().train) == expected);
  expected.clear();
  for (std::size_t d = 7; d < 10; ++d)
    for (std::size_t i = 1; i < documents[d].size(); ++i) expected.push_back(documents[d][i]);
  CHECK(targets_of(data, data.split().valid) == expected);
  // 8 8 8 5 of the long one, 6, 4, 2, 1: 42 tokens fit into six samples of 8.
  CHECK(data.split().train.size() == 6);
  for (std::int64_t sample = 0; sample < data.size(); ++sample) {
    CHECK(data.tokens(sample) <= 8);
    CHECK(data.tokens(sample) >= 1);
  }
}

TEST_CASE("token data: nothing, single tokens, and what does not fit") {
  CHECK(TokenData::windows({}).size() == 0);
  CHECK(TokenData::windows({7}).size() == 0);
  CHECK(TokenData::windows({7, 8}, {.valid = 0}).size() == 1);
  CHECK(TokenData::windows(numbers(20), {.valid = 1}).split().train.empty());
  CHECK(TokenData::documents({}).size() == 0);
  const TokenBatch nothing = TokenData::windows({7}).batch({});
  CHECK(nothing.tokens.size(0) == 0);
  CHECK(nothing.sequences.count() == 0);
  CHECK_THROWS_AS(TokenData::windows({1, 2}, {.length = 0}), ValueError);
  CHECK_THROWS_AS(TokenData::windows({1, 2}, {.valid = -0.1}), ValueError);
  CHECK_THROWS_AS(TokenData::windows({1, -2}), ValueError);
  const std::vector<std::int64_t> chosen{1};
  CHECK_THROWS_AS(TokenData::windows({1, 2}).batch(chosen), IndexError);
}
