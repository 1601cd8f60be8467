#include "examples/common/settings.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <set>
#include <type_traits>
#include <utility>

#include "core/error.hpp"

namespace atto::examples {
namespace {

std::string option_name(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

// Whether `json` holds a value that `field` can hold as it is. The conversions of the library cut 1.5 to 1 and 2^32 to
// 0, and the one of 1e30 to an integer is undefined.
template <class Field>
bool read_field(const nlohmann::json& json, Field& field) {
  if constexpr (std::is_same_v<Field, bool>) {
    if (!json.is_boolean()) return false;
  } else if constexpr (std::is_integral_v<Field>) {
    if (!json.is_number_integer()) return false;
    if (json.is_number_unsigned() ? !std::in_range<Field>(json.get<std::uint64_t>())
                                  : !std::in_range<Field>(json.get<std::int64_t>()))
      return false;
  } else if constexpr (std::is_floating_point_v<Field>) {
    if (!json.is_number()) return false;
  } else if (!json.is_string()) {
    return false;
  }
  field = json.get<Field>();
  return true;
}

const char* group_of(const std::string& name) {
  static const std::set<std::string> data{"data",           "dataset",  "graphs",         "attributes",       "folds",
                                          "train_fraction", "encoding", "encoding_width", "encoding_channels"};
  static const std::set<std::string> training{
      "epochs", "batch", "lr", "warmup", "schedule", "optimiser", "weight_decay", "hop_weight_decay", "clip", "seed"};
  return name == "threads" ? "Run" : data.count(name) ? "Data" : training.count(name) ? "Training" : "Model";
}

}  // namespace

void add_options(CLI::App& app, Settings& settings) {
  visit_fields(settings, [&](const std::string& name, auto& field, const std::string& help) {
    using Field = std::remove_reference_t<decltype(field)>;
    CLI::Option* option = nullptr;
    if constexpr (std::is_same_v<Field, bool>) option = app.add_flag(option_name(name), field, help);
    else if constexpr (IsOptional<Field>::value)
      option = app.add_option(option_name(name), field, help.ends_with(']') ? help : help + " [by data set]");
    else option = app.add_option(option_name(name), field, help)->capture_default_str();
    option->take_last()->group(group_of(name));  // so that a script can append to its options
  });
}

nlohmann::ordered_json to_json(const Settings& settings) {
  nlohmann::ordered_json json;
  visit_fields(settings, [&](const char* name, const auto& field, const char*) {
    using Field = std::remove_cvref_t<decltype(field)>;
    if constexpr (IsOptional<Field>::value) {
      if (field) json[name] = *field;
      else json[name] = nullptr;
    } else {
      json[name] = field;
    }
  });
  return json;
}

Settings from_json(const nlohmann::json& json, const std::string& path) {
  Settings settings;
  if (!json.is_object()) throw FileError(path, "", "the settings are not a JSON object");
  std::set<std::string> known;
  visit_fields(settings, [&](const char* name, auto& field, const char*) {
    using Field = std::remove_cvref_t<decltype(field)>;
    known.insert(name);
    const auto found = json.find(name);
    if (found == json.end()) throw FileError(path, "", "the setting '" + std::string(name) + "' is missing");
    bool fits = true;
    if constexpr (IsOptional<Field>::value) {
      if (!found->is_null()) fits = read_field(*found, field.emplace());
    } else {
      fits = read_field(*found, field);
    }
    if (!fits)
      throw FileError(path, "", "the setting '" + std::string(name) + "' has the wrong type or size: " + found->dump());
  });
  for (const auto& [key, value] : json.items())
    if (!known.count(key)) throw FileError(path, "", "unknown setting '" + key + "'");
  return settings;
}

}  // namespace atto::examples
