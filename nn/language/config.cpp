#include "nn/language/config.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.hpp"
#include "nn/names.hpp"
#include "nn/safetensors.hpp"

namespace atto {
namespace {

using nlohmann::json;

constexpr std::int64_t kLargestSize = std::int64_t{1} << 31;

constexpr Names<RotaryScaling::Kind, 3> kScalings{"rotary scaling",
                                                  {{{RotaryScaling::Kind::none, "default"},
                                                    {RotaryScaling::Kind::linear, "linear"},
                                                    {RotaryScaling::Kind::llama3, "llama3"}}}};
constexpr Names<RotaryPairs, 2> kPairs{
    "rotary pairs", {{{RotaryPairs::half_split, "half_split"}, {RotaryPairs::interleaved, "interleaved"}}}};

// An object of a file, read key by key; null counts as absent.
class Keys {
 public:
  Keys(json object, std::filesystem::path path, std::string place = {})
      : object_(std::move(object)), path_(std::move(path)), place_(std::move(place)) {
    if (!object_.is_object()) fail({}, "is not an object");
  }
  static Keys parse(std::string_view text, const std::filesystem::path& path) {
    json object = json::parse(text, nullptr, false);
    if (object.is_discarded()) throw FileError(path.string(), {}, "is not valid JSON");
    return Keys(std::move(object), path);
  }

  [[noreturn]] void fail(const std::string& key, const std::string& reason, const std::string& hint = {}) const {
    const std::string where = place_ + (place_.empty() || key.empty() ? "" : ".") + key;
    throw FileError(path_.string(), where.empty() ? "" : "key " + in_quotes(where), reason, hint);
  }
  bool has(const std::string& key) const {
    const auto at = object_.find(key);
    return at != object_.end() && !at->is_null();
  }
  std::int64_t size(const std::string& key, std::optional<std::int64_t> otherwise = {}) const {
    if (!has(key)) return otherwise ? *otherwise : missing<std::int64_t>(key);
    const json& value = object_[key];
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < 1 ||
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(kLargestSize))
      fail(key, "is " + shown(value) + ", expected a whole number from 1 to 2^31");
    return value.get<std::int64_t>();
  }
  double number(const std::string& key, std::optional<double> otherwise = {}) const {
    if (!has(key)) return otherwise ? *otherwise : missing<double>(key);
    const json& value = object_[key];
    if (!value.is_number() || !std::isfinite(value.get<double>()))
      fail(key, "is " + shown(value) + ", expected a number");
    return value.get<double>();
  }
  double positive(const std::string& key, std::optional<double> otherwise = {}) const {
    const double value = number(key, otherwise);
    if (!(value > 0)) fail(key, "is " + std::to_string(value) + ", expected more than 0");
    return value;
  }
  bool flag(const std::string& key, bool otherwise) const {
    if (!has(key)) return otherwise;
    if (!object_[key].is_boolean()) fail(key, "is " + shown(object_[key]) + ", expected true or false");
    return object_[key].get<bool>();
  }
  std::string text(const std::string& key, std::optional<std::string> otherwise = {}) const {
    if (!has(key)) return otherwise ? *otherwise : missing<std::string>(key);
    if (!object_[key].is_string()) fail(key, "is " + shown(object_[key]) + ", expected a text");
    return object_[key].get<std::string>();
  }
  Keys object(const std::string& key) const {
    return Keys(object_[key], path_, place_ + (place_.empty() ? "" : ".") + key);
  }
  /// One of several names.
  template <class E, std::size_t N>
  E name(const std::string& key, const Names<E, N>& names, const std::string& otherwise) const {
    const std::string got = text(key, otherwise);
    for (const auto& [value, name] : names.entries)
      if (name == got) return value;
    std::string known;
    for (const auto& entry : names.entries) known += (known.empty() ? "" : ", ") + std::string(entry.second);
    fail(key, "is " + in_quotes(got) + ", expected one of " + known);
  }

