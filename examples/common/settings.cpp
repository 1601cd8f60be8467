#include "examples/common/settings.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <set>

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

const char* group_of(const std::string& name) {
  static const std::set<std::string> data{"data", "dataset", "graphs", "attributes", "folds", "train_fraction", "encoding", "encoding_width", "encoding_channels"};
  static const std::set<std::string> training{"epochs", "batch", "lr", "warmup", "schedule", "optimiser", "weight_decay", "hop_weight_decay", "clip", "seed"};
  return name == "threads" ? "Run" : data.count(name) ? "Data" : training.count(name) ? "Training" : "Model";
}

}  // namespace

void add_options(CLI::App& app, Settings& settings) {
  visit_fields(settings, [&](const std::string& name, auto& field, const std::string& help) {
    using Field = std::remove_reference_t<decltype(field)>;
    CLI::Option* option = nullptr;
    if constexpr (std::is_same_v<Field, bool>) option = app.add_flag(option_name(name), field, help);
    else if constexpr (IsOptional<Field>::value) option = app.add_option(option_name(name), field, help.ends_with(']') ? help : help + " [by data set]");
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
    try {
      if constexpr (IsOptional<Field>::value) {
        if (!found->is_null()) field = found->template get<typename Field::value_type>();
      } else {
        field = found->template get<Field>();
      }
    } catch (const nlohmann::json::exception&) {
      throw FileError(path, "", "the setting '" + std::string(name) + "' has the wrong type: " + found->dump());
    }
  });
  for (const auto& [key, value] : json.items())
    if (!known.count(key)) throw FileError(path, "", "unknown setting '" + key + "'");
  return settings;
}

}  // namespace atto::examples
