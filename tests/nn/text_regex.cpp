#include <vector>

#include "core/error.hpp"
#include "nn/report/utf8.hpp"
#include "nn/text/byte_alphabet.hpp"
#include "nn/text/nfc.hpp"
#include "nn/text/regex.hpp"
#include "nn/text/stages.hpp"
#include "nn/text/valid_utf8.hpp"
#include "tests/support/errors.hpp"

using namespace atto;
using text::Regex;

namespace {

using Parts = std::vector<std::string>;

// Matches as they are, what lies between them in [brackets].
Parts parts(std::string_view pattern, std::string_view text) {
  Parts found;
  Regex(pattern).stretches(text, [&](std::size_t begin, std::size_t end, bool matched) {
    const std::string part(text.substr(begin, end - begin));
    found.push_back(matched ? part : "[" + part + "]");
  });
  return found;
}

std::string utf8(std::u32string_view points) {
  std::string out;
  for (const char32_t point : points) report::append_utf8(out, point);
  return out;
}

}  // namespace

TEST_CASE("regex: the words of GPT-2 and of Llama-3") {
  CHECK(parts(text::gpt2_pattern, "I'll say  \"no\" 12345\n\n x") ==
        Parts{"I", "'ll", " say", " ", " \"", "no", "\"", " 12345", "\n\n", " x"});
  CHECK(parts(text::llama3_pattern, "I'LL say  \"no\" 12345\n\n x") ==
        Parts{"I", "'LL", " say", " ", " \"", "no", "\"", " ", "123", "45", "\n\n", " x"});
  CHECK(parts(text::llama3_pattern, utf8(U"été٣٤!?\r\n\r\n")) == Parts{utf8(U"été"), utf8(U"٣٤"), "!?\r\n\r\n"});
}

TEST_CASE("regex: stretches between matches, empty matches, looking back") {
  CHECK(parts("b+", "abbcb") == Parts{"[a]", "bb", "[c]", "b"});
  CHECK(parts("b", "") == Parts{});
  CHECK(parts("(?=b)", "abb") == Parts{"[a]", "", "[b]", "", "[b]"});
  CHECK(parts("b*", "abb") == Parts{"", "[a]", "bb"});
  CHECK(parts("(?<=a)b", "abb") == Parts{"[a]", "b", "[b]"});
  CHECK(parts("(?<=" + utf8(U"é") + ").", utf8(U"éa€")) == Parts{"[" + utf8(U"é") + "]", "a", "[" + utf8(U"€") + "]"});
  CHECK(parts("", "ab") == Parts{"", "[a]", "", "[b]", ""});
  CHECK(parts("^x$", "x\nx\nxx") == Parts{"x", "[\n]", "x", "[\nxx]"});
  Parts found;
  Regex::literal("").stretches("ab",
                               [&](std::size_t, std::size_t, bool matched) { found.push_back(matched ? "m" : "u"); });
  CHECK(found == Parts{"u"});
}

TEST_CASE("regex: what the dialects mean differently is translated") {
  CHECK(parts(R"(\s)", utf8(U"\u180e\u00a0\u0085")) ==
        Parts{"[" + utf8(U"\u180e") + "]", utf8(U"\u00a0"), utf8(U"\u0085")});
  CHECK(parts(R"([\s])", utf8(U"\u180e\u3000")) == Parts{"[" + utf8(U"\u180e") + "]", utf8(U"\u3000")});
  CHECK(parts(R"(\w+)", utf8(U"e\u0301\u203f_1 \u00b2")) == Parts{utf8(U"e\u0301\u203f_1"), "[ ]", utf8(U"\u00b2")});
  CHECK(parts(R"(\W|[\w])", "a-") == Parts{"a", "-"});
  CHECK(parts(R"(\S+)", utf8(U"a\u3000b")) == Parts{"a", "[" + utf8(U"\u3000") + "]", "b"});
  CHECK(parts(R"(\u00e9|\x{85}+|\p{Lu}?)", utf8(U"é\u0085\u0085")) == Parts{utf8(U"é"), utf8(U"\u0085\u0085")});
  CHECK(parts("a{,2}b", "aab") == Parts{"aab"});
  CHECK(parts("a{x|{", "a{x{") == Parts{"a{x", "{"});
  CHECK(parts("[]a]+|[^]b]", "a]c") == Parts{"a]", "c"});
  CHECK(parts("(?i)A|B", "ab") == Parts{"a", "b"});
}

TEST_CASE("regex: what has another meaning or none is refused with the reason") {
  const auto refuses = [](std::string_view pattern, std::string_view reason) {
    INFO(pattern);
    CHECK_THAT_SAYS(text::PatternError, Regex(pattern), reason);
  };
  refuses(R"(\bx)", "\\b at byte 0");
  refuses(R"(\h)", "\\h");
  refuses(R"(a\Kb)", "\\K at byte 1");
  refuses(R"(\C)", "\\C");
  refuses(R"(a\)", "a backslash at the end");
  refuses(R"(\u12)", "\\u without four digits");
  refuses(R"([\W])", "a negated escape in a class");
  refuses("[a[bc]]", "a class within a class");
  refuses("[a-z&&[aeiou]]", "&& in a class");
  refuses("(?m:.)", "a group of the kind (?m");
  refuses("a(?i)b|c", "a group of the kind (?i");
  refuses("(?<name>a)", "a group");
  refuses("(?R)", "a group");
  refuses("(*ACCEPT)", "a verb");
  refuses("a{1,3}+", "a repeat {...}+");
  refuses("a{2}?", "a repeat {...}?");
  refuses("(a", "missing closing parenthesis");
  refuses("[a", "missing terminating ]");
  refuses("\xff", "UTF-8");
  refuses("a{70000}", "number too big");
  refuses(std::string(70000, 'a'), "has 70000 bytes");
  refuses(std::string(300, '(') + std::string(300, ')'), "nested");
}

