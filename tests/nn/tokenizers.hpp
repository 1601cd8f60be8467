// Tokenisers from descriptions that are written down in a test.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "nn/text/tokenizer.hpp"
#include "tests/support/temporary_folder.hpp"

namespace atto::test {

using Ids = std::vector<std::int32_t>;

inline Tokenizer tokenizer_of(const std::string& json) {
  static const TemporaryFolder folder;
  const auto path = folder / "tokenizer.json";
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << json;
  return load_tokenizer(path);
}

/// A whole file around the parts that matter, each `"key":value` or empty.
inline std::string file_of(const std::string& vocabulary, const std::string& merges, const std::string& model = {},
                           const std::string& stages = {}) {
  return R"({"model":{"type":"BPE","vocab":)" + vocabulary + R"(,"merges":)" + merges +
         (model.empty() ? "" : "," + model) + "}" + (stages.empty() ? "" : "," + stages) + "}";
}

}  // namespace atto::test
