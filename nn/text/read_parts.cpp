#include <algorithm>
#include <limits>
#include <unordered_set>

#include "core/error.hpp"
#include "nn/safetensors.hpp"
#include "nn/text/parts.hpp"

namespace atto::text {
namespace {

using nlohmann::json;

constexpr std::int64_t kLargestId = std::numeric_limits<std::int32_t>::max() - 1;

struct Vocabulary {
  std::vector<std::string> tokens;  // by id
  std::vector<BytePairs::Merge> merges;
  BytePairs::Options options;
};

// Tables are as long as the largest id says, so there must be tokens for most of them.
void check_gaps(const Node& node, std::int64_t largest, std::size_t tokens) {
  if (largest >= 2 * static_cast<std::int64_t>(tokens) + 65536)
    node.refuse("has an id " + std::to_string(largest) + ", but there are only " + std::to_string(tokens) + " tokens");
}

std::vector<std::string> read_tokens(const Node& vocabulary) {
  const json& entries = vocabulary.json();
  if (!entries.is_object()) vocabulary.refuse("is no object");
  std::int64_t largest = -1;
  for (const auto& [token, id] : entries.items())
    largest = std::max(largest, vocabulary.at(token).integer(0, kLargestId));
  check_gaps(vocabulary, largest, entries.size());
  std::vector<std::string> tokens(static_cast<std::size_t>(largest + 1));
  for (const auto& [token, id] : entries.items()) {
    if (token.empty()) vocabulary.refuse("holds an empty token");
    std::string& place = tokens[id.get<std::size_t>()];
    if (!place.empty()) vocabulary.refuse("gives one id to " + in_quotes(place) + " and " + in_quotes(token));
    place = token;
  }
  return tokens;
}

// "a b" or ["a", "b"].
std::pair<std::string_view, std::string_view> read_pair(const Node& merge) {
  if (merge.json().is_array()) {
    if (merge.json().size() != 2) merge.refuse("is not a pair of tokens");
    const std::vector<Node> parts = merge.items();
    return {parts[0].string(), parts[1].string()};
  }
  const std::string_view text = merge.string();
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos || text.find(' ', blank + 1) != std::string_view::npos)
    merge.refuse(in_quotes(text) + " is not two tokens with a blank between them");
  return {text.substr(0, blank), text.substr(blank + 1)};
}

std::vector<BytePairs::Merge> read_merges(const Node& node, const json& vocabulary) {
  std::vector<BytePairs::Merge> merges;
  for (const Node& merge : node.items()) {
    const auto id = [&](std::string_view token) {
      const auto found = vocabulary.find(token);
      if (found == vocabulary.end()) merge.refuse("names " + in_quotes(token) + ", which is not in the vocabulary");
      return found->get<std::int32_t>();
    };
    const auto [left, right] = read_pair(merge);
    merges.push_back({id(left), id(right)});
  }
  return merges;
}

void check_absent(const Node& node, std::initializer_list<const char*> keys, const std::string& hint) {
  for (const char* key : keys)
    if (const std::optional<Node> value = node.find(key))
      if (!(value->json().is_string() && value->string().empty()))
        value->refuse("is " + value->json().dump(-1, ' ', true).substr(0, 60) + ", which is not supported", hint);
}

std::vector<AddedToken> read_added(const Node& document, const std::vector<std::string>& vocabulary, const json& ids) {
  std::vector<AddedToken> tokens;
  std::unordered_set<std::string> contents;
  std::unordered_set<std::int32_t> used;
  const std::optional<Node> list = document.find("added_tokens");
  if (!list) return tokens;
  for (const Node& node : list->items()) {
    node.only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    AddedToken token;
    token.content = node.at("content").string();
    token.id = static_cast<std::int32_t>(node.at("id").integer(0, kLargestId));
    token.special = node.boolean("special", false);
    token.normalised = node.boolean("normalized", !token.special);
    token.single_word = node.boolean("single_word", false);
    token.strip_left = node.boolean("lstrip", false);
    token.strip_right = node.boolean("rstrip", false);
    if (token.content.empty()) node.refuse("is empty");
    if (!contents.insert(token.content).second) node.refuse("gives " + in_quotes(token.content) + " a second time");
    if (!used.insert(token.id).second) node.refuse("gives the id " + std::to_string(token.id) + " a second time");
    const auto place = static_cast<std::size_t>(token.id);
    const std::string other = place < vocabulary.size() ? vocabulary[place] : std::string();
    if (!other.empty() && other != token.content)
      node.refuse("gives " + in_quotes(token.content) + " the id of " + in_quotes(other));
    if (other.empty() && ids.contains(token.content))
      node.refuse("gives " + in_quotes(token.content) + " another id than the vocabulary");
    tokens.push_back(std::move(token));
  }
  return tokens;
}

// Begin and end tokens: what stands before and behind the text in a template, the inner templates first.
void read_post_processor(const Node& node, Parts& parts) {
  if (node.json().is_null()) return;
  const std::string& type = node.at("type").string();
  if (type == "ByteLevel") {  // moves the ends of tokens in the text, which are not kept here
    node.only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  } else if (type == "Sequence") {
    node.only({"type", "processors"});
    for (const Node& part : node.at("processors").items()) read_post_processor(part, parts);
  } else if (type == "TemplateProcessing") {
    node.only({"type", "single", "pair", "special_tokens"});
    std::vector<std::int32_t> before, behind;
    int texts = 0;
    for (const Node& part : node.at("single").items()) {
      part.only({"Sequence", "SpecialToken"});
      if (part.json().size() != 1) part.refuse("is not one Sequence or one SpecialToken");
      if (part.find("Sequence")) {
        ++texts;
        continue;
      }
      const std::string& name = part.at("SpecialToken").at("id").string();
      for (const Node& id : node.at("special_tokens").at(name).at("ids").items()) {
        const auto value = static_cast<std::int32_t>(id.integer(0, kLargestId));
        const auto place = static_cast<std::size_t>(value);
        const bool in_model = place < parts.model.tokens().size() && !parts.model.tokens()[place].empty();
        if (!in_model && parts.added.find(value) == nullptr)
          id.refuse("is " + std::to_string(value) + ", which has no token");
        (texts == 0 ? before : behind).push_back(value);
      }
    }
    if (texts != 1) node.refuse("has a template with " + std::to_string(texts) + " texts for one");
    parts.before.insert(parts.before.begin(), before.begin(), before.end());
    parts.behind.insert(parts.behind.end(), behind.begin(), behind.end());
  } else {
    node.refuse("is a post-processor of type " + in_quotes(type) + ", which is not supported",
                "ByteLevel, Sequence and TemplateProcessing are");
  }
}

bool is_byte_level(const json& splitter) {
  if (!splitter.is_object()) return false;
  if (splitter["type"] == "ByteLevel") return true;
  return splitter["type"] == "Sequence" &&
         std::any_of(splitter["pretokenizers"].begin(), splitter["pretokenizers"].end(), is_byte_level);
}

}  // namespace

