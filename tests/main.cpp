// The only file with Catch's main. It adds to Catch: skipped tests, a line of counts that ./check sums up, exit codes
// that mean the same in versions 2 and 3, and success when no test matches (a folder need not have tests of each kind).
#define CATCH_CONFIG_RUNNER
#include <iostream>
#include <set>

#include "tests/support/catch.hpp"

// Memory that is not there is an error that tests look at, as without a sanitizer.
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1";
}
extern "C" const char* __tsan_default_options() {
  return "allocator_may_return_null=1";
}

namespace {

constexpr int all_skipped = 77;  // the exit code that ctest shows as Skipped

int passed = 0, failed = 0;
std::set<std::string> skipped;  // names of tests

#if __has_include(<catch2/catch_all.hpp>)
using Listener = Catch::EventListenerBase;
#else
using Listener = Catch::TestEventListenerBase;
#endif

struct Count : Listener {
  using Listener::Listener;
  void testCaseEnded(const Catch::TestCaseStats& test) override {
    const auto name = Catch::getResultCapture().getCurrentTestName();
    if (test.totals.testCases.failed) {
      ++failed;
      skipped.erase(name);
    } else if (!skipped.count(name)) {
      ++passed;
    }
  }
};
CATCH_REGISTER_LISTENER(Count)

}  // namespace

void atto::test::skip(const std::string& reason) {
  const std::string test = Catch::getResultCapture().getCurrentTestName();
  if (skipped.insert(test).second) std::cout << "SKIPPED: " << reason << " (" << test << ")" << std::endl;
}

int main(int argc, char** argv) {
  Catch::Session session;
  if (const int error = session.applyCommandLine(argc, argv)) return error;
  const int result = session.run();
  std::cout << "tests: " << passed << " passed, " << failed << " failed, " << skipped.size() << " skipped" << std::endl;
  if (failed || result == 255) return 1;  // 255: Catch itself failed
  return !skipped.empty() && !passed ? all_skipped : 0;
}