TEST_CASE("regex: a search that does not end soon is an error, a long text is not") {
  const std::string hostile(40, 'a');
  CHECK_THAT_SAYS(ValueError, Regex("(a+)+[bc]").find(hostile, 0), "match limit");
  const std::string blanks(3'000'000, ' ');
  CHECK(parts(text::llama3_pattern, blanks + "x") == Parts{blanks.substr(1), " x"});
  CHECK(parts("(?:a|b)+", std::string(300'000, 'a')).size() == 1);
}

TEST_CASE("utf8: stretches of text and of other bytes") {
  const auto cut = [](std::string_view text) {
    Parts found;
    text::valid_stretches(
        text, [&](std::string_view part, bool valid) { found.push_back((valid ? "+" : "-") + std::string(part)); });
    return found;
  };
  CHECK(cut("") == Parts{});
  CHECK(cut("a\xc3\xa9") == Parts{"+a\xc3\xa9"});
  CHECK(cut("\xff"
            "a\xc3\xc3\xa9\xe2\x82") == Parts{"-\xff", "+a", "-\xc3", "+\xc3\xa9", "-\xe2\x82"});
  CHECK(cut("\xef\xbf\xbd\x80") == Parts{"+\xef\xbf\xbd", "-\x80"});  // U+FFFD is a character like others
  CHECK(cut("\xed\xa0\x80") == Parts{"-\xed\xa0\x80"});               // a surrogate is none
  CHECK(text::first_invalid("ab\xff") == 2);
  CHECK(text::first_invalid("ab") == std::string_view::npos);
}

TEST_CASE("byte alphabet: 256 printable characters, there and back") {
  std::string all, spelled;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(static_cast<unsigned char>(byte));
  text::append_spelled(spelled, all);
  CHECK(text::unspelled(spelled) == all);
  CHECK(spelled.starts_with(utf8(U"ĀāĂ")));
  CHECK(text::stand_in(' ') == U'Ġ');
  CHECK(text::stand_in(0xad) == 0x143);
  CHECK_FALSE(text::unspelled(" ").has_value());
  CHECK_FALSE(text::unspelled(utf8(U"a€")).has_value());
}

TEST_CASE("nfc: composes, decomposes and reorders as UAX 15 says") {
  const auto nfc = [](std::u32string_view points) { return text::to_nfc(utf8(points)); };
  CHECK(nfc(U"plain é") == utf8(U"plain é"));
  CHECK(nfc(U"e\u0301A\u030a") == utf8(U"éÅ"));
  CHECK(nfc(U"\u212b\u2126") == utf8(U"ÅΩ"));            // singletons
  CHECK(nfc(U"\u1e9b\u0323") == utf8(U"\u1e9b\u0323"));  // the example of UAX 15
  CHECK(nfc(U"\u1e0a\u0323") == utf8(U"\u1e0c\u0307"));
  CHECK(nfc(U"o\u0323\u0302") == utf8(U"ộ"));
  CHECK(nfc(U"o\u0302\u0323") == utf8(U"ộ"));
  CHECK(nfc(U"\u0344") == utf8(U"\u0308\u0301"));  // excluded from composition
  CHECK(nfc(U"\u0958") == utf8(U"\u0915\u093c"));
  CHECK(nfc(U"\u1100\u1161\u11a8\u1100\u1161") == utf8(U"각가"));
  CHECK(nfc(U"\uac00\u11a8") == utf8(U"각"));
  CHECK(nfc(U"a\u0305\u0301") == utf8(U"a\u0305\u0301"));  // blocked by a mark of the same class
  CHECK(nfc(U"\u0301e") == utf8(U"\u0301e"));
  CHECK(nfc(U"").empty());
  CHECK(nfc(U"\U0001d15e") == utf8(U"\U0001d157\U0001d165"));
  CHECK(nfc(U"\U000110ab") == utf8(U"\U000110ab"));
}

TEST_CASE("text: white space and word characters of Unicode") {
  CHECK(text::is_space(U'\t'));
  CHECK(text::is_space(0x3000));
  CHECK_FALSE(text::is_space(0x200b));
  CHECK_FALSE(text::is_space(0x180e));
  for (const char32_t point : U"aé漢\u0301_1\u203f\u24b6")
    if (point != 0) CHECK(text::is_word(utf8({&point, 1})));
  for (const char32_t point : U"-²€ ")
    if (point != 0) CHECK_FALSE(text::is_word(utf8({&point, 1})));
}