 private:
  template <class T>
  T missing(const std::string& key) const {
    fail(key, "is missing");
  }
  static std::string shown(const json& value) {
    return value.is_structured() ? value.type_name()
                                 : in_quotes(value.dump(-1, ' ', true, json::error_handler_t::replace));
  }

  json object_;
  std::filesystem::path path_;
  std::string place_;
};

RotaryScaling scaling_of(const Keys& keys) {
  RotaryScaling scaling;
  const char* kind = keys.has("rope_type") ? "rope_type" : "type";
  scaling.kind = keys.name(kind, kScalings, "default");
  if (scaling.kind == RotaryScaling::Kind::none) return scaling;
  scaling.factor = keys.positive("factor");
  if (scaling.kind == RotaryScaling::Kind::linear) return scaling;
  scaling.low = keys.positive("low_freq_factor");
  scaling.high = keys.positive("high_freq_factor");
  scaling.original_length = keys.positive("original_max_position_embeddings");
  if (!(scaling.low < scaling.high)) keys.fail("low_freq_factor", "is not less than high_freq_factor");
  return scaling;
}

// What holds whatever the file is: sizes that a decoder can have.
void check(const LanguageModelOptions& o, const Keys& keys, const char* heads, const char* key_heads,
           const char* head_width) {
  if (o.key_heads != 0 && o.heads % o.key_heads != 0)
    keys.fail(key_heads, "is " + std::to_string(o.key_heads) + ", expected a divisor of " + std::to_string(o.heads));
  if (o.head_width == 0 && o.channels % o.heads != 0)
    keys.fail(heads, "is " + std::to_string(o.heads) + ", expected a divisor of " + std::to_string(o.channels) +
                         ", or " + head_width);
  const std::int64_t width = o.head_width == 0 ? o.channels / o.heads : o.head_width;
  if (width > kLargestSize / o.heads)
    keys.fail(heads, "makes more than 2^31 channels together with the width of a head");
  if (width % 2 != 0)
    keys.fail(o.head_width == 0 ? heads : head_width,
              "gives heads of " + std::to_string(width) + " channels, expected an even number");
}

}  // namespace

LanguageModelOptions llama_options(std::string_view text, const std::filesystem::path& path) {
  const Keys keys = Keys::parse(text, path);
  if (const std::string type = keys.text("model_type", "llama"); type != "llama")
    keys.fail("model_type", "is " + in_quotes(type) + ", expected \"llama\"", "other architectures are not read");
  if (const std::string act = keys.text("hidden_act", "silu"); act != "silu")
    keys.fail("hidden_act", "is " + in_quotes(act) + ", expected \"silu\"");
  for (const char* key : {"quantization_config", "sliding_window"})
    if (keys.has(key)) keys.fail(key, "is set, which this decoder does not do");
  LanguageModelOptions o{.vocabulary = keys.size("vocab_size"),
                         .channels = keys.size("hidden_size"),
                         .layers = keys.size("num_hidden_layers"),
                         .heads = keys.size("num_attention_heads"),
                         .key_heads = keys.size("num_key_value_heads", 0),
                         .head_width = keys.size("head_dim", 0),
                         .hidden = keys.size("intermediate_size"),
                         .tied = keys.flag("tie_word_embeddings", false),
                         .attention_bias = keys.flag("attention_bias", false),
                         .feed_forward_bias = keys.flag("mlp_bias", false),
                         .epsilon = keys.positive("rms_norm_eps", 1e-6),
                         .attention_dropout = keys.number("attention_dropout", 0),
                         .deviation = 0};
  if (!(o.attention_dropout >= 0 && o.attention_dropout < 1)) keys.fail("attention_dropout", "lies outside [0, 1)");
  check(o, keys, "num_attention_heads", "num_key_value_heads", "head_dim");
  const bool newer = keys.has("rope_parameters");
  const Keys rotary = newer ? keys.object("rope_parameters") : keys;
  for (const Keys* place : {&keys, &rotary})
    if (place->number("partial_rotary_factor", 1) != 1)
      place->fail("partial_rotary_factor", "is not 1, and this decoder turns whole heads");
  o.rotary.theta = rotary.positive("rope_theta", keys.positive("rope_theta", 10000));
  if (newer && keys.has("rope_scaling"))
    keys.fail("rope_scaling", "stands beside rope_parameters; one of them is wrong");
  if (newer) o.rotary.scaling = scaling_of(rotary);
  else if (keys.has("rope_scaling")) o.rotary.scaling = scaling_of(keys.object("rope_scaling"));
  return o;
}

