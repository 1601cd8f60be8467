// A run that does not fit into the memory that it may take, and what a run tells of its time.

#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "tests/examples/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;
namespace fs = std::filesystem;

TEST_CASE("a run that exceeds --memory-limit says so, leaves nothing half-written, and can go on with more") {
  const test::TemporaryFolder folder;
  const fs::path data = folder.path() / "TOY", out = folder.path() / "run", log = folder.path() / "log";
  test::write_tu(data);
  const std::string settings = "--data '" + data.string() + "'" + test::kSmall + " --out '";
  REQUIRE(test::run(settings + (folder.path() / "whole").string() + "'", log).code == 0);
  const std::string expected = test::metrics(folder.path() / "whole");

  bool resumed = false, finished = false;
  for (int kilobytes = 16; !finished && kilobytes < 1 << 20; kilobytes = kilobytes * 5 / 4) {
    INFO(kilobytes << " KiB");
    const test::Result limited = test::run(
        settings + out.string() + "' --memory-limit 1MiB --memory-limit " + std::to_string(kilobytes) + "KiB", log);
    INFO(limited.output);
    finished = limited.code == 0;
    if (finished) {
      CHECK(test::metrics(out) == expected);
    } else {
      REQUIRE(limited.code == 2);
      CHECK(limited.output.find("error: ") != std::string::npos);
      CHECK(limited.output.find("at most " + std::to_string(kilobytes * 1024) + " bytes") != std::string::npos);
      CHECK(limited.output.find("raise the memory limit") != std::string::npos);
      CHECK_FALSE(fs::exists(out / "summary.json"));
    }
    if (!fs::exists(out)) continue;  // stopped before the first file
    for (const fs::directory_entry& entry : fs::directory_iterator(out))
      CHECK(entry.path().filename().string().find(".tmp.") == std::string::npos);
    if (finished || resumed || !fs::exists(out / "checkpoint.safetensors")) continue;
    resumed = true;
    REQUIRE(test::run("--cache '' --resume '" + out.string() + "' --memory-limit 1GiB", log).code == 0);
    CHECK(test::metrics(out) == expected);
  }
  CHECK(finished);
  CHECK(resumed);
}

TEST_CASE("--trace writes JSON that loads and prints a table against the roofline") {
  const test::TemporaryFolder folder;
  const fs::path data = folder.path() / "TOY", file = folder.path() / "trace.json";
  test::write_tu(data);
  const test::Result traced = test::run("--data '" + data.string() + "'" + test::kSmall + " --out '" +
                                            (folder.path() / "run").string() + "' --trace '" + file.string() + "'",
                                        folder.path() / "log");
  INFO(traced.output);
  REQUIRE(traced.code == 0);
  for (const char* text : {"GFLOP/s in float32", "roofline", "ragged_attention (backward)", "in operations"})
    CHECK(traced.output.find(text) != std::string::npos);
  const auto events = nlohmann::json::parse(read_file(file)).at("traceEvents");
  CHECK(events.size() > 100);
  for (const auto& event : events) CHECK(event.at("dur").get<double>() >= 0);
}
