#include "graph/tensor_cache.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <utility>

#include "core/error.hpp"
#include "core/file.hpp"

namespace atto {
namespace {

namespace fs = std::filesystem;

// Stands in front of the data. It follows from the request alone but for the checksum, so a file is compared with it,
// never interpreted: no size that a file states is ever believed.
struct Header {
  std::uint64_t magic = 0x6568636163747461;  // "attcache" on the machines for which the file is good
  std::uint32_t format = 1;
  std::uint32_t dtype = 0;
  std::int64_t rank = 0;
  std::int64_t sizes[Shape::kMaxRank] = {};
  Hash key{};
  Hash checksum{};
};
static_assert(sizeof(Header) == 24 + 8 * Shape::kMaxRank + 32);

Hash hash_of(const CacheKey& key) {
  Hasher hasher;
  hasher.add(key.name);
  hasher.add(key.parameters);
  hasher.add(key.version);
  hasher.add(key.content[0]);
  hasher.add(key.content[1]);
  return hasher.hash();
}

Header header_of(const CacheKey& key, const Shape& shape, DType dtype, const Hash& checksum) {
  Header header;
  header.dtype = static_cast<std::uint32_t>(dtype);
  header.rank = shape.rank();
  std::copy(shape.begin(), shape.end(), header.sizes);
  header.key = hash_of(key);
  header.checksum = checksum;
  return header;
}

enum class Found { whole, missing, rejected };

Found load(const fs::path& path, const CacheKey& key, const Shape& shape, DType dtype, Tensor& tensor) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) return fs::exists(path, error) ? Found::rejected : Found::missing;
  const std::int64_t bytes = checked_multiply(shape.numel(), static_cast<std::int64_t>(size_of(dtype)));
  if (size != sizeof(Header) + static_cast<std::uintmax_t>(bytes)) return Found::rejected;
  std::ifstream file(path, std::ios::binary);
  Header header;
  if (!file.read(reinterpret_cast<char*>(&header), sizeof header)) return Found::rejected;
  const Header expected = header_of(key, shape, dtype, header.checksum);
  if (std::memcmp(&header, &expected, sizeof header) != 0) return Found::rejected;
  const Tensor content = Tensor::empty(shape, dtype);
  if (bytes > 0 && !file.read(reinterpret_cast<char*>(content.raw()), bytes)) return Found::rejected;
  if (murmur3(content.raw(), static_cast<std::size_t>(bytes)) != header.checksum) return Found::rejected;
  tensor = content;
  return Found::whole;
}

void store(const fs::path& path, const CacheKey& key, const Tensor& tensor) {
  fs::create_directories(path.parent_path());
  const auto bytes = static_cast<std::size_t>(tensor.bytes());
  const Header header = header_of(key, tensor.shape(), tensor.dtype(), murmur3(tensor.raw(), bytes));
  AtomicFile file(path);
  file.write(&header, sizeof header);
  if (bytes > 0) file.write(tensor.raw(), bytes);
  file.commit();
}

}  // namespace

fs::path TensorCache::path(const CacheKey& key) const {
  return folder_ / (key.name + "-" + hex(hash_of(key)) + ".cache");
}

Tensor TensorCache::get(const CacheKey& key, const Shape& shape, DType dtype,
                        const std::function<Tensor()>& compute) const {
  Tensor tensor;
  if (!folder_.empty()) {
    const Found found = load(path(key), key, shape, dtype, tensor);
    if (found == Found::whole) {
      ++counters_->read;
      return tensor;
    }
    if (found == Found::rejected) ++counters_->rejected;
  }
  tensor = compute();
  ++counters_->computed;
  if (!tensor.defined() || tensor.shape() != shape || tensor.dtype() != dtype)
    throw ShapeError({.op = "TensorCache",
                      .argument = key.name,
                      .got = tensor.str(),
                      .expected = std::string(name_of(dtype)) + shape.str()});
  if (folder_.empty()) return tensor;
  try {
    store(path(key), key, tensor);
  } catch (const FileError&) {
    ++counters_->unwritten;
  } catch (const fs::filesystem_error&) {
    ++counters_->unwritten;
  }
  return tensor;
}

TensorCache::Statistics TensorCache::statistics() const {
  return {.read = counters_->read,
          .computed = counters_->computed,
          .rejected = counters_->rejected,
          .unwritten = counters_->unwritten};
}

}  // namespace atto
