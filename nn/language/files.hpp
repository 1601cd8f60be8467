#pragma once
// Language models on the disk: folders as Llama-style models are published in, and files of the library's own.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "nn/language/config.hpp"
#include "nn/language/model.hpp"

namespace atto {

/// A model with the root that owns its parameters.
struct OwnedLanguageModel {
  std::unique_ptr<Model> root;
  std::unique_ptr<LanguageModel> model;
};

/// Reads a folder with config.json and either model.safetensors or model.safetensors.index.json and the files that it
/// names (published names and layout: model.layers.N.self_attn.q_proj.weight and so on, matrices [out,in]; a tied head
/// is absent). F32, F64, BF16 and F16 are read. The files' headers are checked against the configuration before
/// anything is built, so that no memory is taken that they do not fill: one FileError lists the tensors that are
/// missing, not known, of another shape, or given twice; another tells of an index that names a file outside the
/// folder. The model is in eval() mode. Memory beside the model: one file at a time.
OwnedLanguageModel load_llama(const std::filesystem::path& folder, const ModelOptions& options = {});

/// Writes the weights together with the options, for load_language_model(). Errors as save_weights() and to_json().
void save_language_model(const std::filesystem::path& path, const Model& root, const LanguageModel& model);

/// A folder is read as load_llama() does, a file as save_language_model() wrote it. The model is in eval() mode.
OwnedLanguageModel load_language_model(const std::filesystem::path& path, const ModelOptions& options = {});

namespace detail {

/// A tensor under its published name and the name of the parameter that it goes to.
struct PublishedTensor {
  std::string published, name;
  Shape shape;
};
/// All that a Llama-style folder holds for a model with these options.
std::vector<PublishedTensor> llama_tensors(const LanguageModelOptions& options);

/// The files that a folder's index names, or its one file: paths and, where there is an index, which tensors are said
/// to be in each.
struct WeightFile {
  std::filesystem::path path;
  std::vector<std::string> tensors;
};
std::vector<WeightFile> weight_files(const std::filesystem::path& folder);

}  // namespace detail
}  // namespace atto
