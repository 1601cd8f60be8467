// The program as a user meets it: options, exit codes, files, interruption, prediction.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/file.hpp"
#include "nn/train/metrics_log.hpp"
#include "tests/examples/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;
using test::kProgram, test::kSmall, test::metrics, test::Result, test::run, test::write_tu;
namespace fs = std::filesystem;

TEST_CASE("gradformer --help explains every option") {
  const test::TemporaryFolder folder;
  const Result help = run("--help", folder.path() / "log");
  CHECK(help.code == 0);
  for (const char* option :
       {"--data",   "--dataset", "--model",   "--layers", "--channels",       "--heads",   "--gamma",
        "--hop",    "--slope",   "--mask",    "--local",  "--encoding",       "--epochs",  "--batch",
        "--lr",     "--warmup",  "--seed",    "--folds",  "--train-fraction", "--threads", "--out",
        "--resume", "--weights", "--predict", "--trace",  "--memory-limit"}) {
    INFO(option);
    CHECK(help.output.find(option) != std::string::npos);
  }
}

TEST_CASE("gradformer ends with a message and exit code 2 whatever it is given") {
  const test::TemporaryFolder folder;
  const fs::path data = folder.path() / "TOY";
  write_tu(data);
  const std::string out = " --out '" + (folder.path() / "run").string() + "'";
  const auto refused = [&](const std::string& arguments, const std::string& text) {
    INFO(arguments);
    const Result result = run(arguments + out, folder.path() / "log");
    INFO(result.output);
    CHECK(result.code == 2);
    CHECK(result.output.find("error: ") != std::string::npos);
    CHECK(result.output.find(text) != std::string::npos);
    CHECK_FALSE(fs::exists(folder.path() / "run" / "summary.json"));
  };
  const std::string good = "--data '" + data.string() + "'" + kSmall;
  refused("--nonsense", "nonsense");
  refused("--layers many", "layers");
  refused("--data /no/such/folder", "/no/such/folder");
  refused("--dataset nothing", "cluster or pattern");
  refused(good + " --model nothing", "gradformer, gps");
  refused(good + " --mask nothing", "logit_mul");
  refused(good + " --disconnected nothing", "left_out");
  refused(good + " --local nothing", "gatedgcn");
  refused(good + " --encoding nothing", "rwse");
  refused(good + " --schedule nothing", "cosine");
  refused(good + " --heads 3", "heads");
  refused(good + " --layers 0", "layers");
  refused(good + " --gamma 0", "gamma");
  refused(good + " --gamma nan", "gamma");
  refused(good + " --batch 0", "batch");
  refused(good + " --folds 1", "folds");
  refused(good + " --folds /no/such/folder", "/no/such/folder");
  refused(good + " --train-fraction 0", "fraction");
  refused(good + " --threads -1", "threads");
  refused(good + " --warmup 7", "warmup");
  for (const char* size : {"lots", "0", "-1", "1.5GiB", "9EiB", "99999999999999999999"})
    refused(good + " --memory-limit " + size, "memory-limit");
  refused(good + " --trace /no/such/folder/trace.json", "/no/such/folder/trace.json");
  refused(good + " --layers 1000000000", "memory");
  refused(good + " --channels 100000000", "memory");
  refused(good + " --graphs 1000000000000 --data ''", "memory");
  refused(good + " --weights '" + (data / "TOY_A.txt").string() + "'", "--predict");
  refused(good + " --encoding-channels 16", "encoding_channels");
  refused("--resume '" + (folder.path() / "nothing").string() + "'", "nothing");
  refused("--weights '" + (data / "TOY_A.txt").string() + "' --predict '" + (folder.path() / "p.csv").string() + "' " +
              good,
          "TOY_A.txt");
  CHECK_FALSE(fs::exists(folder.path() / "p.csv"));
  std::ofstream(data / "TOY_A.txt", std::ios::app) << "1, 99999\n";
  refused(good, "TOY_A.txt");
}

