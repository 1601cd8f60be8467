#pragma once
// The JSON header of a safetensors file, checked.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.hpp"
#include "core/shape.hpp"
#include "nn/safetensors.hpp"

namespace atto::detail {

struct TensorEntry {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  std::uint64_t begin = 0, end = 0;  ///< bytes from the end of the header
};

struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  ///< sorted by begin; they cover the data without gap or overlap
  Metadata metadata;
};

/// `data_bytes` is what the file holds behind the header.
SafetensorsHeader parse_header(const std::filesystem::path& path, std::string_view json, std::uint64_t data_bytes);

/// Text of the header, padded with spaces so that the data begins at a multiple of 8. Entries in the order of their
/// data.
std::string format_header(const std::vector<TensorEntry>& entries, const Metadata& metadata);

}  // namespace atto::detail
