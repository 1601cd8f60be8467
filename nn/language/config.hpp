#pragma once
// The options of a language model as text: config.json of a Llama-style folder, and the library's own.

#include <filesystem>
#include <string>
#include <string_view>

#include "nn/language/model.hpp"

namespace atto {

/// What a config.json with model_type "llama" says. Rotary settings are read from rope_parameters (newer files) or from
/// rope_theta and rope_scaling (older ones), of type default, linear or llama3. FileError naming `path` and the key
/// that is missing, of the wrong type, out of range, or that asks for something this decoder does not do (another
/// activation or model type, other rotary scaling, partial rotation, quantised weights). Initial values of the model
/// are zeros.
LanguageModelOptions llama_options(std::string_view json, const std::filesystem::path& path);

/// Options as JSON, in one line. ValueError for what cannot be written: an attention of the caller's, a feed-forward
/// block without a name.
std::string to_json(const LanguageModelOptions& options);
/// The inverse, with initial values of zeros; FileError as above.
LanguageModelOptions language_model_options(std::string_view json, const std::filesystem::path& path);

}  // namespace atto