std::string to_json(const LanguageModelOptions& o) {
  const auto refuse = [](const char* argument, const char* got) {
    throw ValueError({.op = "to_json",
                      .argument = argument,
                      .got = got,
                      .expected = "options that a file can hold",
                      .hint = "save the weights alone, and build the model with the same options to load them"});
  };
  if (o.attention) refuse("attention", "a function");
  if (o.feed_forward.name().empty()) refuse("feed_forward", "a block without a name");
  const RotaryScaling& s = o.rotary.scaling;
  const nlohmann::ordered_json object{{"vocabulary", o.vocabulary},
                                      {"channels", o.channels},
                                      {"layers", o.layers},
                                      {"heads", o.heads},
                                      {"key_heads", o.key_heads},
                                      {"head_width", o.head_width},
                                      {"hidden", o.hidden},
                                      {"tied", o.tied},
                                      {"attention_bias", o.attention_bias},
                                      {"feed_forward_bias", o.feed_forward_bias},
                                      {"epsilon", o.epsilon},
                                      {"attention_dropout", o.attention_dropout},
                                      {"feed_forward", o.feed_forward.name()},
                                      {"rotary",
                                       {{"theta", o.rotary.theta},
                                        {"pairs", kPairs.name(o.rotary.pairs)},
                                        {"rope_type", kScalings.name(s.kind)},
                                        {"factor", s.factor},
                                        {"low_freq_factor", s.low},
                                        {"high_freq_factor", s.high},
                                        {"original_max_position_embeddings", s.original_length}}}};
  return object.dump();
}

LanguageModelOptions language_model_options(std::string_view text, const std::filesystem::path& path) {
  const Keys keys = Keys::parse(text, path);
  const auto or_zero = [&](const char* key) { return keys.has(key) && keys.number(key) == 0 ? 0 : keys.size(key, 0); };
  LanguageModelOptions o{.vocabulary = keys.size("vocabulary"),
                         .channels = keys.size("channels"),
                         .layers = or_zero("layers"),
                         .heads = keys.size("heads"),
                         .key_heads = or_zero("key_heads"),
                         .head_width = or_zero("head_width"),
                         .hidden = or_zero("hidden"),
                         .tied = keys.flag("tied", false),
                         .attention_bias = keys.flag("attention_bias", false),
                         .feed_forward_bias = keys.flag("feed_forward_bias", false),
                         .epsilon = keys.positive("epsilon"),
                         .attention_dropout = keys.number("attention_dropout", 0),
                         .deviation = 0};
  if (!(o.attention_dropout >= 0 && o.attention_dropout < 1)) keys.fail("attention_dropout", "lies outside [0, 1)");
  check(o, keys, "heads", "key_heads", "head_width");
  try {
    o.feed_forward = feed_forward(keys.text("feed_forward"));
  } catch (const ValueError& error) {
    keys.fail("feed_forward", error.what());
  }
  if (!keys.has("rotary")) keys.fail("rotary", "is missing");
  const Keys rotary = keys.object("rotary");
  o.rotary.theta = rotary.positive("theta");
  o.rotary.pairs = rotary.name("pairs", kPairs, "half_split");
  o.rotary.scaling = scaling_of(rotary);
  return o;
}

}  // namespace atto
