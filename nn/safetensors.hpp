#pragma once
// Files of named tensors in the safetensors format: 8 bytes little-endian with the length of a JSON header, the header
// {"name": {"dtype": "F32", "shape": [2,3], "data_offsets": [0,24]}, "__metadata__": {"key": "text"}}, then the data,
// little-endian and row-major, without gaps. Written files can be opened by any reader of the format, and the other way
// round.

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "nn/module.hpp"

namespace atto {

using Metadata = std::map<std::string, std::string>;

struct TensorFile {
  std::vector<NamedTensor> tensors;  ///< in the order of the data
  Metadata metadata;
};

/// Replaces the file at `path`, whole or not at all. The data of wider element types comes first, so that all is
/// aligned. ValueError for a name that occurs twice or is not UTF-8; FileError where the file cannot be written.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata = {});

/// Reads and checks a file that anybody may have written: a FileError names the byte or the tensor and what is wrong
/// with it (cut off, header longer than the file or than 100 MB, not JSON, names given twice, unknown element type,
/// offsets that do not fit the shape, overlap, leave gaps or lie outside). BF16 and F16 become float32. No more memory
/// is taken than twice the bytes of the file. NaN and infinity are values like others here.
TensorFile read_safetensors(const std::filesystem::path& path);

/// "layers.0.weight" in quotes, with control characters made visible: for messages that show text from files.
std::string in_quotes(std::string_view text);

}  // namespace atto
