#include "core/trace.hpp"

#include "tests/support/catch.hpp"

namespace atto::test {

TEST_CASE("trace: events are kept until the next start, and become a table and a Chrome file") {
  trace::start();
  CHECK(trace::enabled());
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
  trace::stop();
  CHECK_FALSE(trace::enabled());
  CHECK(trace::events().size() == 2);
  CHECK(trace::table() ==
        "operation                               calls          ms   share   GFLOP/s     GB/s\n"
        "spmm (backward)                             1       6.000   75.0%      1.33     1.33\n"
        "spmm                                        1       2.000   25.0%      2.00     4.00\n");
  const std::string json = trace::chrome_json();
  CHECK(json.find("{\"name\":\"spmm (backward)\",\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":2500.000,\"dur\":6000.000,") !=
        std::string::npos);
  CHECK(json.find("\"args\":{\"flops\":4000000") != std::string::npos);
  trace::start();
  trace::stop();
  CHECK(trace::events().empty());
  CHECK(trace::chrome_json() == "{\"traceEvents\":[\n]}\n");
}

}  // namespace atto::test
