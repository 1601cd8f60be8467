#include <nlohmann/json.hpp>
#include <thread>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/random.hpp"
#include "nn/text/tokenizer.hpp"
#include "nn/text/train_byte_pairs.hpp"
#include "tests/nn/tokenizers.hpp"
#include "tests/support/errors.hpp"

using namespace atto;
using test::file_of;
using test::Ids;
using test::tokenizer_of;

namespace {

std::string random_bytes(Generator& random, std::int64_t size, bool text) {
  constexpr std::string_view pieces[] = {"the",  " cat", "'s",   "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                         "\r\n", "  ",   "12345"};
  std::string out;
  while (static_cast<std::int64_t>(out.size()) < size)
    if (text && random.below(4) != 0) out += pieces[random.below(std::size(pieces))];
    else out += static_cast<char>(static_cast<unsigned char>(random.below(256)));
  return out;
}

std::string numbered(char first, int count) {  // {"a":0,"b":1,...}
  std::string vocabulary;
  for (int i = 0; i < count; ++i)
    vocabulary += (i == 0 ? "\"" : ",\"") + std::string(1, static_cast<char>(first + i)) + "\":" + std::to_string(i);
  return vocabulary;
}

// What byte-pair encoding is: the first pair of the list that stands anywhere, its leftmost place, until there is none.
Ids merged_by_definition(Ids ids, const std::vector<std::array<std::int32_t, 3>>& merges) {
  for (bool any = true; any;) {
    any = false;
    for (const auto& [left, right, whole] : merges) {
      for (std::size_t i = 0; !any && i + 1 < ids.size(); ++i) {
        if (ids[i] != left || ids[i + 1] != right) continue;
        ids[i] = whole;
        ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        any = true;
      }
      if (any) break;
    }
  }
  return ids;
}

}  // namespace

TEST_CASE("tokenizer: bytes are their own ids, special tokens follow and are read only on request") {
  const Tokenizer tokenizer = byte_tokenizer({"<|end|>", "<|pad|>"});
  CHECK(tokenizer.vocabulary_size() == 258);
  const std::string text("a\0\xff\xc3\xa9 ", 6);
  CHECK(tokenizer.encode(text) == Ids{'a', 0, 0xff, 0xc3, 0xa9, ' '});
  CHECK(tokenizer.encode("<|end|>").size() == 7);
  CHECK(tokenizer.encode("x<|end|><|pad|>", {.parse_special = true}) == Ids{'x', 256, 257});
  CHECK(tokenizer.decode(Ids{'x', 256, 0xff}) == "x<|end|>\xff");
  CHECK(tokenizer.decode(Ids{'x', 256, 0xff}, {.keep_special = false}) == "x\xff");
  CHECK(tokenizer.id("<|pad|>") == 257);
  CHECK(tokenizer.id("Ġ") == 32);
  CHECK_FALSE(tokenizer.id("<|x|>").has_value());
  CHECK(tokenizer.token(257) == "<|pad|>");
  CHECK(tokenizer.token(10) == "Ċ");
  REQUIRE(tokenizer.special_tokens().size() == 2);
  CHECK(tokenizer.special_tokens()[0].id == 256);
  CHECK(tokenizer.encode("").empty());
  CHECK(tokenizer.decode({}).empty());
  CHECK_THAT_SAYS(IndexError, tokenizer.decode(Ids{258}), "258");
  CHECK_THAT_SAYS(IndexError, tokenizer.token(-1), "-1");
  CHECK_THAT_SAYS(ValueError, byte_tokenizer({"a", "a"}), "different");
  CHECK_THAT_SAYS(ValueError, byte_tokenizer({""}), "not empty");
  CHECK_THAT_SAYS(ValueError, byte_tokenizer({"\xff"}), "UTF-8");
}

TEST_CASE("tokenizer: characters in the order of Unicode, others an error with their place, or the unknown token") {
  const Tokenizer strict = character_tokenizer("bab\xc3\xa9\xf0\x9f\x98\x80\n");
  CHECK(strict.vocabulary_size() == 5);
  CHECK(strict.encode("\n\xc3\xa9") == Ids{0, 3});
  CHECK(strict.encode("ab\xf0\x9f\x98\x80") == Ids{1, 2, 4});
  CHECK(strict.decode(Ids{4, 1, 0}) ==
        "\xf0\x9f\x98\x80"
        "a\n");
  CHECK_THAT_SAYS(ValueError,
                  strict.encode("\xc3\xa9"
                                "abc"),
                  "\"c\" at byte 4");
  CHECK_THAT_SAYS(ValueError, strict.encode("ab\xff"), "0xff at byte 2");
  CHECK_THAT_SAYS(ValueError, strict.encode("ab\xe2\x82"), "0xe2 at byte 2");
  CHECK_THAT_SAYS(ValueError, character_tokenizer("ab\x80"), "byte at 2");
  const Tokenizer lenient = character_tokenizer("ba", {.unknown = "<unk>", .special = {"<s>"}});
  CHECK(lenient.encode("axb\xff") == Ids{0, 2, 1, 2});
  CHECK(lenient.decode(Ids{0, 2, 3}) == "a<unk><s>");
  CHECK(lenient.encode("<s>", {.parse_special = true}) == Ids{3});
  CHECK(character_tokenizer("").vocabulary_size() == 0);
  CHECK_THAT_SAYS(ValueError, character_tokenizer("").encode("a"), "\"a\" at byte 0");
}

TEST_CASE("tokenizer: byte pairs merge by rank, then from the left") {
  const std::string vocabulary = R"({"a":0,"b":1,"c":2,"bc":3,"ab":4,"aa":5,"abab":6})";
  const Tokenizer tokenizer =
      tokenizer_of(file_of(vocabulary, R"(["b c",["a","b"],"a a",["ab","ab"]])", {}, R"("decoder":{"type":"Fuse"})"));
  CHECK(tokenizer.encode("abc") == Ids{0, 3});  // b c comes before a b
  CHECK(tokenizer.encode("ab") == Ids{4});
  CHECK(tokenizer.encode("aaa") == Ids{5, 0});  // from the left
  CHECK(tokenizer.encode("aab") == Ids{0, 4});  // a b comes before a a
  CHECK(tokenizer.encode("ababab") == Ids{6, 4});
  CHECK(tokenizer.encode("ababc") == Ids{4, 0, 3});
  CHECK(tokenizer.decode(Ids{6, 3}) == "ababbc");
  const Tokenizer whole =
      tokenizer_of(file_of(R"({"a":0,"b":1,"c":2,"bc":3,"abc":4})", R"(["b c"])", R"("ignore_merges":true)"));
  CHECK(whole.encode("abc") == Ids{4});  // though no merge leads there
  CHECK(whole.encode("aabc") == Ids{0, 0, 3});
}

TEST_CASE("tokenizer: the heap of pairs gives what the definition gives") {
  Generator random(11);
  for (int round = 0; round < 40; ++round) {
    // Random merges over three letters, each of two tokens that are there.
    std::vector<std::string> tokens{"a", "b", "c"};
    std::vector<std::array<std::int32_t, 3>> merges;
    std::string list;
    for (int k = 0; k < 12; ++k) {
      const auto left = static_cast<std::int32_t>(random.below(static_cast<std::int64_t>(tokens.size())));
      const auto right = static_cast<std::int32_t>(random.below(static_cast<std::int64_t>(tokens.size())));
      const std::string joined = tokens[static_cast<std::size_t>(left)] + tokens[static_cast<std::size_t>(right)];
      if (std::any_of(merges.begin(), merges.end(), [&](const auto& m) { return m[0] == left && m[1] == right; }))
        continue;
      const auto place = std::find(tokens.begin(), tokens.end(), joined);
      merges.push_back({left, right, static_cast<std::int32_t>(place - tokens.begin())});
      list += (list.empty() ? "\"" : ",\"") + tokens[static_cast<std::size_t>(left)] + " " +
              tokens[static_cast<std::size_t>(right)] + "\"";
      if (place == tokens.end()) tokens.push_back(joined);
    }
    std::string vocabulary;
    for (std::size_t i = 0; i < tokens.size(); ++i)
      vocabulary += (i == 0 ? "\"" : ",\"") + tokens[i] + "\":" + std::to_string(i);
    const Tokenizer tokenizer = tokenizer_of(file_of("{" + vocabulary + "}", "[" + list + "]"));
    for (int k = 0; k < 20; ++k) {
      std::string text;
      Ids letters;
      for (std::int64_t i = random.below(30); i > 0; --i) {
        letters.push_back(static_cast<std::int32_t>(random.below(3)));
        text += static_cast<char>('a' + letters.back());
      }
      INFO(text << " by " << list);
      CHECK(tokenizer.encode(text) == merged_by_definition(letters, merges));
    }
  }
}

TEST_CASE("tokenizer: any bytes come back from byte-level tokens, from a saved file too") {
  const test::TemporaryFolder folder;
  Generator random(5);
  const std::string sample = random_bytes(random, 4000, true);
  std::vector<Tokenizer> tokenizers{byte_tokenizer({"<|end|>"})};
  for (const std::string_view pattern : {text::gpt2_pattern, text::llama3_pattern, std::string_view()})
    tokenizers.push_back(
        train_byte_pairs(sample, {.vocabulary_size = 330, .special = {"<|end|>"}, .pattern = std::string(pattern)}));
  for (const Tokenizer& tokenizer : tokenizers) {
    const auto path = folder / "saved.json", again = folder / "again.json";
    tokenizer.save(path);
    const Tokenizer loaded = load_tokenizer(path);
    loaded.save(again);
    CHECK(read_file(path) == read_file(again));
    CHECK(loaded.vocabulary_size() == tokenizer.vocabulary_size());
    for (int k = 0; k < 100; ++k) {
      std::string text = random_bytes(random, random.below(60), k % 2 == 0);
      if (k % 5 == 0) text.insert(text.size() / 2, "<|end|>");
      const Ids ids = tokenizer.encode(text, {.parse_special = k % 3 == 0});
      CHECK(tokenizer.decode(ids) == text);
      CHECK(loaded.encode(text, {.parse_special = k % 3 == 0}) == ids);
    }
  }
  CHECK(folder.entries() == 2);
}

TEST_CASE("tokenizer: a saved file names every key that other readers of the format insist on") {
  const test::TemporaryFolder folder;
  train_byte_pairs("a b a b", {.special = {"<|end|>"}}).save(folder / "t.json");
  const auto document = nlohmann::json::parse(read_file(folder / "t.json"));
  for (const char* key : {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                          "post_processor", "decoder", "model"})
    CHECK(document.contains(key));
  for (const char* key : {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"})
    CHECK(document["added_tokens"][0].contains(key));
  for (const char* key : {"add_prefix_space", "trim_offsets", "use_regex"}) {
    CHECK(document["decoder"].contains(key));
    CHECK(document["pre_tokenizer"]["pretokenizers"][1].contains(key));
  }
  for (const char* key :
       {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback"})
    CHECK(document["model"].contains(key));
}

TEST_CASE("tokenizer: bytes that are not UTF-8 are words of their own and change nothing around them") {
  const Tokenizer tokenizer = train_byte_pairs("the cat the cat \xff\xfe \xff\xfe", {.vocabulary_size = 280});
  const Ids the_cat = tokenizer.encode("the cat"), bytes = tokenizer.encode("\xff\xfe");
  CHECK(bytes.size() == 1);  // learnt as a pair
  Ids all = the_cat;
  all.insert(all.end(), bytes.begin(), bytes.end());
  all.insert(all.end(), the_cat.begin(), the_cat.end());
  CHECK(tokenizer.encode("the cat\xff\xfethe cat") == all);
}

TEST_CASE("tokenizer: begin and end tokens, and unknown characters by bytes") {
  std::string vocabulary = R"({"<unk>":0,"<s>":1,"</s>":2,"a":3)";
  constexpr char digits[] = "0123456789ABCDEF";
  for (int byte = 0; byte < 256; ++byte)
    vocabulary += std::string(",\"<0x") + digits[byte / 16] + digits[byte % 16] + ">\":" + std::to_string(byte + 4);
  const std::string stages =
      R"("added_tokens":[{"id":1,"content":"<s>","special":true},{"id":2,"content":"</s>","special":true}],
    "post_processor":{"type":"Sequence","processors":[{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
    {"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[1],
    "tokens":["<s>"]},"</s>":{"id":"</s>","ids":[2],"tokens":["</s>"]}}}]},"decoder":{"type":"ByteFallback"})";
  const Tokenizer tokenizer =
      tokenizer_of(file_of(vocabulary + "}", "[]", R"("byte_fallback":true,"unk_token":"<unk>")", stages));
  CHECK(tokenizer.begin_tokens() == Ids{1});
  CHECK(tokenizer.end_tokens() == Ids{2});
  CHECK(tokenizer.encode("a\xc3\xa9\xff", {.add_special = true}) == Ids{1, 3, 0xc3 + 4, 0xa9 + 4, 0xff + 4, 2});
  CHECK(tokenizer.decode(Ids{1, 3, 0xc3 + 4, 0xa9 + 4, 0xff + 4, 2}, {.keep_special = false}) == "a\xc3\xa9\xff");
}

TEST_CASE("tokenizer: threads share one") {
  const Tokenizer tokenizer = train_byte_pairs("to be or not to be, that is the question", {.vocabulary_size = 270});
  const std::string text = "is it to be or not";
  const Ids expected = tokenizer.encode(text);
  std::vector<int> equal(4);
  std::vector<std::thread> threads;
  for (int& count : equal)
    threads.emplace_back([&] {
      for (int k = 0; k < 200; ++k) count += tokenizer.encode(text) == expected;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(equal == std::vector<int>(4, 200));
}

TEST_CASE("tokenizer: a word of a million characters takes no quadratic time", "[slow]") {
  const Tokenizer tokenizer =
      tokenizer_of(file_of("{" + numbered('a', 2) + R"(,"ab":2,"abab":3,"ba":4})", R"(["a b","ab ab","b a"])"));
  std::string text;
  for (int i = 0; i < 500'000; ++i) text += "ab";
  CHECK(tokenizer.encode(text) == Ids(250'000, 3));
}
