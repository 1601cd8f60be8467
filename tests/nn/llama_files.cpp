// Llama-style folders that do not fit, are damaged, or mean harm.

#include <cmath>
#include <filesystem>
#include <fstream>

#include "nn/language/files.hpp"
#include "tests/nn/small_llama.hpp"
#include "tests/support/errors.hpp"

using namespace atto;
using namespace atto::test;

namespace {

// Text of the error of a folder with this configuration.
std::string refusal(const std::string& config_more) {
  const TemporaryFolder folder;
  write_small_llama(folder.path(), false, Stored::f64, 1, config_more);
  return error_text<FileError>([&] { load_llama(folder.path()); });
}

}  // namespace

TEST_CASE("configurations that this decoder cannot follow are refused with the key") {
  for (const auto& [more, text] : std::vector<std::pair<std::string, std::string>>{
           {R"(, "model_type": "gpt2")", "key \"model_type\""},
           {R"(, "hidden_act": "gelu")", "key \"hidden_act\""},
           {R"(, "hidden_size": -8)", "expected a whole number from 1 to 2^31"},
           {R"(, "hidden_size": 8.5)", "key \"hidden_size\""},
           {R"(, "vocab_size": null)", "key \"vocab_size\": is missing"},
           {R"(, "num_attention_heads": 99999999999)", "key \"num_attention_heads\""},
           {R"(, "head_dim": 2147483648, "num_attention_heads": 2147483648)", "more than 2^31 channels"},
           {R"(, "head_dim": 3)", "even number"},
           {R"(, "num_key_value_heads": 3)", "a divisor of 4"},
           {R"(, "rms_norm_eps": "small")", "key \"rms_norm_eps\""},
           {R"(, "tie_word_embeddings": 1)", "expected true or false"},
           {R"(, "rope_scaling": {"rope_type": "yarn", "factor": 2})", "key \"rope_scaling.rope_type\": is \"yarn\""},
           {R"(, "rope_scaling": {"rope_type": "linear"})", "key \"rope_scaling.factor\": is missing"},
           {R"(, "rope_scaling": {"rope_type": "linear", "factor": 0})", "expected more than 0"},
           {R"(, "rope_scaling": 3)", "is not an object"},
           {R"(, "rope_scaling": {"rope_type": "linear", "factor": 2}, "rope_parameters": {"rope_theta": 5e5})",
            "stands beside rope_parameters"},
           {R"(, "partial_rotary_factor": 0.5)", "partial_rotary_factor"},
           {R"(, "quantization_config": {})", "quantization_config"},
           {R"(, "num_hidden_layers": 2000000000)", "but the files hold only"},
           {R"(, "vocab_size": 2147483647, "hidden_size": 2147483647)", "expected [2147483647,2147483647]"},
           {R"(, "intermediate_size": 5)",
            "\"model.layers.0.mlp.gate_proj.weight\" is float64[6,8], expected [5,8]"}}) {
    INFO(more);
    const std::string got = refusal(more);
    INFO(got);
    CHECK(contains(got, text));
  }
}

TEST_CASE("weights that are missing, unknown, or given twice are listed") {
  const TemporaryFolder folder;
  const auto says = [&](const std::vector<NamedTensor>& tensors, bool tied, const std::string& text) {
    write_atomically(folder / "config.json", small_llama_config(tied));
    write_stored(folder / "model.safetensors", tensors, Stored::f64);
    CHECK_THAT_SAYS(FileError, load_llama(folder.path()), text);
  };
  says(small_llama_tensors(true), false, "\"lm_head.weight\" is missing");
  says(small_llama_tensors(false), true, "\"lm_head.weight\" is not known: the configuration ties the head");
  std::vector<NamedTensor> more = small_llama_tensors(false);
  more.push_back({"model.layers.2.input_layernorm.weight", filler({8}, 1)});
  says(more, false, "\"model.layers.2.input_layernorm.weight\" is not known");
  std::vector<NamedTensor> infinite = small_llama_tensors(false);
  infinite[0].value.data<double>()[3] = INFINITY;
  says(infinite, false, "\"model.embed_tokens.weight\" holds a NaN or infinity at element 3");
}

TEST_CASE("an index that leaves its folder, or does not fit its files, is refused") {
  const TemporaryFolder folder;
  write_small_llama(folder.path(), false, Stored::f64, 2);
  const auto index = folder / "model.safetensors.index.json";
  const std::string right = read_file(index);
  const auto says = [&](const std::string& content, const std::string& text) {
    write_atomically(index, content);
    CHECK_THAT_SAYS(FileError, load_llama(folder.path()), text);
  };
  for (const std::string name : {"../secret", "/etc/passwd", "a/b.safetensors", "..", ".", "", "a\\\\b", "a\\u0000b"})
    says(R"({"weight_map": {"lm_head.weight": ")" + name + "\"}}", "does not lie in the folder");
  says("[]", "weight_map");
  says(R"({"weight_map": []})", "weight_map");
  says(R"({"weight_map": {}})", "names no files");
  says(R"({"weight_map": {"a": 1}})", "names no file for \"a\"");
  says("{", "not valid JSON");
  says(R"({"weight_map": {"a": "missing.safetensors"}})", "missing.safetensors");
  std::string other = right;
  other.replace(other.find("lm_head.weight"), 14, "lm_tail.weight");
  says(other, "\"lm_tail.weight\" is not in");
  std::filesystem::copy_file(folder / "model-00001-of-00002.safetensors", folder / "copy.safetensors");
  other = right;
  other.insert(other.rfind("}}"), R"(, "again": "copy.safetensors")");
  says(other, "is in two files");
  write_atomically(index, right);
  CHECK_NOTHROW(load_llama(folder.path()));
  std::filesystem::remove(index);
  CHECK_THAT_SAYS(FileError, load_llama(folder.path()), "neither model.safetensors nor");
}

TEST_CASE("every small damage to a configuration or an index is refused as a file, or harmless") {
  const TemporaryFolder folder;
  const auto damaged = [](const std::string& content, const auto& read) {
    const auto attempt = [&](const std::string& text) {
      try {
        read(text);
      } catch (const FileError&) {
      }
    };
    for (std::size_t size = 0; size < content.size(); ++size) attempt(content.substr(0, size));
    std::string changed = content;
    for (std::size_t i = 0; i < content.size(); ++i) {
      for (const char byte : {'0', '9', '-', 'e', ',', '"', '{', '[', '/', '.', '\0', '\xff'}) {
        changed[i] = byte;
        attempt(changed);
      }
      changed[i] = content[i];
    }
  };
  damaged(small_llama_config(false, R"(, "rope_parameters": {"rope_theta": 5e5, "rope_type": "llama3", "factor": 32,
    "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 8192})"),
          [](const std::string& text) { detail::llama_tensors(llama_options(text, "config.json")); });
  damaged(to_json(LanguageModelOptions{}),
          [](const std::string& text) { language_model_options(text, "model.safetensors"); });
  const auto index = folder / "model.safetensors.index.json";
  damaged(R"({"metadata": {}, "weight_map": {"a": "x.safetensors", "b": "y.safetensors"}})",
          [&](const std::string& text) {
            std::filesystem::remove(index);
            std::ofstream(index, std::ios::binary) << text;
            for (const detail::WeightFile& file : detail::weight_files(folder.path()))
              REQUIRE(file.path.parent_path() == folder.path());
          });
}