TEST_CASE("gradformer leaves every file that it promises, resumes, and predicts") {
  const test::TemporaryFolder folder;
  const fs::path data = folder.path() / "TOY", whole = folder.path() / "whole";
  write_tu(data);
  const std::string settings = "--data '" + data.string() + "'" + kSmall + " --folds 2 --seed 5";
  const Result trained = run(settings + " --out '" + whole.string() + "'", folder.path() / "log");
  INFO(trained.output);
  REQUIRE(trained.code == 0);
  for (const char* file :
       {"metrics.csv", "metrics.jsonl", "config.json", "summary.json", "model.safetensors", "checkpoint.safetensors",
        "report.html", "plots/loss.svg", "plots/metric.svg", "plots/decay.svg"}) {
    INFO(file);
    CHECK(fs::exists(whole / file));
  }
  CHECK(read_metrics(whole / "metrics.csv").size() == 6);
  CHECK(trained.output.find("accuracy, test") != std::string::npos);

  SECTION("the same settings give the same numbers, with any number of threads") {
    const fs::path again = folder.path() / "again";
    REQUIRE(run(settings + " --threads 1 --out '" + again.string() + "'", folder.path() / "log").code == 0);
    CHECK(metrics(again) == metrics(whole));
    CHECK(read_file(again / "model.safetensors") == read_file(whole / "model.safetensors"));
  }
  SECTION("a finished run resumes to the same results") {
    const std::string before = metrics(whole);
    const Result resumed = run("--cache '' --resume '" + whole.string() + "'", folder.path() / "log");
    INFO(resumed.output);
    CHECK(resumed.code == 0);
    CHECK(metrics(whole) == before);
  }
  SECTION("weights predict what the trained model says, graph by graph") {
    const fs::path csv = folder.path() / "outputs.csv";
    const Result predicted =
        run("--cache '' --weights '" + (whole / "model.safetensors").string() + "' --predict '" + csv.string() + "'",
            folder.path() / "log");
    INFO(predicted.output);
    REQUIRE(predicted.code == 0);
    std::istringstream lines(read_file(csv));
    std::string line;
    std::getline(lines, line);
    CHECK(line == "id,output_0,output_1");
    int count = 0;
    for (; std::getline(lines, line); ++count) CHECK(line.rfind(std::to_string(count) + ",", 0) == 0);
    CHECK(count == 40);
  }
}

TEST_CASE("settings that do not fit leave an earlier run alone") {
  const test::TemporaryFolder folder;
  const fs::path data = folder.path() / "TOY", out = folder.path() / "run";
  write_tu(data);
  const std::string good = "--data '" + data.string() + "'" + kSmall + " --out '" + out.string() + "'";
  REQUIRE(run(good, folder.path() / "log").code == 0);
  const std::string before = metrics(out);
  for (const char* wrong : {" --heads 3", " --gamma 0", " --batch 0", " --warmup 7", " --folds 99"}) {
    INFO(wrong);
    CHECK(run(good + wrong, folder.path() / "log").code == 2);
    CHECK(metrics(out) == before);
    CHECK(fs::exists(out / "model.safetensors"));
  }
  CHECK(run(good, folder.path() / "log").code == 0);  // and fitting ones replace it
}

TEST_CASE("what lies in a run folder is checked before the run goes on") {
  const test::TemporaryFolder folder;
  const fs::path data = folder.path() / "TOY", out = folder.path() / "run";
  write_tu(data);
  REQUIRE(
      run("--data '" + data.string() + "'" + kSmall + " --out '" + out.string() + "'", folder.path() / "log").code ==
      0);
  const auto damaged = [&](const char* file, auto damage, const char* text) {
    const std::string whole = read_file(out / file);
    std::ofstream(out / file, std::ios::binary) << damage(whole);
    const Result result = run("--cache '' --resume '" + out.string() + "'", folder.path() / "log");
    INFO(file << ": " << result.output);
    CHECK(result.code == 2);
    CHECK(result.output.find("error: ") != std::string::npos);
    CHECK(result.output.find(text) != std::string::npos);
    std::ofstream(out / file, std::ios::binary) << whole;
  };
  const auto with = [](std::string from, std::string to) {
    return [=](std::string text) { return text.replace(text.find(from), from.size(), to); };
  };
  const auto half = [](const std::string& text) { return text.substr(0, text.size() / 2); };
  damaged("config.json", half, "config.json");
  damaged("config.json", with("\"layers\": 2", "\"layers\": \"two\""), "layers");
  damaged("config.json", with("\"layers\": 2", "\"layers\": 3"), "checkpoint.safetensors");
  damaged("config.json", with("\"layers\": 2", "\"layers\": 2000000000"), "memory");
  damaged("config.json", with("\"layers\"", "\"lairs\""), "layers");
  damaged("checkpoint.safetensors", half, "checkpoint.safetensors");
  damaged("metrics.csv", half, "metrics.csv");
}

