#include "nn/safetensors.hpp"

#include "core/file.hpp"
#include "tests/fuzz/target.hpp"

namespace atto::fuzz {
namespace {

// What was accepted can be written, and is the same when it is read again.
bool run(std::string_view input) {
  static Folder& folder = *new Folder;
  const auto path = folder / "input", copy = folder / "copy";
  write(path, input);
  TensorFile file;
  if (!accepts([&] { file = read_safetensors(path); })) return false;
  write_safetensors(copy, file.tensors, file.metadata);
  const TensorFile again = read_safetensors(copy);
  require(again.metadata == file.metadata && again.tensors.size() == file.tensors.size(),
          "a copy of a file holds something else");
  std::map<std::string, Tensor> by_name;
  for (const NamedTensor& tensor : again.tensors) by_name[tensor.name] = tensor.value;
  for (const NamedTensor& tensor : file.tensors)
    require(bit_equal(by_name[tensor.name], tensor.value), "a tensor changed on its way");
  return true;
}

std::vector<std::string> seeds() {
  const test::TemporaryFolder folder;
  const auto path = folder / "seed";
  write_safetensors(path,
                    std::vector<NamedTensor>{{"a", Tensor::from({1.0, -2.0}, {2})},
                                             {"b", Tensor::from({1.5f}, {1, 1})},
                                             {"c", Tensor::zeros({0, 3})},
                                             {"d", Tensor::from(std::vector<std::int64_t>{7})},
                                             {"e", Tensor::full({3}, 9, DType::uint8)},
                                             {"f", Tensor::full({1}, 9, DType::int32)}},
                    {{"key", "text \"\\u00e9\""}});
  std::vector<std::string> files{read_file(path)};
  write_safetensors(path, {});
  files.push_back(read_file(path));
  return files;
}

}  // namespace

const Target detail::kSafetensors{.name = "safetensors", .folder = false, .run = run, .seeds = seeds};

}  // namespace atto::fuzz
