#include "core/simd.hpp"

#include <atomic>
#include <cstdlib>
#include <string>

#include "core/error.hpp"

namespace atto {
namespace {

Isa best() {
#if defined(__x86_64__) && !defined(ATTO_PORTABLE)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return Isa::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#endif
  return Isa::baseline;
}

// An unknown name, or one that the processor lacks, is ignored: a variable of the environment must not end a program.
Isa initial() {
  const char* wish = std::getenv("ATTO_ISA");
  if (wish != nullptr)
    for (const Isa candidate : {Isa::baseline, Isa::avx2, Isa::avx512})
      if (std::string(wish) == name_of(candidate) && candidate <= best()) return candidate;
  return best();
}

std::atomic<Isa>& current() {
  static std::atomic<Isa> value{initial()};
  return value;
}

}  // namespace

Isa isa() {
  return current().load(std::memory_order_relaxed);
}

void set_isa(Isa wish) {
  if (wish > best())
    throw ValueError({.op = "set_isa",
                      .argument = "isa",
                      .got = name_of(wish),
                      .expected = std::string("at most ") + name_of(best()),
                      .hint = "this processor has no more"});
  current().store(wish, std::memory_order_relaxed);
}

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::avx512:
      return "avx512";
    case Isa::avx2:
      return "avx2";
    case Isa::baseline:
      break;
  }
  return "baseline";
}

}  // namespace atto