TEST_CASE("a mask for every layer, with a learned base, is reported layer by layer") {
  const test::TemporaryFolder folder;
  const fs::path data = folder.path() / "TOY", out = folder.path() / "run";
  write_tu(data);
  const Result result =
      run("--data '" + data.string() + "'" + kSmall +
              " --hop 1 --learn-gamma --mask-per-layer --disconnected left_out --out '" + out.string() + "'",
          folder.path() / "log");
  INFO(result.output);
  REQUIRE(result.code == 0);
  CHECK(read_file(out / "plots" / "decay.svg").find("layer 2 · head 2") != std::string::npos);
  const auto summary = nlohmann::json::parse(read_file(out / "summary.json"));
  CHECK(summary.at("hops").size() == 4);
  REQUIRE(summary.at("gammas").size() == 4);
  for (const double gamma : summary.at("gammas")) CHECK(gamma != 0.6);
}

TEST_CASE("AqSol files without a training part are split anew") {
  const test::TemporaryFolder folder;
  std::ofstream file(folder.path() / "val.txt");
  for (int i = 0; i < 20; ++i) file << "3 4 " << -0.5 * i << "\n0 1 " << i % 3 << "\n0 1 0 1 0 0 1 2 1 2 1 1\n";
  file.close();
  const Result result = run("--data '" + folder.path().string() + "'" + kSmall + " --encoding-channels 4 --out '" +
                                (folder.path() / "run").string() + "'",
                            folder.path() / "log");
  INFO(result.output);
  CHECK(result.code == 0);
  CHECK(result.output.find("mean absolute error, test") != std::string::npos);
}

TEST_CASE("a killed run goes on where it was and ends with the same numbers", "[slow]") {
  const test::TemporaryFolder folder;
  const fs::path data = folder.path() / "TOY", whole = folder.path() / "whole", killed = folder.path() / "killed";
  write_tu(data);
  const std::string settings =
      "--data '" + data.string() + "' --cache '' --layers 2 --channels 16 --heads 2 --epochs 40 --batch 8 --seed 5";
  REQUIRE(run(settings + " --out '" + whole.string() + "'", folder.path() / "log").code == 0);

  const pid_t child = fork();
  if (child == 0) {
    if (!std::freopen("/dev/null", "w", stderr) || !std::freopen("/dev/null", "w", stdout)) _exit(3);
    const std::string data_argument = data.string(), out = killed.string();
    execl(kProgram.c_str(), kProgram.c_str(), "--data", data_argument.c_str(), "--cache", "", "--layers", "2",
          "--channels", "16", "--heads", "2", "--epochs", "40", "--batch", "8", "--seed", "5", "--out", out.c_str(),
          static_cast<char*>(nullptr));
    _exit(4);
  }
  const auto rows_written = [&] {
    std::error_code error;
    return fs::exists(killed / "metrics.csv", error) && fs::file_size(killed / "metrics.csv", error) > 400;
  };
  for (int wait = 0; wait < 3000 && !rows_written(); ++wait) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  REQUIRE(rows_written());
  const Result resumed = run("--cache '' --resume '" + killed.string() + "'", folder.path() / "log");
  INFO(resumed.output);
  REQUIRE(resumed.code == 0);
  CHECK(metrics(killed) == metrics(whole));
  CHECK(read_file(killed / "model.safetensors") == read_file(whole / "model.safetensors"));
}
