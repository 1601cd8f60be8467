#include <clocale>
#include <cmath>
#include <limits>

#include "nn/report/format.hpp"
#include "nn/report/utf8.hpp"
#include "tests/support/catch.hpp"

using namespace atto::report;

TEST_CASE("numbers are short and say when there is none") {
  CHECK(number(0.123456) == "0.1235");
  CHECK(number(12) == "12");
  CHECK(number(-0.0) == "0");
  CHECK(number(1.25e-7, 3) == "1.25e-07");
  CHECK(number(NAN) == "-");
  CHECK(number(-INFINITY) == "-inf");
  CHECK(fixed(0.5) == "0.5000");
  CHECK(fixed(2.0 / 3, 2) == "0.67");
  CHECK(fixed(NAN) == "-");
  CHECK(mean_std(0.81234, 0.0212, 3) == "0.812 ± 0.021");
  CHECK(mean_std(0.81234, NAN, 3) == "0.812");
  CHECK(mean_std(NAN, 0.1) == "-");
}

TEST_CASE("bytes change unit before they need a fourth digit") {
  CHECK(human_bytes(0) == "0 B");
  CHECK(human_bytes(1023) == "1023 B");
  CHECK(human_bytes(1024) == "1.00 KiB");
  CHECK(human_bytes(10'240) == "10.0 KiB");
  CHECK(human_bytes(1'048'575) == "1.00 MiB");
  CHECK(human_bytes(1'610'612'736) == "1.50 GiB");
  CHECK(human_bytes(std::numeric_limits<std::uint64_t>::max()) == "16.0 EiB");
}

TEST_CASE("spans of time never show sixty of anything") {
  CHECK(human_seconds(0) == "0 s");
  CHECK(human_seconds(12.3e-6) == "12.3 µs");
  CHECK(human_seconds(0.0123) == "12.3 ms");
  CHECK(human_seconds(0.9999) == "1.00 s");
  CHECK(human_seconds(3.416) == "3.42 s");
  CHECK(human_seconds(59.96) == "1 min 00 s");
  CHECK(human_seconds(80) == "1 min 20 s");
  CHECK(human_seconds(3599.7) == "1 h 00 min");
  CHECK(human_seconds(7500) == "2 h 05 min");
  CHECK(human_seconds(86'399) == "1 d 00 h");
  CHECK(human_seconds(3.2 * 86'400) == "3 d 05 h");
  CHECK(human_seconds(-2) == "-2.00 s");
  CHECK(human_seconds(NAN) == "-");
  CHECK(human_seconds(INFINITY) == "inf");
}

TEST_CASE("counts are grouped by thousands") {
  CHECK(with_thousands(0) == "0");
  CHECK(with_thousands(999) == "999");
  CHECK(with_thousands(1000) == "1,000");
  CHECK(with_thousands(1'234'567) == "1,234,567");
  CHECK(with_thousands(-123'456) == "-123,456");
  CHECK(with_thousands(std::numeric_limits<std::int64_t>::min()) == "-9,223,372,036,854,775,808");
}

TEST_CASE("UTF-8 is decoded strictly") {
  const auto decode = [](std::string_view text) {
    std::u32string out;
    for (std::size_t i = 0; i < text.size();) out += next_code_point(text, i);
    return out;
  };
  CHECK(decode("aé€😀") == U"aé€😀");
  CHECK(decode("\xC3") == U"\uFFFD");            // truncated
  CHECK(decode("\x80z") == U"\uFFFDz");          // continuation without a lead
  CHECK(decode("\xC0\xAF") == U"\uFFFD\uFFFD");  // over-long
  CHECK(decode("\xE0\x80\xAF") == U"\uFFFD\uFFFD\uFFFD");
  CHECK(decode("\xED\xA0\x80").front() == U'\uFFFD');      // surrogate
  CHECK(decode("\xF4\x90\x80\x80").front() == U'\uFFFD');  // beyond U+10FFFF
  std::string back;
  for (const char32_t point : U"aé€😀") append_utf8(back, point);
  CHECK(back == std::string("aé€😀\0", 11));
}

TEST_CASE("texts are measured and cut in terminal columns") {
  CHECK(display_columns("abc") == 3);
  CHECK(display_columns("0.8 ± 0.1") == 9);
  CHECK(display_columns("e\u0301") == 1);
  CHECK(display_columns("図") == 2);
  CHECK(shorten_columns("abcdef", 6) == "abcdef");
  CHECK(shorten_columns("abcdef", 4) == "abc…");
  CHECK(shorten_columns("図図図", 4) == "図…");
  CHECK(shorten_columns("abc", 0).empty());
}
