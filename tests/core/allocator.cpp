#include "core/allocator.hpp"

#include <sys/resource.h>

#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "core/random.hpp"
#include "core/sanitizer.hpp"
#include "core/tensor.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/killed.hpp"

namespace atto::test {

TEST_CASE("allocator: memory that is given back is used again, without asking the system") {
  const void* first = Tensor::empty({1000}).raw();
  const std::int64_t calls = allocator::statistics().system_calls;
  for (int i = 0; i < 10; ++i) CHECK(Tensor::empty({1000}).raw() == first);
  CHECK(Tensor::empty({999}).raw() == first);  // about the same size
  CHECK(allocator::statistics().system_calls == calls);
  allocator::trim();
  (void)Tensor::empty({1000});
  CHECK(allocator::statistics().system_calls == calls + 1);
}

TEST_CASE("allocator: statistics follow what lives, and little is wasted") {
  allocator::trim();
  const allocator::Statistics before = allocator::statistics();
  CHECK(before.reserved >= before.in_use);
  allocator::reset_peak();
  for (const std::int64_t size : {1, 1000, 12345, 1 << 20}) {
    const Tensor a = Tensor::empty({size}), b = Tensor::empty({size});
    const std::int64_t used = allocator::statistics().in_use - before.in_use;
    CHECK(used >= 2 * a.bytes());
    CHECK(used <= 2 * (a.bytes() * 5 / 4 + 256));
  }
  const allocator::Statistics after = allocator::statistics();
  CHECK(after.in_use == before.in_use);
  CHECK(after.peak >= before.in_use + 2 * 4 * (1 << 20));
  CHECK(after.reserved > after.in_use);
  allocator::trim();
  CHECK(allocator::statistics().reserved == before.reserved);
}

TEST_CASE("allocator: large blocks whose sizes vary share the memory of those that came back") {
  if (kAddressSanitizer) return skip("each large block is a region of its own, for the sanitizer's sake");
  allocator::trim();
  const std::int64_t before = allocator::statistics().reserved;
  Generator generator(1);
  std::vector<Tensor> live;
  std::int64_t most = 0;
  // Like the steps of a training on batches of different sizes: crowds that come and go, never twice the same.
  for (int step = 0; step < 50; ++step) {
    const auto rows = static_cast<std::int64_t>(3600 + 800 * generator.uniform());
    for (int i = 0; i < 40; ++i) {
      const std::int64_t width = i % 4 == 0 ? 128 : 64;
      live.push_back(Tensor::full({rows, width}, i));
      if (i % 3 == 2) live.erase(live.end() - 2);
    }
    std::int64_t bytes = 0;
    for (const Tensor& tensor : live) {
      bytes += tensor.bytes();
      REQUIRE(tensor.values<float>().front() == tensor.values<float>().back());
    }
    most = std::max(most, bytes);
    while (!live.empty()) live.erase(live.begin() + generator.below(std::ssize(live)));
  }
  CHECK(allocator::statistics().reserved - before <= 2 * most);
  allocator::trim();
  CHECK(allocator::statistics().reserved == before);
}

TEST_CASE("allocator: blocks are aligned, apart, and writable to the last byte, for every size") {
  std::vector<void*> blocks;
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size < 20000; size = size * 5 / 4 + 1) sizes.push_back(size);
  for (const std::size_t size : sizes) {
    blocks.push_back(allocator::allocate(size));
    REQUIRE(reinterpret_cast<std::uintptr_t>(blocks.back()) % 64 == 0);
    std::memset(blocks.back(), static_cast<int>(blocks.size()), size);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto* bytes = static_cast<const unsigned char*>(blocks[i]);
    for (std::size_t b = 0; b < sizes[i]; ++b) REQUIRE(bytes[b] == static_cast<unsigned char>(i + 1));
    allocator::release(blocks[i]);
  }
  allocator::release(nullptr);
  CHECK_THAT_SAYS(ValueError, allocator::allocate(~std::size_t{0}), "allocate: bytes");
  CHECK_THAT_SAYS(MemoryError, allocator::allocate(std::size_t{1} << 61), "a request for 2305843009213693952 bytes");
}