std::shared_ptr<const Parts> read_parts(const json& document, const std::string& file) {
  const Node root(document, file);
  root.only({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
             "decoder", "model"});
  if (root.string("version", "1.0") != "1.0") root.at("version").refuse("is not 1.0");
  check_absent(root, {"truncation", "padding"}, "set it to null; texts are cut and filled up where batches are made");

  const Node model = root.at("model");
  // The oldest files of this kind do not name it.
  if (const std::string type = model.string("type", "BPE"); type != "BPE")
    model.refuse("is a model of type " + in_quotes(type) + ", which is not supported", "BPE is");
  model.only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
              "byte_fallback", "ignore_merges", "vocab", "merges"});
  check_absent(model, {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}, {});
  const Node vocabulary = model.at("vocab");
  std::vector<std::string> tokens = read_tokens(vocabulary);
  std::vector<BytePairs::Merge> merges = read_merges(model.at("merges"), vocabulary.json());
  std::vector<AddedToken> added = read_added(root, tokens, vocabulary.json());

  BytePairs::Options options{.fuse_unknown = model.boolean("fuse_unk", false),
                             .byte_fallback = model.boolean("byte_fallback", false),
                             .ignore_merges = model.boolean("ignore_merges", false)};
  if (const std::string unknown = model.string("unk_token", ""); !unknown.empty()) {
    const auto found = vocabulary.json().find(unknown);
    if (found == vocabulary.json().end()) model.refuse("has no token for its unk_token " + in_quotes(unknown));
    options.unknown = found->get<std::int32_t>();
  }

  const auto part = [&](const char* key) {
    static const json null;
    return root.find(key) ? root.at(key) : Node(null, file, key);
  };
  auto largest = static_cast<std::int64_t>(tokens.size()) - 1;
  for (const AddedToken& token : added) largest = std::max<std::int64_t>(largest, token.id);
  check_gaps(root, largest, vocabulary.json().size() + added.size());
  std::shared_ptr<Parts> parts;
  try {
    parts =
        std::make_shared<Parts>(read_normaliser(part("normalizer")), std::move(added),
                                read_splitter(part("pre_tokenizer")), options, std::move(tokens), std::move(merges));
  } catch (const ValueError& error) {
    model.refuse(error.what());
  }
  parts->decode = read_decoder(part("decoder"));
  parts->vocabulary_size = largest + 1;
  for (auto& [key, description] : parts->descriptions) description = part(key).json();
  parts->byte_level = is_byte_level(part("pre_tokenizer").json());
  read_post_processor(part("post_processor"), *parts);
  return parts;
}

}  // namespace atto::text
