#include "core/roofline.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/random.hpp"
#include "core/roofline_simd.hpp"
#include "core/simd.hpp"

namespace atto {
namespace {

constexpr double kMiB = 1 << 20;
constexpr double kBytesOfTry = 32 * kMiB;  // that each thread reads: long beside the time that a thread takes to start

std::atomic<float> sink{0};  // where results go, so that nothing is optimised away

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Bytes of a cache of the processor; `otherwise` where the system does not tell.
double cache(int level, double otherwise) {
  long size = 0;
#if defined(_SC_LEVEL2_CACHE_SIZE) && defined(_SC_LEVEL3_CACHE_SIZE)
  size = sysconf(level == 2 ? _SC_LEVEL2_CACHE_SIZE : _SC_LEVEL3_CACHE_SIZE);
#endif
  return size > 0 ? static_cast<double>(size) : otherwise;
}

// Calls work(t) for every thread t, at the same time.
template <class F>
void on_all_threads(F&& work) {
  parallel_chunks(threads(), 1, kSerialWork, [&](std::int64_t t, std::int64_t, std::int64_t) { work(t); });
}

// The least time in seconds in which all threads do their work, of as many tries as fit into `budget`, at least three:
// whatever else runs on the machine can only add to it.
template <class F>
double least_time(double budget, F&& work) {
  double least = std::numeric_limits<double>::infinity();
  const double end = now() + budget;
  for (int tries = 0; tries < 3 || now() < end; ++tries) {
    const double start = now();
    on_all_threads(work);
    least = std::min(least, now() - start);
  }
  return least;
}

// Memory that each thread touches first where it uses it, not counted among tensors.
class Buffer {
 public:
  explicit Buffer(std::int64_t values) : values_(new float[static_cast<std::size_t>(values)]) {
    parallel_for(values, 1, [&](std::int64_t begin, std::int64_t end) {
      std::fill(values_.get() + begin, values_.get() + end, 1.0F);
    });
  }
  const float* data() const { return values_.get(); }

 private:
  std::unique_ptr<float[]> values_;
};

}  // namespace

const Roofline::Level& Roofline::level(double bytes) const {
  return bytes <= l2.capacity ? l2 : bytes <= l3.capacity ? l3 : dram;
}

double Roofline::seconds(const Cost& cost) const {
  return std::max(cost.flops / flops, cost.bytes / level(cost.bytes).bandwidth);
}

std::string Roofline::describe() const {
  return fmt::format(
      "{} threads, {}: {:.0f} GFLOP/s in float32; reads {:.0f} GB/s from L2, {:.0f} from L3, {:.0f} from DRAM", threads,
      name_of(isa()), flops * 1e-9, l2.bandwidth * 1e-9, l3.bandwidth * 1e-9, dram.bandwidth * 1e-9);
}

double measure_flops(double seconds) {
  return with_isa([&]<class Isa>() {
    const std::int64_t rounds = (std::int64_t{1} << 24) / kernels::multiply_adds_of_round<Isa>();
    const double time = least_time(seconds, [&](std::int64_t) { sink.store(kernels::multiply_adds<Isa>(rounds)); });
    return 2.0 * static_cast<double>(rounds * kernels::multiply_adds_of_round<Isa>() * threads()) / time;
  });
}

double measure_stream(double bytes, double seconds) {
  // Each thread has its own part, in whole kilobytes.
  const auto part = std::max<std::int64_t>(256, static_cast<std::int64_t>(bytes / 4 / threads()) / 256 * 256);
  const Buffer buffer(part * threads());
  const double part_bytes = 4.0 * static_cast<double>(part);
  const int passes = std::max(1, static_cast<int>(kBytesOfTry / part_bytes));
  const double time = least_time(seconds, [&](std::int64_t t) {
    with_isa([&]<class Isa>() {
      for (int pass = 0; pass < passes; ++pass) sink.store(kernels::read_all<Isa>(part, buffer.data() + t * part));
    });
  });
  return part_bytes * passes * threads() / time;
}

double measure_gather(std::int64_t rows, std::int64_t width, double seconds) {
  if (rows < 1 || width < 16 || width % 16 != 0)
    throw ValueError({.op = "measure_gather",
                      .argument = "rows, width",
                      .got = fmt::format("{} rows of {} numbers", rows, width),
                      .expected = "at least one row of a multiple of 16 numbers",
                      .hint = {}});
  const Buffer table(rows * width);
  const auto count = std::max<std::int64_t>(1, static_cast<std::int64_t>(kBytesOfTry / 4 / static_cast<double>(width)));
  std::vector<std::int32_t> row(static_cast<std::size_t>(count * threads()));
  Generator generator(1);
  for (std::int32_t& r : row) r = static_cast<std::int32_t>(generator.below(rows));
  double best = 0;
  for (const std::int64_t ahead : {0, 4, 16}) {
    const double time = least_time(seconds / 3, [&](std::int64_t t) {
      with_isa([&]<class Isa>() {
        sink.store(kernels::read_rows<Isa>(count, row.data() + t * count, width, ahead, table.data()));
      });
    });
    best = std::max(best, 4.0 * static_cast<double>(count * width * threads()) / time);
  }
  return best;
}

Roofline measure_roofline() {
  const double l2 = threads() * cache(2, kMiB), l3 = std::max(4 * l2, cache(3, 16 * kMiB));
  Roofline roofline{.threads = threads(), .flops = measure_flops(0.03)};
  // Sizes that lie well inside a level: half of L2, between L2 and L3, several times L3.
  roofline.l2 = {.name = "L2", .capacity = l2, .bandwidth = measure_stream(l2 / 2, 0.03)};
  roofline.l3 = {.name = "L3", .capacity = l3, .bandwidth = measure_stream(std::sqrt(l2 * l3), 0.04)};
  roofline.dram = {.name = "DRAM",
                   .capacity = std::numeric_limits<double>::infinity(),
                   .bandwidth = measure_stream(std::clamp(4 * l3, 64 * kMiB, 256 * kMiB), 0.06)};
  return roofline;
}

}  // namespace atto
