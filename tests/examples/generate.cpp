// The program generate: the small Llama continued, its logits, and what it refuses.

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "nn/checkpoint.hpp"
#include "nn/language/files.hpp"
#include "nn/text/tokenizer.hpp"
#include "tests/examples/program.hpp"
#include "tests/nn/small_llama.hpp"

using namespace atto;
using namespace atto::test;

namespace {

Result generate(const std::string& arguments, const TemporaryFolder& folder) {
  return run_program(std::string(ATTO_EXAMPLES_FOLDER) + "/generate", arguments, folder / "log");
}

}  // namespace

TEST_CASE("generate continues a published folder, with and without its cache, and writes logits") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "llama");
  write_small_llama(folder / "llama", false, Stored::f32, 2);
  const std::string model =
      "--model '" + (folder / "llama").string() + "' --ids 3,1,6,0 --greedy --tokens 6 --threads 1";
  for (const std::string more : {"", " --no-cache"}) {
    const Result result = generate(
        model + more + " --logits '" + (folder / "logits.csv").string() + "' --out '" + (folder / "out").string() + "'",
        folder);
    INFO(result.output);
    CHECK(result.code == 0);
    CHECK(result.output.find("3,2,6,1,3,2") != std::string::npos);
    CHECK(result.output.find("tokens/s") != std::string::npos);
    std::istringstream lines(read_file(folder / "logits.csv"));
    std::string line;
    std::getline(lines, line);
    CHECK(line == "position,token,logit_0,logit_1,logit_2,logit_3,logit_4,logit_5,logit_6");
    std::vector<std::vector<double>> rows;
    while (std::getline(lines, line)) {
      rows.emplace_back();
      std::istringstream cells(line);
      for (std::string cell; std::getline(cells, cell, ',');) rows.back().push_back(std::stod(cell));
      REQUIRE(rows.back().size() == 9);
    }
    REQUIRE(rows.size() == 9);
    const SmallLlamaNumbers expected = small_llama_numbers(false);
    for (std::size_t v = 0; v < 7; ++v) {
      CHECK(std::abs(rows[0][v + 2] - expected.row0[v]) < 1e-5);
      CHECK(std::abs(rows[3][v + 2] - expected.row3[v]) < 1e-5);
    }
    CHECK(rows[8][0] == 8);
    CHECK(rows[8][1] == 3);
    const auto json = nlohmann::json::parse(read_file(folder / "out" / "generated.json"));
    CHECK(json["tokens"] == std::vector<int>{3, 2, 6, 1, 3, 2});
    CHECK(json["prompt"] == std::vector<int>{3, 1, 6, 0});
  }
}

TEST_CASE("generate continues a text with the tokeniser beside the model, or another") {
  const TemporaryFolder folder;
  write_small_llama(folder.path(), false);
  const std::string model = "--model '" + folder.path().string() + "' --greedy --tokens 6 --prompt dbga";
  const Result without = generate(model, folder);
  CHECK(without.code == 2);
  CHECK(without.output.find("--tokenizer") != std::string::npos);
  character_tokenizer("abcdefg").save(folder / "tokenizer.json");
  const std::string out = " --out '" + (folder / "out").string() + "'";
  CHECK(generate(model + out, folder).output.find("dcgbdc\n") != std::string::npos);
  CHECK(nlohmann::json::parse(read_file(folder / "out" / "generated.json"))["text"] == "dcgbdc");
  const Result other = generate(model + " --tokenizer '" + (folder / "none.json").string() + "'", folder);
  CHECK(other.code == 2);
  CHECK(other.output.find("none.json") != std::string::npos);
}

TEST_CASE("generate reads the library's own files and repeats with its seed") {
  const TemporaryFolder folder;
  const Model root;
  const LanguageModel model(root, {.vocabulary = 20, .channels = 8, .layers = 1, .heads = 2, .deviation = 0.5});
  save_language_model(folder / "model", root, model);
  const auto tokens = [&](const std::string& more) {
    const Result result = generate("--model '" + (folder / "model").string() + "' --ids 1 --tokens 20" + more, folder);
    CHECK(result.code == 0);
    const std::size_t line = result.output.find("vocabulary\n");
    REQUIRE(line != std::string::npos);
    return result.output.substr(line, result.output.find("read 1 tokens") - line);
  };
  CHECK(tokens(" --seed 3 --threads 1") == tokens(" --seed 3 --threads 2"));
  CHECK(tokens(" --seed 3") != tokens(" --seed 4"));
  CHECK(tokens(" --seed 3 --top-k 1") == tokens(" --greedy"));
}

TEST_CASE("generate --help explains its options, and errors end with exit code 2") {
  const TemporaryFolder folder;
  const Result help = generate("--help", folder);
  CHECK(help.code == 0);
  for (const char* option : {"--model", "--prompt", "--tokenizer", "--ids", "--tokens", "--greedy", "--temperature", "--top-k",
                             "--top-p", "--stop", "--seed", "--threads", "--logits", "--out", "--no-cache"}) {
    INFO(option);
    CHECK(help.output.find(option) != std::string::npos);
  }
  write_small_llama(folder.path(), false);
  const std::string model = "--model '" + folder.path().string() + "'";
  for (const auto& [arguments, text] :
       std::vector<std::pair<std::string, std::string>>{{"", "--model"},
                                                        {model, "a text or token ids"},
                                                        {"--model /no/such/model --ids 1", "/no/such/model"},
                                                        {model + " --ids 7", "7"},
                                                        {model + " --ids 1 --temperature 0", "temperature"},
                                                        {model + " --ids 1 --prompt a", "excludes"}}) {
    INFO(arguments);
    const Result result = generate(arguments, folder);
    INFO(result.output);
    CHECK(result.code == 2);
    CHECK(result.output.find(text) != std::string::npos);
  }
}
