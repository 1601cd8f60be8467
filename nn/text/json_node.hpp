#pragma once
// Reading JSON that anybody may have written: every complaint names the file, the place in it and the reason.

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace atto::text {

/// One value of a document and where it stands, "pre_tokenizer.pretokenizers[1]". It refers to the document and to the
/// name of the file, which both outlive it.
class Node {
 public:
  Node(const nlohmann::json& value, const std::string& file, std::string place = {})
      : value_(&value), file_(&file), place_(std::move(place)) {}

  const nlohmann::json& json() const { return *value_; }

  /// The value under `key` of this object; an error where it is missing (at) or nothing where it is missing or null.
  Node at(std::string_view key) const;
  std::optional<Node> find(std::string_view key) const;
  /// The values of this array; an error where it is something else.
  std::vector<Node> items() const;

  /// This value as what it must be.
  const std::string& string() const;
  bool boolean() const;
  std::int64_t integer(std::int64_t low, std::int64_t high) const;
  /// The value under `key`, or `otherwise` where it is missing or null.
  bool boolean(std::string_view key, bool otherwise) const;
  std::string string(std::string_view key, std::string_view otherwise) const;

  /// The value under "type", after a check that this object has no keys but that and `keys`.
  void only(std::initializer_list<std::string_view> keys) const;

  /// Throws FileError.
  [[noreturn]] void refuse(const std::string& reason, const std::string& hint = {}) const;

 private:
  const nlohmann::json* value_;
  const std::string* file_;
  std::string place_;
};

/// The document in `text`. FileError where it is not JSON, gives a key of one object twice, or is nested deeper than
/// 32: such a file would cost much more memory than its bytes.
nlohmann::json parse_json(std::string_view text, const std::string& file);

}  // namespace atto::text
