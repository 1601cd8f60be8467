#include "nn/text/tokenizer.hpp"

#include "core/file.hpp"
#include "nn/text/train_byte_pairs.hpp"
#include "tests/fuzz/target.hpp"

namespace atto::fuzz {
namespace {

constexpr std::string_view kText = "ab abc\t<s>  a\xc3\xa9 e\xcc\x81 12 \xff'll \xe2\x96\x81";

// Texts without a token for a character, or on which a pattern takes too long, are the caller's mistake.
std::vector<std::int32_t> encode(const Tokenizer& tokenizer, EncodeOptions options) {
  try {
    return tokenizer.encode(kText, options);
  } catch (const ValueError&) {
    return {};
  }
}

// What was accepted gives ids that it can decode, and is the same when it is written and read again.
bool run(std::string_view input) {
  static Folder& folder = *new Folder;
  const auto path = folder / "input", copy = folder / "copy";
  write(path, input);
  std::vector<Tokenizer> read;
  if (!accepts([&] { read.push_back(load_tokenizer(path)); })) return false;
  read[0].save(copy);
  read.push_back(load_tokenizer(copy));
  require(read[0].vocabulary_size() == read[1].vocabulary_size(), "a copy has another vocabulary");
  for (const EncodeOptions options : {EncodeOptions{}, EncodeOptions{.parse_special = true, .add_special = true}}) {
    const std::vector<std::int32_t> ids = encode(read[0], options);
    require(ids == encode(read[1], options), "a copy gives other ids");
    for (const std::int32_t id : ids)
      require(id >= 0 && id < read[0].vocabulary_size(), "an id outside the vocabulary");
    require(read[0].decode(ids) == read[1].decode(ids), "a copy gives another text");
  }
  return true;
}

std::vector<std::string> seeds() {
  const test::TemporaryFolder folder;
  const auto path = folder / "seed";
  character_tokenizer("ab", {.unknown = "?", .special = {"<s>"}}).save(path);
  return {
      read_file(path),
      R"({"model":{"vocab":{"a":0,"b":1,"ab":2,"Ġ":3,"Ġab":4},"merges":["a b",["Ġ","ab"]],"ignore_merges":true},
"added_tokens":[{"id":5,"content":"<s>","special":true,"lstrip":true},{"id":6,"content":"é","single_word":true,"rstrip":true}],
"normalizer":{"type":"NFC"},"decoder":{"type":"ByteLevel"},
"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"'s|\\s+(?!\\S)| ?\\p{L}+|[^\\w]{1,3}"},
"behavior":"MergedWithNext","invert":true},{"type":"Digits"},{"type":"ByteLevel","use_regex":true}]},
"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"s"}},{"Sequence":{}}],"special_tokens":{"s":{"ids":[5]}}}})",
      R"({"model":{"type":"BPE","unk_token":"?","fuse_unk":true,"byte_fallback":true,"vocab":{"?":0,"<0xC3>":1,"<0xA9>":2,"▁":3,"a":4,"▁a":5},
"merges":["▁ a"]},"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},
"content":"▁"}]},"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"Regex":"▁+"},"content":" "},
{"type":"ByteFallback"},{"type":"Strip","content":" ","start":1,"stop":0},{"type":"Fuse"}]}})",
      R"({"model":{"type":"BPE","unk_token":"?","vocab":{"?":0,"▁":1,"a":2},"merges":[]},"pre_tokenizer":{"type":"Metaspace",
"prepend_scheme":"first","split":false},"decoder":{"type":"Metaspace"}})",
  };
}

}  // namespace

const Target detail::kTokenizer{.name = "tokenizer", .folder = false, .run = run, .seeds = seeds};

}  // namespace atto::fuzz
