#include "nn/language/files.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "autograd/accumulate.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "nn/checkpoint.hpp"
#include "nn/safetensors_header.hpp"

namespace atto {
namespace {

constexpr const char* kOptionsKey = "language_model";
constexpr std::uint64_t kLargestJson = 100'000'000;

std::string read_json_text(const std::filesystem::path& path) {
  std::error_code code;
  if (std::filesystem::file_size(path, code) > kLargestJson && !code)
    throw FileError(path.string(), {}, "has more than " + std::to_string(kLargestJson) + " bytes");
  return read_file(path);
}

// Everything that is wrong, said at once.
class Complaints {
 public:
  explicit Complaints(const std::filesystem::path& where) : where_(where) {}
  void add(const std::string& text) {
    if (count_++ < kShown) text_ += (text_.empty() ? "" : "; ") + text;
  }
  void raise() const {
    if (count_ == 0) return;
    throw FileError(where_.string(), {},
                    "the weights do not fit the configuration: " + text_ +
                        (count_ > kShown ? "; and " + std::to_string(count_ - kShown) + " more" : ""));
  }

 private:
  static constexpr std::size_t kShown = 20;
  std::filesystem::path where_;
  std::string text_;
  std::size_t count_ = 0;
};

// A tensor of one of the files.
struct Found {
  std::size_t file;
  detail::TensorEntry entry;
};

// Older files hold the frequencies of the rotary embedding, which follow from the configuration.
bool derived(std::string_view name) {
  return name.ends_with(".rotary_emb.inv_freq");
}

std::unordered_map<std::string, Found> find_all(std::vector<detail::SafetensorsReader>& readers,
                                                const std::vector<detail::WeightFile>& files, Complaints& complaints) {
  std::unordered_map<std::string, Found> found;
  for (std::size_t f = 0; f < files.size(); ++f) {
    for (const detail::TensorEntry& entry : readers.emplace_back(files[f].path).header().entries)
      if (!derived(entry.name) && !found.emplace(entry.name, Found{.file = f, .entry = entry}).second)
        complaints.add(in_quotes(entry.name) + " is in two files");
    for (const std::string& name : files[f].tensors)
      if (const auto at = found.find(name); !derived(name) && (at == found.end() || at->second.file != f))
        complaints.add(in_quotes(name) + " is not in " + in_quotes(files[f].path.filename().string()) +
                       ", as the index says");
  }
  return found;
}

OwnedLanguageModel build(const LanguageModelOptions& options, const ModelOptions& model_options) {
  OwnedLanguageModel owned{.root = std::make_unique<Model>(model_options), .model = nullptr};
  owned.model = std::make_unique<LanguageModel>(*owned.root, options);
  owned.root->eval();
  return owned;
}

}  // namespace

std::vector<detail::PublishedTensor> detail::llama_tensors(const LanguageModelOptions& o) {
  const std::int64_t width = o.head_width > 0 ? o.head_width : o.channels / o.heads;
  const std::int64_t query = o.heads * width, key = (o.key_heads > 0 ? o.key_heads : o.heads) * width;
  std::vector<PublishedTensor> all{{"model.embed_tokens.weight", "embedding.weight", Shape{o.vocabulary, o.channels}},
                                   {"model.norm.weight", "norm.weight", Shape{o.channels}}};
  if (!o.tied) all.push_back({"lm_head.weight", "head.weight", Shape{o.vocabulary, o.channels}});
  struct Matrix {
    const char *published, *name;
    std::int64_t out, in;
    bool bias;
  };
  const Matrix matrices[] = {{"self_attn.q_proj", "attention.query", query, o.channels, o.attention_bias},
                             {"self_attn.k_proj", "attention.key", key, o.channels, o.attention_bias},
                             {"self_attn.v_proj", "attention.value", key, o.channels, o.attention_bias},
                             {"self_attn.o_proj", "attention.output", o.channels, query, o.attention_bias},
                             {"mlp.gate_proj", "feed_forward.gate", o.hidden, o.channels, o.feed_forward_bias},
                             {"mlp.up_proj", "feed_forward.up", o.hidden, o.channels, o.feed_forward_bias},
                             {"mlp.down_proj", "feed_forward.down", o.channels, o.hidden, o.feed_forward_bias}};
  for (std::int64_t l = 0; l < o.layers; ++l) {
    const std::string number = std::to_string(l), theirs = "model.layers." + number + ".",
                      ours = "layers." + number + ".";
    all.push_back({theirs + "input_layernorm.weight", ours + "attention_norm.weight", Shape{o.channels}});
    all.push_back({theirs + "post_attention_layernorm.weight", ours + "feed_forward_norm.weight", Shape{o.channels}});
    for (const Matrix& m : matrices) {
      all.push_back({theirs + m.published + ".weight", ours + m.name + ".weight", Shape{m.out, m.in}});
      if (m.bias) all.push_back({theirs + m.published + ".bias", ours + m.name + ".bias", Shape{m.out}});
    }
  }
  return all;
}

std::vector<detail::WeightFile> detail::weight_files(const std::filesystem::path& folder) {
  const std::filesystem::path single = folder / "model.safetensors", index = folder / "model.safetensors.index.json";
  std::error_code code;
  if (std::filesystem::exists(single, code)) return {{.path = single, .tensors = {}}};
  if (!std::filesystem::exists(index, code))
    throw FileError(folder.string(), {}, "holds neither model.safetensors nor model.safetensors.index.json");
  const auto fail = [&](const std::string& reason) { throw FileError(index.string(), {}, reason); };
  const auto json = nlohmann::json::parse(read_json_text(index), nullptr, false);
  if (json.is_discarded()) fail("is not valid JSON");
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (!json.is_object() || map == json.end() || !map->is_object()) fail("has no object \"weight_map\"");
  std::map<std::string, WeightFile> files;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) fail("names no file for " + in_quotes(tensor));
    const auto name = file.get<std::string>();
    if (name.empty() || name == "." || name == ".." || name.find_first_of(std::string("/\\\0", 3)) != std::string::npos)
      fail("names the file " + in_quotes(name) + " for " + in_quotes(tensor) + ", which does not lie in the folder");
    WeightFile& entry = files[name];
    entry.path = folder / name;
    entry.tensors.push_back(tensor);
  }
  if (files.empty()) fail("names no files");
  std::vector<WeightFile> result;
  for (auto& [name, file] : files) result.push_back(std::move(file));
  return result;
}

