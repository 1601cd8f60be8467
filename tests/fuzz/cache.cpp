#include "core/file.hpp"
#include "graph/tensor_cache.hpp"
#include "tests/fuzz/target.hpp"

namespace atto::fuzz {
namespace {

const CacheKey kKey{.name = "walk", .parameters = "steps = 2", .version = 1, .content = {1, 2}};
const Shape kShape{2, 2};

Tensor compute() {
  return Tensor::from({1.0f, 2.0f, 3.0f, 4.0f}, {2, 2});
}

// Either the file is used or the tensor is computed; nothing is refused.
bool run(std::string_view input) {
  static Folder& folder = *new Folder;
  const TensorCache cache(folder.path());
  write(cache.path(kKey), input);
  const Tensor tensor = cache.get(kKey, kShape, DType::float32, compute);
  require(tensor.shape() == kShape && tensor.dtype() == DType::float32, "a cached tensor of another shape");
  const bool used = cache.statistics().read == 1;
  require(used || bit_equal(tensor, compute()), "neither the file nor what was computed");
  return used;
}

std::vector<std::string> seeds() {
  const test::TemporaryFolder folder;
  const TensorCache cache(folder.path());
  cache.get(kKey, kShape, DType::float32, compute);
  return {read_file(cache.path(kKey))};
}

}  // namespace

const Target detail::kCache{.name = "cache", .folder = false, .run = run, .seeds = seeds, .checksum = true};

}  // namespace atto::fuzz