TEST_CASE("allocator: guard mode finds writes outside and marks what nobody wrote") {
  const std::int64_t before = allocator::statistics().guard_violations;
  const auto violations = [&] { return allocator::statistics().guard_violations - before; };
  {
    const allocator::GuardMode guard;
    {
      const Tensor x = Tensor::empty({5});
      for (const float value : x.values<float>()) CHECK(std::isnan(value));
      x.fill(1);
    }
    CHECK(violations() == 0);
    auto* behind = static_cast<unsigned char*>(allocator::allocate(20));
    behind[20] = 1;
    allocator::release(behind);
    CHECK(violations() == 1);
    auto* before_it = static_cast<unsigned char*>(allocator::allocate(20));
    before_it[-1] = 1;
    allocator::release(before_it);
    CHECK(violations() == 2);
    {
      const Tensor x = Tensor::empty({5});
      x.data<float>()[5] = 0;
    }
    CHECK(violations() == 3);
    {
      const Tensor x = Tensor::empty({5});
      x.data<float>()[-1] = 0;
    }
    CHECK(violations() == 4);
  }
  auto* unguarded = static_cast<unsigned char*>(allocator::allocate(20));
  unguarded[20] = 1;
  allocator::release(unguarded);
  CHECK(violations() == 4);
}

TEST_CASE("allocator: threads do not get each other's memory") {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const Tensor x = Tensor::full({17 + i % 5}, t);
        for (const float value : x.values<float>()) wrong += value != static_cast<float>(t);
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("allocator: a limit refuses before allocating, says how much was needed, and leaves the process usable") {
  constexpr std::int64_t kMegabyte = std::int64_t{1} << 20;
  allocator::trim();
  const allocator::Statistics before = allocator::statistics();
  allocator::set_limit(before.reserved + 8 * kMegabyte);
  const std::string limit = std::to_string(allocator::limit());
  const Tensor kept = Tensor::zeros({kMegabyte});  // 4 MB
  const std::int64_t calls = allocator::statistics().system_calls;
  CHECK_THAT_SAYS(MemoryError, Tensor::empty({2 * kMegabyte}),
                  "allocate: memory: got a request for 8388672 bytes while ");
  CHECK_THAT_SAYS(MemoryError, Tensor::empty({2 * kMegabyte}),
                  " are in use, expected at most " + limit + " bytes together (raise the memory limit");
  CHECK_THAT_SAYS(MemoryError, Tensor::empty({std::int64_t{1} << 58}), "a request for 1152921504606847040 bytes");
  CHECK(allocator::statistics().system_calls == calls);
  CHECK(allocator::statistics().in_use >= before.in_use + 4 * kMegabyte);
  // What is cached makes room for what is asked for.
  (void)Tensor::empty({kMegabyte / 2 + 1000});
  CHECK(Tensor::zeros({725000}).defined());
  CHECK(allocator::statistics().reserved <= allocator::limit());
  allocator::set_limit(0);
  CHECK(Tensor::empty({2 * kMegabyte}).defined());
  CHECK_THAT_SAYS(ValueError, allocator::set_limit(-1), "set_limit: bytes: got -1");
}

TEST_CASE("allocator: near the limit a large block leaves room for small ones") {
  constexpr std::int64_t kMegabyte = std::int64_t{1} << 20;
  allocator::trim();
  const Tensor first = Tensor::zeros({2 * kMegabyte});  // 8 MB, so that the next region would be as large
  allocator::set_limit(allocator::statistics().reserved + 3 * kMegabyte);
  const Tensor second = Tensor::zeros({kMegabyte / 4});
  std::vector<Tensor> small;
  for (std::int64_t size = 1; size < 4000; size += 97) small.push_back(Tensor::zeros({size}));
  CHECK(allocator::statistics().reserved <= allocator::limit());
  allocator::set_limit(0);
}

TEST_CASE("allocator: out of memory is an exception, and the process goes on") {
#if defined(ATTO_ADDRESS_SANITIZER) || defined(ATTO_THREAD_SANITIZER)
  return skip("sanitizers need all addresses there are");
#else
  const int end = end_of(start_child([] {
    rlimit addresses{};
    ::getrlimit(RLIMIT_AS, &addresses);
    addresses.rlim_cur = std::size_t{4} << 30;
    if (::setrlimit(RLIMIT_AS, &addresses) != 0) ::_exit(3);
    std::vector<Tensor> all;
    bool refused = false;
    for (int i = 0; i < 64 && !refused; ++i) try {
        all.push_back(Tensor::empty({std::int64_t{32} << 20}));  // 128 MB, untouched
      } catch (const MemoryError& error) {
        refused = contains(error.what(), "expected memory that the system still has");
      }
    if (!refused) ::_exit(4);
    all.clear();  // cached, and given back when something larger is asked for
    const Tensor larger = Tensor::empty({std::int64_t{400} << 20});
    larger.rows(0, 1000).fill(1);
    if (larger.data<float>()[999] != 1) ::_exit(5);
  }));
  CHECK(end == 0);
#endif
}

}  // namespace atto::test
