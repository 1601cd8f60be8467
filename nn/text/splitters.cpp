#include <array>
#include <utility>

#include "nn/report/utf8.hpp"
#include "nn/safetensors.hpp"
#include "nn/text/byte_alphabet.hpp"
#include "nn/text/stages.hpp"

namespace atto::text {
namespace {

// Letters in the sense of Unicode's Alphabetic that are neither of L, M nor N are the circled and squared ones.
constexpr std::string_view kWordCharacter =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200C}\x{200D}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})";

/// What happens to a match: each stretch by itself, without the matches, a match with the stretch before or behind it,
/// or neighbouring matches together.
enum class Behaviour { isolated, removed, with_previous, with_next, contiguous };

Behaviour read_behaviour(const Node& node) {
  constexpr std::array<std::pair<std::string_view, Behaviour>, 5> names{
      {{"Isolated", Behaviour::isolated},
       {"Removed", Behaviour::removed},
       {"MergedWithPrevious", Behaviour::with_previous},
       {"MergedWithNext", Behaviour::with_next},
       {"Contiguous", Behaviour::contiguous}}};
  for (const auto& [name, behaviour] : names)
    if (node.string() == name) return behaviour;
  node.refuse("is " + in_quotes(node.string()), "Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous");
}

// Whether a stretch joins the one before it, by whether that and this one are matches.
bool joins(Behaviour behaviour, bool before, bool now) {
  switch (behaviour) {
    case Behaviour::with_previous:
      return now && !before;
    case Behaviour::with_next:
      return before && !now;
    case Behaviour::contiguous:
      return before == now;
    default:
      return false;
  }
}

void split(const Regex& pattern, Behaviour behaviour, bool invert, Piece piece, const Sink& sink) {
  std::size_t begin = 0, end = 0;
  bool any = false, before = false;
  const auto flush = [&] {
    if (end > begin && !(behaviour == Behaviour::removed && before))
      sink({piece.text.substr(begin, end - begin), piece.first && begin == 0});
  };
  pattern.stretches(piece.text, [&](std::size_t from, std::size_t to, bool matched) {
    const bool now = matched != invert;
    if (!(any && joins(behaviour, before, now))) {
      flush();
      begin = from;
    }
    end = to;
    before = now;
    any = true;
  });
  flush();
}

Splitter splitter(Regex pattern, Behaviour behaviour, bool invert = false) {
  return [pattern = std::move(pattern), behaviour, invert](Piece piece, const Sink& sink) {
    split(pattern, behaviour, invert, piece, sink);
  };
}

Splitter read_byte_level(const Node& node) {
  node.only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  const bool blank = node.boolean("add_prefix_space", true);
  Splitter cut;
  if (node.boolean("use_regex", true)) cut = splitter(Regex(gpt2_pattern), Behaviour::isolated);
  return [blank, cut](Piece piece, const Sink& sink) {
    std::string spelled;
    const auto spell = [&](Piece word) {
      spelled.clear();
      append_spelled(spelled, word.text);
      sink({spelled, word.first});
    };
    std::string longer;
    if (blank && !piece.text.starts_with(' ')) piece.text = longer.append(" ").append(piece.text);
    if (cut) cut(piece, spell);
    else spell(piece);
  };
}

// Blanks become a visible character, and a word begins with each. (Kudo and Richardson 2018, SentencePiece)
Splitter read_metaspace(const Node& node) {
  node.only({"type", "replacement", "add_prefix_space", "prepend_scheme", "split"});
  const std::string mark = node.string("replacement", "\u2581");
  std::size_t length = 0;
  if (!mark.empty()) report::next_code_point(mark, length);
  if (mark.empty() || length != mark.size()) node.refuse("has a replacement that is not one character");
  const std::string scheme = node.string("prepend_scheme", node.boolean("add_prefix_space", true) ? "always" : "never");
  if (scheme != "always" && scheme != "first" && scheme != "never")
    node.refuse("has the prepend_scheme " + in_quotes(scheme), "always, first or never");
  Splitter cut;
  if (node.boolean("split", true)) cut = splitter(Regex::literal(mark), Behaviour::with_next);
  return [mark, scheme, cut, blank = Regex::literal(" ")](Piece piece, const Sink& sink) {
    std::string text = replace_all(blank, piece.text, mark);
    if (!text.starts_with(mark) && (scheme == "always" || (scheme == "first" && piece.first))) text.insert(0, mark);
    if (cut) cut({text, piece.first}, sink);
    else if (!text.empty()) sink({text, piece.first});
  };
}

Splitter sequence(std::vector<Splitter> stages) {
  if (stages.empty()) return {};
  Splitter whole = std::move(stages.back());
  stages.pop_back();
  for (; !stages.empty(); stages.pop_back())
    whole = [first = std::move(stages.back()), rest = std::move(whole)](Piece piece, const Sink& sink) {
      first(piece, [&rest, &sink](Piece part) { rest(part, sink); });
    };
  return whole;
}

}  // namespace

bool is_space(char32_t p) {
  return (p >= 0x09 && p <= 0x0D) || p == 0x20 || p == 0x85 || p == 0xA0 || p == 0x1680 ||
         (p >= 0x2000 && p <= 0x200A) || p == 0x2028 || p == 0x2029 || p == 0x202F || p == 0x205F || p == 0x3000;
}

bool is_word(std::string_view character) {
  static const Regex word("[" + std::string(kWordCharacter) + "]");
  return word.find(character, 0).has_value();
}

Splitter read_splitter(const Node& node) {
  if (node.json().is_null()) return {};
  const std::string& type = node.at("type").string();
  if (type == "ByteLevel") return read_byte_level(node);
  if (type == "Metaspace") return read_metaspace(node);
  if (type == "Sequence") {
    node.only({"type", "pretokenizers"});
    std::vector<Splitter> stages;
    for (const Node& part : node.at("pretokenizers").items())
      if (Splitter stage = read_splitter(part)) stages.push_back(std::move(stage));
    return sequence(std::move(stages));
  }
  if (type == "Split") {
    node.only({"type", "pattern", "behavior", "invert"});
    return splitter(read_pattern(node.at("pattern")), read_behaviour(node.at("behavior")),
                    node.boolean("invert", false));
  }
  if (type == "Digits") {
    node.only({"type", "individual_digits"});
    return splitter(Regex("\\p{N}"),
                    node.boolean("individual_digits", false) ? Behaviour::isolated : Behaviour::contiguous);
  }
  if (type == "Punctuation") {
    node.only({"type", "behavior"});
    const std::optional<Node> behaviour = node.find("behavior");
    return splitter(Regex("[\\p{P}$+<=>^`|~]"), behaviour ? read_behaviour(*behaviour) : Behaviour::isolated);
  }
  if (type == "Whitespace") {
    node.only({"type"});
    const std::string word(kWordCharacter);
    return splitter(Regex("[" + word + "]+|[^" + word + "\\s]+"), Behaviour::removed, true);
  }
  if (type == "WhitespaceSplit") {
    node.only({"type"});
    return splitter(Regex("\\s"), Behaviour::removed);
  }
  node.refuse("is a pre-tokeniser of type " + in_quotes(type) + ", which is not supported",
              "ByteLevel, Digits, Metaspace, Punctuation, Sequence, Split, Whitespace and WhitespaceSplit are");
}

}  // namespace atto::text
