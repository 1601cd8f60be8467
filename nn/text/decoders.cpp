#include <utility>

#include "nn/report/utf8.hpp"
#include "nn/safetensors.hpp"
#include "nn/text/byte_alphabet.hpp"
#include "nn/text/stages.hpp"

namespace atto::text {
namespace {

// A decoder that rewrites token by token and leaves added tokens as they are.
template <class Rewrite>
Decoder each(Rewrite rewrite) {
  return [rewrite = std::move(rewrite)](std::vector<Spelling>& tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      if (!tokens[i].verbatim) rewrite(tokens[i].text, i == 0);
  };
}

void byte_level(std::string& token, bool) {
  if (std::optional<std::string> bytes = unspelled(token)) token = *std::move(bytes);
}

void byte_fallback(std::string& token, bool) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return;
  const int high = digit(token[3]), low = digit(token[4]);
  if (high >= 0 && low >= 0) token.assign(1, static_cast<char>(static_cast<unsigned char>(high * 16 + low)));
}

void fuse(std::vector<Spelling>& tokens) {
  Spelling whole;
  for (const Spelling& token : tokens) whole.text += token.text;
  tokens.assign(1, std::move(whole));
}

void join_with_blanks(std::vector<Spelling>& tokens) {
  for (std::size_t i = 1; i < tokens.size(); ++i) tokens[i].text.insert(0, " ");
}

void strip(std::string& text, std::string_view what, std::int64_t start, std::int64_t stop) {
  std::string_view rest = text;
  for (; start > 0 && rest.starts_with(what); --start) rest.remove_prefix(what.size());
  for (; stop > 0 && rest.ends_with(what); --stop) rest.remove_suffix(what.size());
  text = std::string(rest);
}

Decoder read_metaspace(const Node& node) {
  node.only({"type", "replacement", "add_prefix_space", "prepend_scheme", "split"});
  const Regex mark = Regex::literal(node.string("replacement", "\u2581"));
  const bool prepended =
      node.string("prepend_scheme", node.boolean("add_prefix_space", true) ? "always" : "never") != "never";
  // The mark that was put before the text goes. (Where words are not cut apart, others drop all marks of the first
  // token.)
  return each([mark, prepended](std::string& token, bool first) {
    std::size_t skip = 0;
    if (const auto match = mark.find(token, 0); first && prepended && match && match->begin == 0) skip = match->end;
    token = replace_all(mark, std::string_view(token).substr(skip), " ");
  });
}

}  // namespace

Decoder read_decoder(const Node& node) {
  if (node.json().is_null()) return join_with_blanks;
  const std::string& type = node.at("type").string();
  if (type == "ByteLevel") {
    node.only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    return each(byte_level);
  }
  if (type == "ByteFallback") {
    node.only({"type"});
    return each(byte_fallback);
  }
  if (type == "Fuse") {
    node.only({"type"});
    return fuse;
  }
  if (type == "Metaspace") return read_metaspace(node);
  if (type == "Replace") {
    node.only({"type", "pattern", "content"});
    return each([pattern = read_pattern(node.at("pattern")), by = node.at("content").string()](
                    std::string& token, bool) { token = replace_all(pattern, token, by); });
  }
  if (type == "Strip") {
    node.only({"type", "content", "start", "stop"});
    const std::int64_t most = std::int64_t{1} << 31;
    const std::string& what = node.at("content").string();
    if (what.empty()) node.refuse("strips an empty text");
    return each([what, start = node.at("start").integer(0, most), stop = node.at("stop").integer(0, most)](
                    std::string& token, bool) { strip(token, what, start, stop); });
  }
  if (type == "Sequence") {
    node.only({"type", "decoders"});
    std::vector<Decoder> stages;
    for (const Node& part : node.at("decoders").items())
      if (!part.json().is_null()) stages.push_back(read_decoder(part));
    return [stages = std::move(stages)](std::vector<Spelling>& tokens) {
      for (const Decoder& stage : stages) stage(tokens);
    };
  }
  node.refuse("is a decoder of type " + in_quotes(type) + ", which is not supported",
              "ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence and Strip are");
}

}  // namespace atto::text
