#include "core/roofline.hpp"

#include <cmath>

#include "core/parallel.hpp"
#include "core/simd.hpp"
#include "tests/support/errors.hpp"

namespace atto::test {

TEST_CASE("roofline: every instruction set and any number of threads can be measured") {
  const Isa best = isa();
  const int before = threads();
  for (const Isa each : {Isa::baseline, Isa::avx2, Isa::avx512})
    for (const int count : {1, 3}) {
      if (each > best) continue;
      set_isa(each);
      set_threads(count);
      for (const double rate : {measure_flops(0), measure_stream(1e5, 0), measure_gather(1000, 16, 0),
                                measure_gather(100, 112, 0), measure_gather(1, 64, 0)})
        CHECK((std::isfinite(rate) && rate > 0));
    }
  set_threads(before);
  set_isa(best);
  CHECK_THAT_SAYS(ValueError, measure_gather(100, 24, 0), "multiple of 16");
  CHECK_THAT_SAYS(ValueError, measure_gather(0, 64, 0), "at least one row");
}

TEST_CASE("roofline: a working set belongs to the nearest level that holds it") {
  const Roofline roofline = measure_roofline();
  CHECK(roofline.threads == threads());
  CHECK(roofline.level(1).name == std::string("L2"));
  CHECK(roofline.level(roofline.l2.capacity + 1).name == std::string("L3"));
  CHECK(roofline.level(roofline.l3.capacity + 1).name == std::string("DRAM"));
  CHECK(roofline.describe().find("GB/s from L2") != std::string::npos);
}

}  // namespace atto::test
