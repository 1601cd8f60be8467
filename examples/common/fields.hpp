#pragma once
// Settings as one list of fields, which serves the command line, config.json and the metadata of saved weights. A type
// of settings lists them in a static member:
//
//     template <class Self, class Visitor>
//     static void visit_fields(Self& s, Visitor&& visit) { visit("layers", s.layers, "Layers"); ... }
//
// The name is the key in JSON and, with "--" and dashes, the option.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>

#include "core/error.hpp"

namespace atto::examples {
namespace detail {

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

}  // namespace detail

/// An option per field, in the group of the help that group_of(name) says. Fields that may be left open say who then
/// chooses: `chosen`, unless their help ends with another such remark.
template <class Settings, class GroupOf>
void add_field_options(CLI::App& app, Settings& settings, GroupOf&& group_of, const std::string& chosen) {
  Settings::visit_fields(settings, [&](std::string name, auto& field, const std::string& help) {
    using Field = std::remove_reference_t<decltype(field)>;
    const std::string group = group_of(name);
    std::replace(name.begin(), name.end(), '_', '-');
    CLI::Option* option = nullptr;
    if constexpr (std::is_same_v<Field, bool>) option = app.add_flag("--" + name, field, help);
    else if constexpr (detail::IsOptional<Field>::value)
      option = app.add_option("--" + name, field, help.ends_with(']') ? help : help + " " + chosen);
    else option = app.add_option("--" + name, field, help)->capture_default_str();
    option->take_last()->group(group);  // so that a script can append to its options
  });
}

template <class Settings>
nlohmann::ordered_json fields_to_json(const Settings& settings) {
  nlohmann::ordered_json json;
  Settings::visit_fields(settings, [&](const char* name, const auto& field, const char*) {
    if constexpr (detail::IsOptional<std::remove_cvref_t<decltype(field)>>::value) {
      if (field) json[name] = *field;
      else json[name] = nullptr;
    } else {
      json[name] = field;
    }
  });
  return json;
}

/// FileError naming `path` and the key that is unknown, missing, of the wrong type or out of range.
template <class Settings>
Settings fields_from_json(const nlohmann::json& json, const std::string& path) {
  Settings settings;
  if (!json.is_object()) throw FileError(path, "", "the settings are not a JSON object");
  std::set<std::string> known;
  Settings::visit_fields(settings, [&](const char* name, auto& field, const char*) {
    known.insert(name);
    const auto found = json.find(name);
    if (found == json.end()) throw FileError(path, "", "the setting '" + std::string(name) + "' is missing");
    bool fits = true;
    if constexpr (detail::IsOptional<std::remove_cvref_t<decltype(field)>>::value) {
      if (!found->is_null()) fits = detail::read_field(*found, field.emplace());
    } else {
      fits = detail::read_field(*found, field);
    }
    if (!fits)
      throw FileError(path, "", "the setting '" + std::string(name) + "' has the wrong type or size: " + found->dump());
  });
  for (const auto& [key, value] : json.items())
    if (!known.count(key)) throw FileError(path, "", "unknown setting '" + key + "'");
  return settings;
}

/// The same from the text of a file.
template <class Settings>
Settings fields_from_text(const std::string& text, const std::string& path) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) throw FileError(path, "", "holds no settings in JSON");
  return fields_from_json<Settings>(json, path);
}

}  // namespace atto::examples
