// Files that anybody may have written.
#include <fstream>

#include "core/error.hpp"
#include "core/file.hpp"
#include "tests/nn/tokenizers.hpp"
#include "tests/support/errors.hpp"

using namespace atto;
using test::file_of;
using test::Ids;
using test::tokenizer_of;

namespace {

constexpr const char* kVocabulary = R"({"a":0,"b":1,"ab":2})";
constexpr const char* kMerges = R"(["a b"])";

std::string with(const std::string& stages) {
  return file_of(kVocabulary, kMerges, {}, stages);
}

struct Case {
  std::string file, says;
};

void all_refused(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    INFO(c.file.substr(0, 300));
    CHECK_THAT_SAYS(FileError, tokenizer_of(c.file), c.says);
  }
}

}  // namespace

TEST_CASE("tokenizer file: damage and nonsense are refused with place and reason") {
  const std::string deep(100'000, '[');
  all_refused({
      {"", "not valid JSON"},
      {"{", "not valid JSON"},
      {"3", "is no object"},
      {"[]", "is no object"},
      {"{}", "lacks the key \"model\""},
      {deep, "nested deeper than 32"},
      {R"({"model":)" + deep, "nested deeper than 32"},
      {"{\"a\xff\":1}", "not valid JSON"},
      {R"({"model":1,"model":2})", "gives the key \"model\" of one object twice"},
      {R"({"model":1e999})", "a number that is too large"},
      {R"({"models":1})", "unknown key \"models\""},
      {R"({"model":{"type":"Unigram"}})", "model: is a model of type \"Unigram\""},
      {R"({"model":{"type":3}})", "model.type: is no string"},
      {R"({"model":{"type":"BPE"}})", "lacks the key \"vocab\""},
      {R"({"model":{"type":"BPE","vocab":{}}})", "lacks the key \"merges\""},
      {R"({"model":{"type":"BPE","vocab":[],"merges":[]}})", "model.vocab: is no object"},
      {file_of(R"({"a":0,"a":1})", "[]"), "gives the key \"a\" of one object twice"},
      {file_of(R"({"a":0,"b":0})", "[]"), "gives one id to \"a\" and \"b\""},
      {file_of(R"({"a":-1})", "[]"), "model.vocab.a: is -1"},
      {file_of(R"({"a":"0"})", "[]"), "is \"0\", expected an integer"},
      {file_of(R"({"a":0.0})", "[]"), "is 0.0"},
      {file_of(R"({"a":null})", "[]"), "is null"},
      {file_of(R"({"a":2147483647})", "[]"), "is 2147483647"},
      {file_of(R"({"a":18446744073709551615})", "[]"), "is 18446744073709551615"},
      {file_of(R"({"a":18446744073709551616})", "[]"), "expected an integer"},
      {file_of(R"({"a":2000000000})", "[]"), "has an id 2000000000, but there are only 1 tokens"},
      {file_of(R"({"":0})", "[]"), "an empty token"},
      {file_of(kVocabulary, "{}"), "model.merges: is no array"},
      {file_of(kVocabulary, R"(["a x"])"), "model.merges[0]: names \"x\", which is not in the vocabulary"},
      {file_of(kVocabulary, R"(["a b","b a"])"), "merges[1]: got \"b\" and \"a\", expected a pair whose union"},
      {file_of(kVocabulary, R"(["a b",["a","b"]])"), "merges[1]: got \"a\" and \"b\", expected every pair once"},
      {file_of(kVocabulary, R"(["ab"])"), "\"ab\" is not two tokens"},
      {file_of(kVocabulary, R"(["a b c"])"), "is not two tokens"},
      {file_of(kVocabulary, R"([["a"]])"), "is not a pair"},
      {file_of(kVocabulary, R"([["a",1]])"), "merges[0][1]: is no string"},
      {file_of(kVocabulary, R"([7])"), "merges[0]: is no string"},
      {file_of(kVocabulary, kMerges, R"("dropout":0.1)"), "model.dropout: is 0.1, which is not supported"},
      {file_of(kVocabulary, kMerges, R"("end_of_word_suffix":"</w>")"), "model.end_of_word_suffix: is \"</w>\""},
      {file_of(kVocabulary, kMerges, R"("continuing_subword_prefix":"##")"), "is \"##\""},
      {file_of(kVocabulary, kMerges, R"("unk_token":"?")"), "has no token for its unk_token \"?\""},
      {file_of(kVocabulary, kMerges, R"("byte_fallback":1)"), "byte_fallback: is neither true nor false"},
      {file_of(kVocabulary, kMerges, R"("vocab_size":1)"), "unknown key \"vocab_size\""},
      {with(R"("version":"2.0")"), "version: is not 1.0"},
      {with(R"("truncation":{"max_length":8})"), "truncation: is {\"max_length\":8}, which is not supported"},
      {with(R"("padding":{})"), "padding: is {}"},
  });
  CHECK_THAT_SAYS(FileError, load_tokenizer("/nonexistent/tokenizer.json"), "No such file");
}

TEST_CASE("tokenizer file: added tokens and templates that do not fit are refused") {
  const auto added = [](const std::string& tokens) { return with(R"("added_tokens":[)" + tokens + "]"); };
  const auto single = [](const std::string& parts, const std::string& tokens) {
    return with(R"("post_processor":{"type":"TemplateProcessing","single":[)" + parts + R"(],"special_tokens":{)" +
                tokens + "}}");
  };
  const std::string text = R"({"Sequence":{"id":"A"}})", special = R"({"SpecialToken":{"id":"s"}})";
  all_refused({
      {added("7"), "added_tokens[0]: is no object"},
      {added(R"({"id":3})"), "lacks the key \"content\""},
      {added(R"({"id":3,"content":""})"), "added_tokens[0]: is empty"},
      {added(R"({"id":-3,"content":"x"})"), "added_tokens[0].id: is -3"},
      {added(R"({"id":1999999999,"content":"x"})"), "has an id 1999999999, but there are only 4 tokens"},
      {added(R"({"id":3,"content":"x"},{"id":4,"content":"x"})"), "gives \"x\" a second time"},
      {added(R"({"id":3,"content":"x"},{"id":3,"content":"y"})"), "gives the id 3 a second time"},
      {added(R"({"id":1,"content":"x"})"), "gives \"x\" the id of \"b\""},
      {added(R"({"id":3,"content":"a"})"), "gives \"a\" another id than the vocabulary"},
      {added(R"({"id":3,"content":"x","special":"yes"})"), "special: is neither"},
      {added(R"({"id":3,"content":"x","colour":1})"), "unknown key \"colour\""},
      {single("", ""), "a template with 0 texts"},
      {single(text + "," + text, ""), "a template with 2 texts"},
      {single(special, ""), "post_processor.special_tokens: lacks the key \"s\""},
      {single(text + "," + special, R"("s":{"ids":[99]})"), "ids[0]: is 99, which has no token"},
      {single(text + "," + special, R"("s":{"ids":[-1]})"), "ids[0]: is -1"},
      {single(R"({"Other":1})", ""), "unknown key \"Other\""},
      {single("{}", ""), "is not one Sequence or one SpecialToken"},
      {with(R"("post_processor":{"type":"BertProcessing"})"), "post-processor of type \"BertProcessing\""},
  });
}

TEST_CASE("tokenizer file: stages that are not supported are named") {
  const auto split = [](const std::string& rest) { return with(R"("pre_tokenizer":{"type":"Split",)" + rest + "}"); };
  all_refused({
      {with(R"("normalizer":{"type":"Lowercase"})"),
       "normalizer: is a normalizer of type \"Lowercase\", which is not supported"},
      {with(R"("normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"NFKC"}]})"),
       "normalizers[1]: is a normalizer of type \"NFKC\""},
      {with(R"("normalizer":{"type":"NFC","form":1})"), "unknown key \"form\""},
      {with(R"("normalizer":3)"), "normalizer: is no object"},
      {with(R"("pre_tokenizer":{"type":"BertPreTokenizer"})"), "pre-tokeniser of type \"BertPreTokenizer\""},
      {with(R"("pre_tokenizer":{"type":"Metaspace","replacement":"__"})"), "not one character"},
      {with(R"("pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"last"})"),
       "prepend_scheme \"last\""},
      {split(R"("pattern":{"Regex":"("},"behavior":"Isolated","invert":false)"),
       "pattern.Regex: the pattern \"(\" missing closing parenthesis"},
      {split(R"("pattern":{"Regex":"\\b"},"behavior":"Isolated")"), "uses \\b"},
      {split(R"("pattern":{"Regex":1},"behavior":"Isolated")"), "pattern.Regex: is no string"},
      {split(R"("pattern":{},"behavior":"Isolated")"), "is not one String or one Regex"},
      {split(R"("pattern":{"String":"a"},"behavior":"Shuffled")"), "behavior: is \"Shuffled\""},
      {with(R"("decoder":{"type":"WordPiece"})"), "decoder of type \"WordPiece\""},
      {with(R"("decoder":{"type":"Strip","content":" ","start":-1,"stop":0})"), "start: is -1"},
      {with(R"("decoder":{"type":"Strip","content":"","start":1,"stop":0})"), "strips an empty text"},
  });
}

TEST_CASE("tokenizer file: what older files leave out") {
  const Tokenizer tokenizer =
      tokenizer_of(R"({"model":{"dropout":null,"unk_token":"","continuing_subword_prefix":"","end_of_word_suffix":"",
    "fuse_unk":false,"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[]}})");
  CHECK(tokenizer.encode("abb") == Ids{2, 1});
  CHECK(tokenizer.decode(Ids{2, 1}) == "ab b");  // no decoder: blanks between the tokens
  CHECK_THAT_SAYS(ValueError, tokenizer.encode("abc"), "\"c\" at byte 2");
}

TEST_CASE("tokenizer file: gaps between ids are no tokens") {
  const Tokenizer tokenizer = tokenizer_of(file_of(R"({"a":0,"b":5})", "[]"));
  CHECK(tokenizer.vocabulary_size() == 6);
  CHECK(tokenizer.encode("ba") == Ids{5, 0});
  CHECK_THAT_SAYS(IndexError, tokenizer.decode(Ids{3}), "3");
}

TEST_CASE("tokenizer file: an added token is taken as its flags say") {
  const auto tokenizer = [](const std::string& flags) {
    return tokenizer_of(file_of(R"({"a":0," ":1,"<":2,"t":3,">":4})", "[]", {},
                                R"("decoder":{"type":"Fuse"},"added_tokens":[{"id":5,"content":"<t>")" + flags + "}]"));
  };
  CHECK(tokenizer("").encode("a <t> a<t>a") == Ids{0, 1, 5, 1, 0, 5, 0});
  CHECK(tokenizer(R"(,"special":true)").encode("<t>") == Ids{2, 3, 4});
  CHECK(tokenizer(R"(,"special":true)").encode("<t>", {.parse_special = true}) == Ids{5});
  CHECK(tokenizer(R"(,"lstrip":true)").encode("a  <t> a") == Ids{0, 5, 1, 0});
  CHECK(tokenizer(R"(,"rstrip":true)").encode("a <t>  <t>") == Ids{0, 1, 5, 5});
  CHECK(tokenizer(R"(,"lstrip":true)").encode("<t>  <t>") == Ids{5, 5});
  CHECK(tokenizer(R"(,"single_word":true)").encode("a<t> <t>") == Ids{0, 2, 3, 4, 1, 5});
}

TEST_CASE("tokenizer file: what is put before a text is not put behind a token in it") {
  const Tokenizer tokenizer = tokenizer_of(file_of(
      R"({"a":0,"_":1})", "[]", {},
      R"("pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"first"},"added_tokens":[{"id":2,"content":"<t>"}])"));
  CHECK(tokenizer.encode("a<t>a") == Ids{1, 0, 2, 0});
  CHECK(tokenizer.encode("<t>a a") == Ids{2, 0, 1, 0});
}

TEST_CASE("tokenizer file: an added token stands for itself whatever the decoder does") {
  const Tokenizer tokenizer = tokenizer_of(file_of(
      R"({"a":0,"Ġ":1})", "[]", {},
      R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"},"added_tokens":[{"id":2,"content":"é"}])"));
  CHECK(tokenizer.encode("a é") == Ids{0, 1, 2});
  CHECK(tokenizer.decode(Ids{0, 1, 2}) == "a é");
}
