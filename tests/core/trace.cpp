#include "core/trace.hpp"

#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "core/roofline.hpp"
#include "core/trace_file.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/temporary_folder.hpp"

namespace atto::test {
namespace {

void record_two() {
  trace::record({.name = "spmm",
                 .backward = false,
                 .start_ns = 1500,
                 .duration_ns = 2'000'000,
                 .cost = {.flops = 4e6, .bytes = 8e6}});
  trace::record({.name = "spmm",
                 .backward = true,
                 .start_ns = 2'500'000,
                 .duration_ns = 6'000'000,
                 .cost = {.flops = 8e6, .bytes = 8e6}});
}

}  // namespace

TEST_CASE("trace: events are kept until the next start, and become a table and a Chrome file") {
  trace::start();
  CHECK(trace::enabled());
  record_two();
  trace::stop();
  CHECK_FALSE(trace::enabled());
  CHECK(trace::events().size() == 2);
  CHECK(trace::table() ==
        "operation                           calls          ms   share     GFLOP        GB  GFLOP/s    GB/s\n"
        "spmm (backward)                         1       6.000   75.0%     0.008     0.008     1.33    1.33\n"
        "spmm                                    1       2.000   25.0%     0.004     0.008     2.00    4.00\n");
  const auto json = nlohmann::json::parse(trace::chrome_json()).at("traceEvents");
  REQUIRE(json.size() == 2);
  CHECK(json[1].at("name") == "spmm (backward)");
  CHECK(json[1].at("ph") == "X");
  CHECK(json[1].at("ts") == 2500.0);
  CHECK(json[1].at("dur") == 6000.0);
  CHECK(json[1].at("args").at("flops") == 8e6);
  trace::start();
  trace::stop();
  CHECK(trace::events().empty());
  CHECK(nlohmann::json::parse(trace::chrome_json()).at("traceEvents").empty());
}

TEST_CASE("trace: with a roofline the table tells the share of what the machine could do") {
  const Roofline roofline{
      .threads = 2, .flops = 1e10, .l2 = {"L2", 1e6, 1e11}, .l3 = {"L3", 1e8, 1e10}, .dram = {"DRAM", 1e30, 1e9}};
  CHECK(roofline.seconds({.flops = 1e6, .bytes = 1e6}) == Approx(1e-4));  // arithmetic, with data in L2
  CHECK(roofline.seconds({.flops = 1e6, .bytes = 8e6}) == Approx(8e-4));  // L3
  CHECK(roofline.seconds({.flops = 1e6, .bytes = 2e8}) == Approx(2e-1));  // DRAM
  CHECK(roofline.seconds({}) == 0);
  trace::start();
  record_two();
  trace::stop();
  CHECK(
      trace::table(&roofline) ==
      "operation                           calls          ms   share     GFLOP        GB  GFLOP/s    GB/s  roofline\n"
      "spmm (backward)                         1       6.000   75.0%     0.008     0.008     1.33    1.33     13.3%\n"
      "spmm                                    1       2.000   25.0%     0.004     0.008     2.00    4.00     40.0%\n");
}

TEST_CASE("trace: a file that cannot be written is refused before the work, and none is left when the work fails") {
  const TemporaryFolder folder;
  CHECK_THAT_SAYS(FileError, TraceFile(folder.path() / "nothing" / "trace.json"), "trace.json");
  const auto path = folder.path() / "trace.json";
  try {
    const TraceFile trace(path);
    throw StateError({.op = "work", .argument = {}, .got = {}, .expected = {}, .hint = {}});
  } catch (const StateError&) {
  }
  CHECK_FALSE(trace::enabled());
  CHECK(std::filesystem::is_empty(folder.path()));

  TraceFile trace(path);
  record_two();
  const std::string text = trace.finish();
  CHECK(text.find("GFLOP/s in float32") != std::string::npos);
  CHECK(text.find("spmm (backward)") != std::string::npos);
  CHECK(nlohmann::json::parse(read_file(path)).at("traceEvents").size() == 2);

  TraceFile none("");
  CHECK_FALSE(trace::enabled());
  CHECK(none.finish().empty());
}

}  // namespace atto::test
