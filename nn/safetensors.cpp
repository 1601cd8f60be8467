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

float float_of_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

// Sign, 5 bits of exponent with bias 15, 10 of fraction.
float float_of_f16(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16, exponent = (bits >> 10) & 31u,
                      fraction = bits & 1023u;
  if (exponent == 0) {  // zero, or fraction 2^-24
    const float size = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(size) | sign);
  }
  return std::bit_cast<float>(sign | (exponent == 31 ? 0xffu : exponent + 112) << 23 | fraction << 13);
}

// The 16-bit numbers lie in the second half of the tensor's memory; each is read before its place is written, since the
// i-th of n ends at byte 2n + 2i + 2, behind byte 4i + 4 up to the last one.
void widen(const Tensor& tensor, detail::Narrow narrow) {
  float* to = tensor.data<float>();
  const std::byte* from = tensor.raw() + 2 * tensor.numel();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, from + 2 * i, sizeof bits);
    to[i] = narrow == detail::Narrow::bf16 ? float_of_bf16(bits) : float_of_f16(bits);
  }
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

namespace detail {

SafetensorsReader::SafetensorsReader(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code code;
  const auto status = std::filesystem::status(path_, code);
  if (!std::filesystem::exists(status)) fail({}, "cannot read: No such file or directory");
  if (!std::filesystem::is_regular_file(status)) fail({}, "cannot read: not a regular file");
  const std::uint64_t size = std::filesystem::file_size(path_, code);
  stream_.open(path_, std::ios::binary);
  if (code || !stream_) fail({}, std::string("cannot read: ") + std::strerror(errno));

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
  data_begin_ = 8 + length;
  header_ = parse_header(path_, text, size - data_begin_);
}

void SafetensorsReader::fail(const std::string& place, const std::string& reason) const {
  throw FileError(path_.string(), place, reason);
}

void SafetensorsReader::read(void* target, std::uint64_t bytes) {
  stream_.read(static_cast<char*>(target), static_cast<std::streamsize>(bytes));
  if (!stream_) fail({}, "the file became shorter, or the disk failed, while it was read");
}

Tensor SafetensorsReader::read(const TensorEntry& entry) {
  Tensor tensor = Tensor::empty(entry.shape, entry.dtype);
  const std::uint64_t stored = entry.end - entry.begin;
  std::byte* to = tensor.raw() + (static_cast<std::uint64_t>(tensor.bytes()) - stored);
  stream_.seekg(static_cast<std::streamoff>(data_begin_ + entry.begin));
  read(to, stored);
  reorder_bytes(to, stored, entry.stored_size());
  if (entry.narrow != Narrow::no) widen(tensor, entry.narrow);
  return tensor;
}

}  // namespace detail

TensorFile read_safetensors(const std::filesystem::path& path) {
  detail::SafetensorsReader reader(path);
  TensorFile result{.tensors = {}, .metadata = reader.header().metadata};
  for (const detail::TensorEntry& entry : reader.header().entries)
    result.tensors.push_back({entry.name, reader.read(entry)});
  return result;
}

}  // namespace atto
