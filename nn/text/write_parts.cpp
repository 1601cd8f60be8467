#include "nn/text/parts.hpp"

namespace atto::text {

std::string write_parts(const Parts& parts) {
  using nlohmann::ordered_json;
  ordered_json document{{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
  ordered_json& added = document["added_tokens"] = ordered_json::array();
  for (const AddedToken& token : parts.added.all())
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", token.single_word},
                     {"lstrip", token.strip_left},
                     {"rstrip", token.strip_right},
                     {"normalized", token.normalised},
                     {"special", token.special}});
  for (const auto& [key, description] : parts.descriptions) document[key] = description;

  const BytePairs& pairs = parts.model;
  const auto token = [&](std::int32_t id) { return pairs.tokens()[static_cast<std::size_t>(id)]; };
  ordered_json vocabulary = ordered_json::object(), merges = ordered_json::array();
  // Not by key, which would search all that went before.
  auto& entries = vocabulary.get_ref<ordered_json::object_t&>();
  for (std::size_t id = 0; id < pairs.tokens().size(); ++id)
    if (!pairs.tokens()[id].empty()) entries.emplace_back(pairs.tokens()[id], id);
  for (const auto& [left, right] : pairs.merges()) merges.push_back(ordered_json::array({token(left), token(right)}));
  const BytePairs::Options& options = pairs.options();
  document["model"] = {{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", options.unknown < 0 ? ordered_json() : ordered_json(token(options.unknown))},
                       {"continuing_subword_prefix", nullptr},
                       {"end_of_word_suffix", nullptr},
                       {"fuse_unk", options.fuse_unknown},
                       {"byte_fallback", options.byte_fallback},
                       {"ignore_merges", options.ignore_merges}};
  document["model"]["vocab"] = std::move(vocabulary);
  document["model"]["merges"] = std::move(merges);
  return document.dump(1) + "\n";
}

}  // namespace atto::text