OwnedLanguageModel load_llama(const std::filesystem::path& folder, const ModelOptions& model_options) {
  const std::filesystem::path config = folder / "config.json";
  const LanguageModelOptions options = llama_options(read_json_text(config), config);
  const std::vector<detail::WeightFile> files = detail::weight_files(folder);
  std::vector<detail::SafetensorsReader> readers;
  Complaints complaints(folder);
  std::unordered_map<std::string, Found> found = find_all(readers, files, complaints);
  if (options.layers > static_cast<std::int64_t>(found.size()))
    throw FileError(config.string(), "key \"num_hidden_layers\"",
                    "is " + std::to_string(options.layers) + ", but the files hold only " +
                        std::to_string(found.size()) + " tensors");

  const std::vector<detail::PublishedTensor> wanted = detail::llama_tensors(options);
  std::vector<std::pair<Found, std::string>> copies;
  for (const detail::PublishedTensor& tensor : wanted) {
    const auto at = found.find(tensor.published);
    if (at == found.end()) {
      complaints.add(in_quotes(tensor.published) + " is missing");
      continue;
    }
    if (at->second.entry.shape != tensor.shape || !is_floating(at->second.entry.dtype))
      complaints.add(in_quotes(tensor.published) + " is " + std::string(name_of(at->second.entry.dtype)) +
                     at->second.entry.shape.str() + ", expected " + tensor.shape.str() + " of floating type");
    copies.emplace_back(std::move(at->second), tensor.name);
    found.erase(at);
  }
  std::vector<std::string> left;
  for (const auto& [name, where] : found) left.push_back(name);
  std::sort(left.begin(), left.end());
  for (const std::string& name : left)
    complaints.add(in_quotes(name) + " is not known" +
                   (options.tied && name == "lm_head.weight" ? ": the configuration ties the head" : ""));
  complaints.raise();

  OwnedLanguageModel owned = build(options, model_options);
  for (const auto& [from, name] : copies) {
    const Tensor value = readers[from.file].read(from.entry);
    if (const std::int64_t at = first_non_finite(value); at >= 0)
      throw FileError(files[from.file].path.string(), {},
                      in_quotes(from.entry.name) + " holds a NaN or infinity at element " + std::to_string(at));
    owned.root->parameter(name).value().copy_from(value.to(model_options.dtype));
  }
  return owned;
}

void save_language_model(const std::filesystem::path& path, const Model& root, const LanguageModel& model) {
  if (!model.scope().path().empty())
    throw ValueError({.op = "save_language_model",
                      .argument = "model",
                      .got = "a part of a larger model, " + in_quotes(model.scope().path()),
                      .expected = "one built at the root",
                      .hint = "save_weights() writes models of any kind"});
  save_weights(root, path, {{kOptionsKey, to_json(model.options())}});
}

OwnedLanguageModel load_language_model(const std::filesystem::path& path, const ModelOptions& model_options) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return load_llama(path, model_options);
  LanguageModelOptions options;
  {
    const detail::SafetensorsReader reader(path);
    const auto at = reader.header().metadata.find(kOptionsKey);
    if (at == reader.header().metadata.end())
      throw FileError(path.string(), "header", "does not hold the options of a language model",
                      "save_language_model() writes such files");
    options = language_model_options(at->second, path);
    // No single part of the model may be larger than the file.
    double elements = 0;
    for (const detail::TensorEntry& entry : reader.header().entries)
      elements += static_cast<double>(entry.shape.numel());
    const double channels = static_cast<double>(options.channels), layers = static_cast<double>(options.layers);
    const double width =
        static_cast<double>(options.heads) *
        static_cast<double>(options.head_width > 0 ? options.head_width : options.channels / options.heads);
    const std::string& block = options.feed_forward.name();
    const double hidden = block == "none"      ? 0
                          : block == "linear"  ? channels
                          : options.hidden > 0 ? static_cast<double>(options.hidden)
                                               : channels * 8 / 3;
    if (static_cast<double>(options.vocabulary) * channels + layers * channels * (width + hidden) > elements)
      throw FileError(path.string(), "header", "is said to hold a model larger than the file");
  }
  OwnedLanguageModel owned = build(options, model_options);
  load_weights(*owned.root, path);
  return owned;
}

}  // namespace atto
