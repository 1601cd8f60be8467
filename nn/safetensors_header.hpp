#pragma once
// The JSON header of a safetensors file, checked, and the tensors behind it one by one.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.hpp"
#include "core/shape.hpp"
#include "nn/safetensors.hpp"

namespace atto::detail {

/// 16-bit numbers, which become float32 when they are read.
enum class Narrow : std::uint8_t {
  no,
  bf16,  ///< the upper half of a float32
  f16,   ///< IEEE 754 binary16
};

struct TensorEntry {
  std::string name;
  DType dtype = DType::float32;
  Narrow narrow = Narrow::no;
  Shape shape;
  std::uint64_t begin = 0, end = 0;  ///< bytes from the end of the header

  /// Bytes of an element in the file.
  std::size_t stored_size() const { return narrow == Narrow::no ? size_of(dtype) : 2; }
};

struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  ///< sorted by begin; they cover the data without gap or overlap
  Metadata metadata;
};

/// `data_bytes` is what the file holds behind the header.
SafetensorsHeader parse_header(const std::filesystem::path& path, std::string_view json, std::uint64_t data_bytes);

/// An open file whose header has been read; errors as read_safetensors().
class SafetensorsReader {
 public:
  explicit SafetensorsReader(std::filesystem::path path);
  const SafetensorsHeader& header() const noexcept { return header_; }
  /// The tensor of an entry of the header.
  Tensor read(const TensorEntry& entry);

 private:
  [[noreturn]] void fail(const std::string& place, const std::string& reason) const;
  void read(void* target, std::uint64_t bytes);

  std::filesystem::path path_;
  std::ifstream stream_;
  SafetensorsHeader header_;
  std::uint64_t data_begin_ = 0;
};

/// Text of the header, padded with spaces so that the data begins at a multiple of 8. Entries in the order of their
/// data.
std::string format_header(const std::vector<TensorEntry>& entries, const Metadata& metadata);

}  // namespace atto::detail
