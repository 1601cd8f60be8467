#include "core/simd.hpp"

#include <string>
#include <type_traits>

#include "tests/support/errors.hpp"

namespace atto::test {

TEST_CASE("simd: every instruction set up to the best can be chosen, and the tag follows") {
  const Isa best = isa();
  for (const Isa wish : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (wish > best) {
      CHECK_THAT_SAYS(ValueError, set_isa(wish), "this processor has no more");
      continue;
    }
    set_isa(wish);
    CHECK(isa() == wish);
    with_isa([&]<class Tag>() {
      CHECK(std::is_same_v<Tag, Baseline> == (wish == Isa::baseline));
      CHECK(std::is_same_v<Tag, Avx512> == (wish == Isa::avx512));
    });
  }
  set_isa(best);
  CHECK(std::string(name_of(Isa::avx2)) == "avx2");
}

}  // namespace atto::test
