#include <algorithm>
#include <array>
#include <cctype>

#include "nn/text/regex.hpp"

namespace atto::text {
namespace {

// PCRE2's own \s has U+180E besides, its \w lacks marks and most connectors before version 10.43.
constexpr std::string_view kSpace = R"(\p{Z}\x09-\x0d\x{85})", kWord = R"(\p{L}\p{M}\p{N}\p{Pc})";

class Translation {
 public:
  explicit Translation(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      if (pattern_[at_] == '\\') escape();
      else if (in_class_) class_character();
      else character();
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw PatternError("uses " + what + " at byte " + std::to_string(at_) + ", which is not supported");
  }
  bool ahead(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  void copy(std::size_t count) {
    out_ += pattern_.substr(at_, count);
    at_ += count;
  }
  void replace(std::size_t count, std::string_view by) {
    out_ += by;
    at_ += count;
  }
  void set(std::string_view members, bool negated) {
    if (in_class_ && negated) refuse("a negated escape in a class");
    replace(2, in_class_ ? std::string(members) : (negated ? "[^" : "[") + std::string(members) + "]");
  }

  void escape() {
    if (at_ + 1 == pattern_.size()) refuse("a backslash at the end");
    const char c = pattern_[at_ + 1];
    switch (c) {
      case 'w':
      case 'W':
        return set(kWord, c == 'W');
      case 's':
        return set(kSpace, false);
      case 'S':
        // In a class PCRE2's own stands for it: they differ in U+180E alone.
        return in_class_ ? copy(2) : set(kSpace, true);
      case 'u':
        return code_unit();
      case 'b':
        if (in_class_) return copy(2);
        [[fallthrough]];
      default:
        if (std::string_view("bBhHGKXNOCyYQEgkPcMo").find(c) != std::string_view::npos)
          refuse("\\" + std::string(1, c));
        copy(2);
        if (ahead("{") && (c == 'p' || c == 'P' || c == 'x'))
          copy(std::min(pattern_.find('}', at_), pattern_.size() - 1) + 1 - at_);
    }
  }
  void code_unit() {
    const std::string_view digits = pattern_.substr(at_ + 2, 4);
    for (const char digit : digits)
      if (std::isxdigit(static_cast<unsigned char>(digit)) == 0) refuse("\\u without four digits");
    if (digits.size() < 4) refuse("\\u without four digits");
    replace(6, "\\x{" + std::string(digits) + "}");
  }

  void class_character() {
    if (ahead("[")) refuse("a class within a class");
    if (ahead("&&")) refuse("&& in a class");
    const bool ends = ahead("]") && at_ > class_begin_;
    copy(1);
    if (ends) in_class_ = false;
  }

  void character() {
    if (ahead("[")) {
      in_class_ = true;
      copy(ahead("[^") ? 2 : 1);
      class_begin_ = at_;
    } else if (ahead("(*")) {
      refuse("a verb (*");
    } else if (ahead("(?")) {
      group();
    } else if (ahead("{")) {
      repeat();
    } else {
      copy(1);
    }
  }
  // Flags: its m is what others call s, and (?i) in the middle reaches over the alternatives that follow.
  void group() {
    constexpr std::array<std::string_view, 6> kinds{"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"};
    for (const std::string_view kind : kinds)
      if (ahead(kind)) return copy(kind.size());
    std::size_t end = at_ + 2;
    while (end < pattern_.size() && std::string_view("i-").find(pattern_[end]) != std::string_view::npos) ++end;
    if (end == at_ + 2 || end == pattern_.size() || (pattern_[end] != ':' && (pattern_[end] != ')' || at_ > 0)))
      refuse("a group of the kind " + std::string(pattern_.substr(at_, 3)));
    copy(end + 1 - at_);
  }
  void repeat() {
    std::size_t end = at_ + 1, commas = 0, digits = 0;
    for (; end < pattern_.size() && pattern_[end] != '}'; ++end) {
      if (pattern_[end] == ',') ++commas;
      else if (std::isdigit(static_cast<unsigned char>(pattern_[end])) != 0) ++digits;
      else return copy(1);  // an ordinary brace in both dialects
    }
    if (end == pattern_.size() || digits == 0 || commas > 1) return copy(1);
    const char behind = end + 1 < pattern_.size() ? pattern_[end + 1] : '\0';
    if (behind == '+' || (behind == '?' && commas == 0)) refuse(std::string("a repeat {...}") + behind);
    if (ahead("{,")) replace(2, "{0,");
    copy(pattern_.find('}', at_) + 1 - at_);
  }

  std::string_view pattern_;
  std::string out_;
  std::size_t at_ = 0, class_begin_ = 0;
  bool in_class_ = false;
};

}  // namespace

std::string from_oniguruma(std::string_view pattern) {
  return Translation(pattern).run();
}

}  // namespace atto::text
