// The same numbers as Hugging Face's library: files that it trained and the ids that it gave, made by
// data/make_tokenizers.py.
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "tests/nn/tokenizers.hpp"
#include "tests/support/catch.hpp"

using namespace atto;
using nlohmann::json;
using test::Ids;

TEST_CASE("tokenizer: files of the peer's making give the peer's ids") {
  int files = 0, texts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ATTO_TOKENIZERS)) {
    INFO(entry.path().filename());
    const json document = json::parse(read_file(entry.path()));
    const Tokenizer tokenizer = test::tokenizer_of(document["tokenizer"].dump());
    const bool byte_level = document["tokenizer"]["decoder"]["type"] == "ByteLevel";
    for (const json& each : document["cases"]) {
      const auto text = each[0].get<std::string>();
      INFO(text);
      const Ids plain = tokenizer.encode(text);
      CHECK(plain == each[1].get<Ids>());
      CHECK(tokenizer.encode(text, {.parse_special = true, .add_special = true}) == each[2].get<Ids>());
      // Those that rewrite text give the rewritten one back.
      if (byte_level && document["tokenizer"]["normalizer"].is_null() && !text.empty())
        CHECK(tokenizer.decode(plain).ends_with(text));
      ++texts;
    }
    ++files;
  }
  CHECK(files == 7);
  CHECK(texts == 7 * 24);
}
