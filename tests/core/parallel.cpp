#include "core/parallel.hpp"

#include <sched.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/support/errors.hpp"

namespace atto::test {
namespace {

struct WithThreads {
  int before = threads();
  explicit WithThreads(int count) { set_threads(count); }
  ~WithThreads() { set_threads(before); }
};

const int at_start = threads();

using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;

Ranges ranges(std::int64_t n, std::int64_t work) {
  Ranges list;
  std::mutex mutex;
  parallel_for(n, work, [&](std::int64_t begin, std::int64_t end) {
    const std::lock_guard lock(mutex);
    list.emplace_back(begin, end);
  });
  std::sort(list.begin(), list.end());
  return list;
}

}  // namespace

TEST_CASE("loops may use every processor unless told otherwise") {
  cpu_set_t set;
  REQUIRE(sched_getaffinity(0, sizeof set, &set) == 0);
  if (std::getenv("OMP_NUM_THREADS") == nullptr) CHECK(at_start == CPU_COUNT(&set));
}

TEST_CASE("parallel_for: covers everything once, in ranges that do not depend on the number of threads") {
  for (const auto& [n, work] : std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 1},
                                                                                  {1, 1 << 20},
                                                                                  {63, 0},
                                                                                  {64, 1000},
                                                                                  {1000, 1 << 20},
                                                                                  {1000, 300},
                                                                                  {65'537, 0},
                                                                                  {65'537, 1},
                                                                                  {65'537, 7},
                                                                                  {1'000'000, 3}}) {
    const WithThreads one(1);
    const Ranges expected = ranges(n, work);
    std::int64_t next = 0;
    for (const auto& [begin, end] : expected) {
      REQUIRE(begin == next);
      REQUIRE(end > begin);
      if (end - begin > 64 && end != n) REQUIRE(end % 64 == 0);
      next = end;
    }
    REQUIRE(next == n);
    for (const int count : {2, 3, 8}) {
      const WithThreads many(count);
      REQUIRE(ranges(n, work) == expected);
    }
  }
}

TEST_CASE("parallel_chunks: chunks are numbered in order of their place") {
  const WithThreads many(3);
  std::vector<std::atomic<int>> seen(11);
  parallel_chunks(105, 10, 1 << 20, [&](std::int64_t index, std::int64_t begin, std::int64_t end) {
    ++seen[static_cast<std::size_t>(index)];
    if (begin != index * 10 || end != std::min<std::int64_t>(105, begin + 10)) throw std::logic_error("wrong chunk");
  });
  for (const auto& count : seen) CHECK(count == 1);
  parallel_chunks(0, 10, 1, [](std::int64_t, std::int64_t, std::int64_t) { throw std::logic_error("no work"); });
}

TEST_CASE("parallel_chunks: a thread begins with its own part, however many there are; nothing is left out") {
  const WithThreads two(2);
  // Chunk 0 waits for the helper, which must then have begun with the second half; in case none is to be had, not for
  // ever.
  std::atomic<std::int64_t> first_of_helper{-1};
  const std::thread::id caller = std::this_thread::get_id();
  for (int attempt = 0; attempt < 100 && first_of_helper < 0; ++attempt)
    parallel_chunks(8, 1, 1 << 20, [&](std::int64_t index, std::int64_t, std::int64_t) {
      std::int64_t none = -1;
      if (std::this_thread::get_id() != caller) first_of_helper.compare_exchange_strong(none, index);
      for (int wait = 0; index == 0 && first_of_helper < 0 && wait < 1000; ++wait)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
  CHECK(first_of_helper == 4);

  for (const int count : {2, 5, 40})
    for (const std::int64_t n : {2, 3, 7, 39, 100}) {
      const WithThreads many(count);
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(n));
      parallel_chunks(n, 1, 1 << 20,
                      [&](std::int64_t i, std::int64_t, std::int64_t) { ++seen[static_cast<std::size_t>(i)]; });
      for (const auto& times : seen) REQUIRE(times == 1);
    }
}

TEST_CASE("parallel loops: many short ones, from several threads of the caller's, each done once") {
  const WithThreads many(4);
  std::vector<std::thread> callers;
  std::array<std::int64_t, 3> sums{};
  for (std::size_t caller = 0; caller < sums.size(); ++caller)
    callers.emplace_back([&sums, caller] {
      for (int loop = 0; loop < 3000; ++loop) {
        std::array<std::int64_t, 8> parts{};
        parallel_chunks(8, 1, 1 << 20, [&](std::int64_t index, std::int64_t, std::int64_t) {
          parts[static_cast<std::size_t>(index)] += index;
        });
        for (const std::int64_t part : parts) sums[caller] += part;
      }
    });
  for (std::thread& caller : callers) caller.join();
  for (const std::int64_t sum : sums) CHECK(sum == 3000 * 28);
}

TEST_CASE("parallel loops: an exception reaches the caller, and loops inside loops run") {
  for (const int count : {1, 4}) {
    const WithThreads many(count);
    CHECK_THROWS_WITH(parallel_for(1000, 1 << 20,
                                   [](std::int64_t begin, std::int64_t) {
                                     if (begin >= 500) throw std::runtime_error("in a chunk");
                                   }),
                      "in a chunk");
    std::atomic<std::int64_t> sum{0};
    parallel_for(100, 1 << 20, [&](std::int64_t begin, std::int64_t end) {
      parallel_for(end - begin, 1 << 20, [&](std::int64_t b, std::int64_t e) { sum += e - b; });
    });
    CHECK(sum == 100);
  }
  CHECK_THAT_SAYS(ValueError, set_threads(0), "set_threads: count: got 0, expected at least 1");
}

}  // namespace atto::test
