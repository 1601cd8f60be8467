#include "nn/text/nfc.hpp"

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "nn/report/utf8.hpp"
#include "nn/text/nfc_tables.hpp"

namespace atto::text {
namespace {

// Hangul syllables follow from their parts by arithmetic (The Unicode Standard, section 3.12).
constexpr char32_t kSyllable = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTail = 0x11A7;
constexpr char32_t kLeads = 19, kVowels = 21, kTails = 28, kSyllables = kLeads * kVowels * kTails;

bool in(char32_t point, char32_t first, char32_t count) {
  return point >= first && point - first < count;
}

unsigned char class_of(char32_t point) {
  const auto ranges = combining_classes();
  const auto found =
      std::partition_point(ranges.begin(), ranges.end(), [&](const ClassRange& range) { return range.last < point; });
  return found != ranges.end() && found->first <= point ? found->combining_class : 0;
}

const Pair* decomposition(char32_t point) {
  for (const auto& table : {composing_pairs(), other_decompositions()}) {
    const auto found =
        std::partition_point(table.begin(), table.end(), [&](const Pair& pair) { return pair.whole < point; });
    if (found != table.end() && found->whole == point) return &*found;
  }
  return nullptr;
}

// What first and second become together, 0 where they stay two.
char32_t composed(char32_t first, char32_t second) {
  if (in(first, kLead, kLeads) && in(second, kVowel, kVowels))
    return kSyllable + ((first - kLead) * kVowels + (second - kVowel)) * kTails;
  if (in(first, kSyllable, kSyllables) && (first - kSyllable) % kTails == 0 && in(second, kTail + 1, kTails - 1))
    return first + (second - kTail);
  static const std::unordered_map<std::uint64_t, char32_t> pairs = [] {
    std::unordered_map<std::uint64_t, char32_t> map;
    for (const Pair& pair : composing_pairs()) map.emplace((std::uint64_t{pair.first} << 32) | pair.second, pair.whole);
    return map;
  }();
  const auto found = pairs.find((std::uint64_t{first} << 32) | second);
  return found == pairs.end() ? 0 : found->second;
}

struct Character {
  char32_t point;
  unsigned char combining_class;
};

void decompose(char32_t point, std::vector<Character>& out) {
  if (in(point, kSyllable, kSyllables)) {
    const char32_t index = point - kSyllable;
    out.push_back({kLead + index / (kVowels * kTails), 0});
    out.push_back({kVowel + index / kTails % kVowels, 0});
    if (index % kTails != 0) out.push_back({kTail + index % kTails, 0});
  } else if (const Pair* pair = decomposition(point)) {
    decompose(pair->first, out);
    if (pair->second != 0) decompose(pair->second, out);
  } else {
    out.push_back({point, class_of(point)});
  }
}

// Marks of different classes on one letter in the order of their classes.
void reorder(std::vector<Character>& text) {
  const auto is_mark = [](const Character& c) { return c.combining_class != 0; };
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if(begin, text.end(), is_mark);
    const auto end = std::find_if_not(begin, text.end(), is_mark);
    std::stable_sort(begin, end,
                     [](const Character& a, const Character& b) { return a.combining_class < b.combining_class; });
    begin = end;
  }
}

// A character joins the last letter unless one between them, of its class or none, stands in the way.
void compose(std::vector<Character>& text) {
  std::size_t size = 0, letter = text.size();
  for (const Character& c : text) {
    if (letter < size) {
      const bool adjacent = letter + 1 == size;
      const bool blocked = !adjacent && text[size - 1].combining_class >= c.combining_class;
      if (const char32_t whole = blocked ? 0 : composed(text[letter].point, c.point)) {
        text[letter].point = whole;
        continue;
      }
    }
    if (c.combining_class == 0) letter = size;
    text[size++] = c;
  }
  text.resize(size);
}

}  // namespace

std::string to_nfc(std::string_view text) {
  // Nothing below U+0300 changes: all such letters are composed, and no mark is among them.
  bool plain = true;
  for (const char byte : text) plain = plain && static_cast<unsigned char>(byte) < 0xCC;
  if (plain) return std::string(text);
  std::vector<Character> characters;
  characters.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) decompose(report::next_code_point(text, i), characters);
  reorder(characters);
  compose(characters);
  std::string out;
  for (const Character& c : characters) report::append_utf8(out, c.point);
  return out;
}

}  // namespace atto::text
