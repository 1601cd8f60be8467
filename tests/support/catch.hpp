// Catch2, version 2 or 3, and tests that skip themselves: the one header that tests include.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;  // as version 2 does
#else
#include <catch2/catch.hpp>
#endif

#include <string>

namespace atto::test {

/// Reports the running test as skipped, once, however often its sections repeat it: `return skip("no CUDA device");`
void skip(const std::string& reason);

}  // namespace atto::test
