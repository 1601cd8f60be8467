#include <map>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/random.hpp"
#include "nn/text/train_byte_pairs.hpp"
#include "tests/nn/tokenizers.hpp"
#include "tests/support/data.hpp"
#include "tests/support/errors.hpp"

using namespace atto;
using test::Ids;

namespace {

std::vector<std::string> learnt(const Tokenizer& tokenizer) {
  std::vector<std::string> tokens;
  for (std::int32_t id = 256; id < tokenizer.vocabulary_size(); ++id) tokens.push_back(tokenizer.token(id));
  return tokens;
}

// The definition: count all pairs anew for every merge.
std::vector<std::string> learnt_by_definition(std::vector<std::vector<std::string>> words, std::size_t merges,
                                              const std::map<std::string, int>& bytes) {
  std::map<std::string, int> ids = bytes;
  std::vector<std::string> tokens;
  while (tokens.size() < merges) {
    std::map<std::pair<std::string, std::string>, std::int64_t> counts;
    for (const auto& word : words)
      for (std::size_t i = 0; i + 1 < word.size(); ++i) ++counts[{word[i], word[i + 1]}];
    const std::pair<std::string, std::string>* best = nullptr;
    for (const auto& [pair, count] : counts) {
      if (count < 2) continue;
      const auto order = [&](const auto& p) { return std::pair(ids.at(p.first), ids.at(p.second)); };
      if (best == nullptr || count > counts[*best] || (count == counts[*best] && order(pair) < order(*best)))
        best = &pair;
    }
    if (best == nullptr) break;
    const auto [left, right] = *best;
    if (ids.emplace(left + right, static_cast<int>(ids.size())).second) tokens.push_back(left + right);
    for (auto& word : words)
      for (std::size_t i = 0; i + 1 < word.size(); ++i)
        if (word[i] == left && word[i + 1] == right) {
          word[i] += right;
          word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
  }
  return tokens;
}

}  // namespace

TEST_CASE("training byte pairs: worked by hand") {
  // low x 5, lower x 2, newest x 6, widest x 3 (Sennrich et al. 2016, section 3.2), without blanks inside words
  std::string text;
  for (int i = 0; i < 5; ++i) text += "low\n";
  for (int i = 0; i < 2; ++i) text += "lower\n";
  for (int i = 0; i < 6; ++i) text += "newest\n";
  for (int i = 0; i < 3; ++i) text += "widest\n";
  // es 9, then st is est's: est 9; l o 7, lo w 7; then of n e 6, e w 6, w est 6 the one of the smallest ids
  const Tokenizer tokenizer = train_byte_pairs(text, {.vocabulary_size = 261});
  CHECK(learnt(tokenizer) == std::vector<std::string>{"es", "est", "lo", "low", "ew"});
  CHECK(tokenizer.encode("lowest").size() == 2);
}

TEST_CASE("training byte pairs: counts kept up to date are the counts") {
  Generator random(3);
  std::map<std::string, int> bytes;  // in the order of their stand-ins
  const Tokenizer plain = train_byte_pairs("", {.vocabulary_size = 256});
  for (std::int32_t id = 0; id < 256; ++id) bytes[plain.token(id)] = id;
  for (int round = 0; round < 30; ++round) {
    std::string text;
    std::vector<std::vector<std::string>> words(1);
    for (int i = 0; i < 120; ++i) {
      const char letter = static_cast<char>('a' + random.below(round % 3 + 1));
      text += letter;
      words.back().emplace_back(1, letter);
      if (random.below(8) != 0) continue;
      text += '\n';
      words.push_back({"\xc4\x8a"});  // Ċ
      words.emplace_back();
    }
    INFO(text);
    CHECK(learnt(train_byte_pairs(text, {.vocabulary_size = 290})) == learnt_by_definition(words, 34, bytes));
  }
}

TEST_CASE("training byte pairs: options") {
  std::vector<std::pair<std::int64_t, std::int64_t>> calls;
  const std::string text = "<|end|>aaaa aaaa<|end|> bcbc<|end|>";
  const Tokenizer tokenizer =
      train_byte_pairs(text, {.vocabulary_size = 262, .special = {"<|end|>"}, .progress = [&](auto done, auto most) {
                                calls.emplace_back(done, most);
                              }});
  CHECK(tokenizer.id("<|end|>") == 0);
  CHECK(tokenizer.token(1) == "!");
  REQUIRE(!calls.empty());
  for (std::size_t i = 0; i < calls.size(); ++i)
    CHECK(calls[i] == std::pair(static_cast<std::int64_t>(i + 1), std::int64_t{5}));
  for (std::int32_t id = 257; id < tokenizer.vocabulary_size(); ++id) CHECK(!test::contains(tokenizer.token(id), "<"));
  CHECK(train_byte_pairs("aaaa aaaa", {.min_frequency = 100}).vocabulary_size() == 256);
  CHECK(train_byte_pairs("").vocabulary_size() == 256);
  const std::string_view texts[] = {"ab", "ab"};
  CHECK(learnt(train_byte_pairs(texts)) == std::vector<std::string>{"ab"});
  CHECK(learnt(train_byte_pairs("a b a b", {.vocabulary_size = 257, .pattern = ""})) == std::vector<std::string>{"aĠ"});
  CHECK_THAT_SAYS(ValueError, train_byte_pairs("a", {.vocabulary_size = 256, .special = {"<s>"}}), "at least 257");
  CHECK_THAT_SAYS(ValueError, train_byte_pairs("a", {.pattern = "("}), "pattern");
  CHECK_THAT_SAYS(ValueError, train_byte_pairs("a", {.special = {"\xff"}}), "UTF-8");
}

TEST_CASE("training byte pairs: tinyshakespeare, a thousand merges, back without loss", "[data]") {
  const auto data = test::data_folder();
  if (!data) return test::skip_data();
  const std::string text = read_file(*data / "tinyshakespeare" / "input.txt");
  const Tokenizer tokenizer = train_byte_pairs(text, {.vocabulary_size = 1256});
  const Ids ids = tokenizer.encode(text);
  CHECK(tokenizer.vocabulary_size() == 1256);
  CHECK(ids.size() == 435674);  // the number that the peer's training and encoding give
  CHECK(tokenizer.decode(ids) == text);
}
