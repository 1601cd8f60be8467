#include "nn/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <unordered_set>

#include "core/error.hpp"
#include "core/file.hpp"
#include "nn/safetensors_header.hpp"

namespace atto {
namespace {

constexpr std::uint64_t kLargestHeader = 100'000'000;  // as the reference reader of the format has it

// The files are little-endian; on a machine that is not, the bytes of each element are turned round.
void reorder_bytes([[maybe_unused]] std::byte* bytes, [[maybe_unused]] std::size_t size,
                   [[maybe_unused]] std::size_t element) {
  if constexpr (std::endian::native == std::endian::big)
    for (std::size_t i = 0; i + element <= size; i += element) std::reverse(bytes + i, bytes + i + element);
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata) {
  std::vector<const NamedTensor*> order;
  std::unordered_set<std::string_view> names;
  for (const NamedTensor& tensor : tensors) {
    if (!tensor.value.defined() || tensor.name == "__metadata__" || !names.insert(tensor.name).second)
      throw ValueError({.op = "write_safetensors",
                        .argument = "tensors",
                        .got = in_quotes(tensor.name) + " (" + tensor.value.str() + ")",
                        .expected = "defined tensors with names of their own",
                        .hint = {}});
    order.push_back(&tensor);
  }
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return size_of(a->value.dtype()) > size_of(b->value.dtype());
  });
  std::vector<detail::TensorEntry> entries;
  std::uint64_t at = 0;
  for (const NamedTensor* tensor : order) {
    const auto bytes = static_cast<std::uint64_t>(tensor->value.bytes());
    entries.push_back({.name = tensor->name,
                       .dtype = tensor->value.dtype(),
                       .shape = tensor->value.shape(),
                       .begin = at,
                       .end = at + bytes});
    at += bytes;
  }
  const std::string header = detail::format_header(entries, metadata);
  char length[8];
  for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i));

  AtomicFile file(path);
  file.write(length, sizeof length);
  file.write(header);
  for (const NamedTensor* tensor : order) {
    Tensor data = tensor->value;
    if constexpr (std::endian::native == std::endian::big) data = data.clone();
    reorder_bytes(data.raw(), static_cast<std::size_t>(data.bytes()), size_of(data.dtype()));
    file.write(data.raw(), static_cast<std::size_t>(data.bytes()));
  }
  file.commit();
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const auto fail = [&](const std::string& place, const std::string& reason) {
    throw FileError(path.string(), place, reason);
  };
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (!std::filesystem::exists(status)) fail({}, "cannot read: No such file or directory");
  if (!std::filesystem::is_regular_file(status)) fail({}, "cannot read: not a regular file");
  const std::uint64_t size = std::filesystem::file_size(path, code);
  std::ifstream stream(path, std::ios::binary);
  if (code || !stream) fail({}, std::string("cannot read: ") + std::strerror(errno));
  const auto read = [&](void* target, std::uint64_t bytes) {
    stream.read(static_cast<char*>(target), static_cast<std::streamsize>(bytes));
    if (!stream) fail({}, "the file became shorter, or the disk failed, while it was read");
  };

  if (size < 8)
    fail("byte 0", "the file has " + std::to_string(size) +
                       " bytes; a safetensors file begins with 8 for the length of its header");
  unsigned char bytes[8];
  read(bytes, sizeof bytes);
  std::uint64_t length = 0;
  for (int i = 0; i < 8; ++i) length |= std::uint64_t{bytes[i]} << (8 * i);
  if (length > size - 8)
    fail("byte 0", "the header is said to have " + std::to_string(length) + " bytes, but only " +
                       std::to_string(size - 8) + " follow");
  if (length > kLargestHeader)
    fail("byte 0", "the header has " + std::to_string(length) + " bytes, more than " + std::to_string(kLargestHeader));
  std::string text(length, '\0');
  read(text.data(), length);

  detail::SafetensorsHeader header = detail::parse_header(path, text, size - 8 - length);
  TensorFile result{.tensors = {}, .metadata = std::move(header.metadata)};
  for (detail::TensorEntry& entry : header.entries) {
    Tensor tensor = Tensor::empty(entry.shape, entry.dtype);
    read(tensor.raw(), entry.end - entry.begin);
    reorder_bytes(tensor.raw(), entry.end - entry.begin, size_of(entry.dtype));
    result.tensors.push_back({std::move(entry.name), std::move(tensor)});
  }
  return result;
}

}  // namespace atto
