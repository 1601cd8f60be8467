// The program isomorphic_lm: what it leaves, that it repeats and goes on, and what it refuses.

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/examples/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;
using test::metrics, test::Result, test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

const std::string kTiny =
    " --characters 800 --length 96 --layers 2 --channels 16 --heads 2 --hidden 32 --epochs 2 --batch 8 --seeds 2 "
    "--seed 4";

Result compare(const std::string& arguments, const TemporaryFolder& folder) {
  return test::run_program(std::string(ATTO_EXAMPLES_FOLDER) + "/isomorphic_lm", arguments, folder / "log");
}

std::string at(const fs::path& path) {
  return " '" + path.string() + "'";
}

}  // namespace

TEST_CASE("isomorphic_lm compares models on the grammar, goes on to the same bits, and repeats") {
  const TemporaryFolder folder;
  const fs::path whole = folder / "whole", again = folder / "again";
  const Result result = compare(kTiny + " --out" + at(whole), folder);
  INFO(result.output);
  REQUIRE(result.code == 0);
  for (const char* file : {"config.json", "summary.json", "results.csv", "report.html", "plots/train.svg",
                           "plots/valid.svg", "plots/sharpness.svg", "runs/reference-4/metrics.csv",
                           "runs/gin-5/model.safetensors", "runs/pna-5/checkpoint.safetensors"}) {
    INFO(file);
    CHECK(fs::exists(whole / file));
  }
  CHECK(read_file(whole / "plots/valid.svg").find("optimum") != std::string::npos);
  const auto summary = nlohmann::json::parse(read_file(whole / "summary.json"));
  const double reference = summary.at("models").at("reference").at("parameters");
  for (const char* model : {"gin", "pna"}) {
    const auto& entry = summary.at("models").at(model);
    CHECK(std::abs(entry.at("parameters").get<double>() - reference) < 0.01 * reference);
    CHECK(entry.at("valid_loss").at("mean").get<double>() > summary.at("optimum").at("valid").get<double>());
    CHECK(entry.at("agreement_across_clause").at("mean").is_number());
  }
  CHECK(summary.at("models").at("gin").at("sharpness").size() == 2);
  CHECK(summary.at("models").at("pna").at("sharpness").empty());
  CHECK(result.output.find("above optimum") != std::string::npos);
  CHECK(result.output.find("gin continues") != std::string::npos);
  CHECK(result.output.find("run 3/6  epoch 2/2") != std::string::npos);

  // As if killed in the middle: one run has its checkpoint only, the last has not begun.
  REQUIRE(compare(kTiny + " --threads 1 --out" + at(again), folder).code == 0);
  fs::remove(again / "summary.json");
  fs::remove(again / "runs/gin-4/model.safetensors");
  fs::remove_all(again / "runs/pna-5");
  const Result resumed = compare("--threads 1 --resume" + at(again), folder);
  INFO(resumed.output);
  REQUIRE(resumed.code == 0);
  for (const char* run : {"reference-4", "gin-4", "gin-5", "pna-5"}) {
    INFO(run);
    CHECK(metrics(again / "runs" / run) == metrics(whole / "runs" / run));
    CHECK(read_file(again / "runs" / run / "model.safetensors") ==
          read_file(whole / "runs" / run / "model.safetensors"));
  }
  CHECK(nlohmann::json::parse(read_file(again / "summary.json")).at("models").at("pna").at("valid_loss") ==
        summary.at("models").at("pna").at("valid_loss"));
}

TEST_CASE("isomorphic_lm learns a text file, whose optimum nobody knows") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 60; ++i) text += "a rose is a rose is a rose\n";
  write_atomically(folder / "rose.txt", text);
  const Result result =
      compare("--text" + at(folder / "rose.txt") + kTiny +
                  " --variants gin-sharp-softplus,reference-sharp --tokens bytes --out" + at(folder / "run"),
              folder);
  INFO(result.output);
  REQUIRE(result.code == 0);
  const auto summary = nlohmann::json::parse(read_file(folder / "run/summary.json"));
  CHECK_FALSE(summary.contains("optimum"));
  CHECK(summary.at("models").size() == 2);
  CHECK(result.output.find("above optimum") == std::string::npos);
}

TEST_CASE("isomorphic_lm --help explains its options, and errors end with exit code 2 and leave a run alone") {
  const TemporaryFolder folder;
  const Result help = compare("--help", folder), list = compare("--list", folder);
  CHECK(help.code == 0);
  for (const char* option : {"--variants", "--seeds", "--epochs", "--text", "--full", "--out", "--resume", "--threads",
                             "--seed", "--tokens", "--channels", "--gin-dropout", "--accumulate"}) {
    INFO(option);
    CHECK(help.output.find(option) != std::string::npos);
  }
  CHECK(list.code == 0);
  CHECK(list.output.find("pna-literal") != std::string::npos);
  const std::string out = " --out" + at(folder / "run");
  const std::string cheap = kTiny + " --variants reference --epochs 1 --seeds 1";
  REQUIRE(compare(cheap + out, folder).code == 0);
  const std::string before = metrics(folder / "run/runs/reference-4");
  for (const auto& [arguments, text] :
       std::vector<std::pair<std::string, std::string>>{{cheap + " --variants reference,gat", "gin-plain"},
                                                        {cheap + " --seeds 0", "--seeds"},
                                                        {cheap + " --text /no/such/file", "/no/such/file"},
                                                        {cheap + " --tokens words", "bytes or pairs"},
                                                        {cheap + " --heads 3", "heads"},
                                                        {cheap + " --warmup 9", "warmup"},
                                                        {cheap + " --schedule never", "cosine"},
                                                        {cheap + " --layers 1000000000", "memory"},
                                                        {cheap + " --channels 1000000000", "memory"},
                                                        {cheap + " --depth -1", "depth"},
                                                        {"--resume /no/such/folder", "/no/such/folder"}}) {
    INFO(arguments);
    const Result result = compare(arguments + out, folder);
    INFO(result.output);
    CHECK(result.code == 2);
    CHECK(result.output.find(text) != std::string::npos);
    CHECK(metrics(folder / "run/runs/reference-4") == before);
  }
}
