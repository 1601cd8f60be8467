#include <utility>

#include "nn/safetensors.hpp"
#include "nn/text/nfc.hpp"
#include "nn/text/stages.hpp"
#include "nn/text/valid_utf8.hpp"

namespace atto::text {

Regex read_pattern(const Node& node) {
  node.only({"String", "Regex"});
  if (node.json().size() != 1) node.refuse("is not one String or one Regex");
  if (const std::optional<Node> text = node.find("String")) return Regex::literal(text->string());
  const Node pattern = node.at("Regex");
  try {
    return Regex(pattern.string());
  } catch (const PatternError& error) {
    pattern.refuse("the pattern " + in_quotes(pattern.string().substr(0, 200)) + " " + error.what());
  }
}

std::string replace_all(const Regex& pattern, std::string_view text, std::string_view by) {
  std::string out;
  valid_stretches(text, [&](std::string_view stretch, bool valid) {
    if (!valid) out += stretch;
    else
      pattern.stretches(stretch, [&](std::size_t begin, std::size_t end, bool matched) {
        out += matched ? by : stretch.substr(begin, end - begin);
      });
  });
  return out;
}

Normaliser read_normaliser(const Node& node) {
  if (node.json().is_null()) return {};
  const std::string& type = node.at("type").string();
  if (type == "Prepend") {
    node.only({"type", "prepend"});
    return [prefix = node.at("prepend").string()](std::string_view text) {
      return text.empty() ? std::string() : prefix + std::string(text);
    };
  }
  if (type == "Replace") {
    node.only({"type", "pattern", "content"});
    return [pattern = read_pattern(node.at("pattern")), by = node.at("content").string()](std::string_view text) {
      return replace_all(pattern, text, by);
    };
  }
  if (type == "NFC") {
    node.only({"type"});
    return to_nfc;
  }
  if (type == "Sequence") {
    node.only({"type", "normalizers"});
    std::vector<Normaliser> stages;
    for (const Node& part : node.at("normalizers").items())
      if (Normaliser stage = read_normaliser(part)) stages.push_back(std::move(stage));
    return [stages = std::move(stages)](std::string_view text) {
      std::string result(text);
      for (const Normaliser& stage : stages) result = stage(result);
      return result;
    };
  }
  node.refuse("is a normalizer of type " + in_quotes(type) + ", which is not supported",
              "NFC, Prepend, Replace and Sequence are");
}

}  // namespace atto::text
