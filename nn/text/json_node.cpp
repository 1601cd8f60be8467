#include "nn/text/json_node.hpp"

#include <algorithm>
#include <unordered_set>

#include "core/error.hpp"
#include "nn/safetensors.hpp"

namespace atto::text {

Node Node::at(std::string_view key) const {
  if (!value_->is_object()) refuse("is no object");
  const auto found = value_->find(key);
  if (found == value_->end()) refuse("lacks the key " + in_quotes(key));
  return {*found, *file_, place_.empty() ? std::string(key) : place_ + "." + std::string(key)};
}

std::optional<Node> Node::find(std::string_view key) const {
  if (!value_->is_object()) refuse("is no object");
  const auto found = value_->find(key);
  if (found == value_->end() || found->is_null()) return std::nullopt;
  return at(key);
}

std::vector<Node> Node::items() const {
  if (!value_->is_array()) refuse("is no array");
  std::vector<Node> nodes;
  nodes.reserve(value_->size());
  for (std::size_t i = 0; i < value_->size(); ++i)
    nodes.emplace_back((*value_)[i], *file_, place_ + "[" + std::to_string(i) + "]");
  return nodes;
}

const std::string& Node::string() const {
  if (!value_->is_string()) refuse("is no string");
  return value_->get_ref<const std::string&>();
}

bool Node::boolean() const {
  if (!value_->is_boolean()) refuse("is neither true nor false");
  return value_->get<bool>();
}

std::int64_t Node::integer(std::int64_t low, std::int64_t high) const {
  const bool fits = value_->is_number_unsigned() ? value_->get<std::uint64_t>() <= static_cast<std::uint64_t>(high)
                                                 : value_->is_number_integer();
  const std::int64_t number = fits ? value_->get<std::int64_t>() : 0;
  if (!fits || number < low || number > high)
    refuse("is " + value_->dump(-1, ' ', true).substr(0, 40) + ", expected an integer from " + std::to_string(low) +
           " to " + std::to_string(high));
  return number;
}

bool Node::boolean(std::string_view key, bool otherwise) const {
  const std::optional<Node> node = find(key);
  return node ? node->boolean() : otherwise;
}

std::string Node::string(std::string_view key, std::string_view otherwise) const {
  const std::optional<Node> node = find(key);
  return node ? node->string() : std::string(otherwise);
}

void Node::only(std::initializer_list<std::string_view> keys) const {
  if (!value_->is_object()) refuse("is no object");
  for (const auto& [key, value] : value_->items())
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) refuse("has the unknown key " + in_quotes(key));
}

void Node::refuse(const std::string& reason, const std::string& hint) const {
  throw FileError(*file_, place_, reason, hint);
}

nlohmann::json parse_json(std::string_view text, const std::string& file) {
  constexpr int deepest = 32;
  std::vector<std::unordered_set<std::string>> keys(deepest + 2);  // of the objects that are open, by depth
  const auto check = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    const auto level = static_cast<std::size_t>(depth);
    if (event == Event::object_start || event == Event::array_start) {
      if (depth >= deepest) throw FileError(file, {}, "is nested deeper than " + std::to_string(deepest));
      keys[level + 1].clear();
    } else if (event == Event::key && !keys[level].insert(parsed.get<std::string>()).second) {
      throw FileError(file, {}, "gives the key " + in_quotes(parsed.get<std::string>()) + " of one object twice");
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text.begin(), text.end(), check);
  } catch (const nlohmann::json::parse_error& error) {
    throw FileError(file, "byte " + std::to_string(error.byte), "is not valid JSON", "is this a tokenizer.json?");
  } catch (const nlohmann::json::out_of_range&) {
    throw FileError(file, {}, "holds a number that is too large for any use");
  }
}

}  // namespace atto::text
