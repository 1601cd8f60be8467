// Tests on real data sets. Tag them [data] and begin with
//
//     const auto data = atto::test::data_folder();
//     if (!data) return atto::test::skip_data();
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "tests/support/catch.hpp"

namespace atto::test {

/// The folder that the environment variable ATTOGRAD_DATA names. A name of something else is an error, not a reason to
/// skip: a typing mistake must not turn the data tests green.
inline std::optional<std::filesystem::path> data_folder() {
  const char* name = std::getenv("ATTOGRAD_DATA");
  if (!name || !*name) return std::nullopt;
  INFO("ATTOGRAD_DATA=" << name);
  REQUIRE(std::filesystem::is_directory(name));
  return name;
}

inline void skip_data() {
  skip("ATTOGRAD_DATA is not set");
}

}  // namespace atto::test
