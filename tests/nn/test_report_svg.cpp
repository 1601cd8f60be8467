#include <cmath>

#include "nn/report/svg.hpp"
#include "tests/nn/test_report_xml.hpp"
#include "tests/support/catch.hpp"

using namespace atto::report;
using atto::test::parse_xml;

TEST_CASE("the reader of the tests refuses what is not well-formed") {
  CHECK(parse_xml("<a x=\"1\"><b/>t</a>").at(0).text == "t");
  for (const char* bad : {"", "<a>", "<a></b>", "<a/><b/>", "<a x=1/>", "<a x=\"1\" x=\"2\"/>", "<a>&</a>",
                          "<a>&no;</a>", "<a x=\"<\"/>", "<a/>t", "<a>\x01</a>"})
    CHECK_THROWS(parse_xml(bad));
}

TEST_CASE("XML escaping") {
  CHECK(xml_escape("a<b> & \"c\" 'd'") == "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
  CHECK(xml_escape("γ → 図") == "γ → 図");
  CHECK(xml_escape(std::string_view("\x01\0\x1b", 3)) == "\uFFFD\uFFFD\uFFFD");
  CHECK(xml_escape("a\tb\nc") == "a\tb\nc");
  CHECK(xml_escape("\xFFz") == "\uFFFDz");
  CHECK(xml_escape("\xEF\xBF\xBE") == "\uFFFD");  // U+FFFE
}

TEST_CASE("coordinates are short and never text that a viewer cannot read") {
  CHECK(coordinate(12) == "12");
  CHECK(coordinate(3.5) == "3.5");
  CHECK(coordinate(100) == "100");
  CHECK(coordinate(-0.256) == "-0.26");
  CHECK(coordinate(-0.001) == "0");
  CHECK(coordinate(NAN) == "0");
  CHECK(coordinate(INFINITY) == "0");
}

TEST_CASE("texts are measured by the widths of DejaVu Sans and cut to fit") {
  CHECK(text_width("il", 100) == Approx(2 * 27.7));
  CHECK(text_width("W0", 10) == Approx(9.88 + 6.36));
  CHECK(text_width("W0", 10, true) == Approx(1.15 * (9.88 + 6.36)));
  CHECK(fit_text("short", 12, 100) == "short");
  const std::string cut = fit_text("a rather long name of a series", 12, 100);
  CHECK(text_width(cut, 12) <= 100);
  CHECK(text_width(cut, 12) > 80);
  CHECK(cut.ends_with("…"));
  CHECK(fit_text("h = 4.87", 10, 41) == "h = 4…");
  CHECK(fit_text("abc", 12, 3).empty());
}

TEST_CASE("a drawing is well-formed and holds its elements") {
  Svg svg(200, 100, "a \"title\"");
  svg.rect({1, 2, 3, 4}, "#fff", 0.5);
  svg.text(10, 20, "x < y", {.anchor = Anchor::end, .bold = true, .rotate = -90});
  svg.text(10, 20, "");
  svg.clip({0, 0, 50, 50});
  svg.stroke_path("M0 0L1 1", {.dash = "2 3"});
  svg.unclip();
  const auto elements = parse_xml(svg.str());
  CHECK(elements.at(0).attributes.at("viewBox") == "0 0 200 100");
  CHECK(elements.at(0).attributes.at("aria-label") == "a \"title\"");
  CHECK(elements.at(0).attributes.at("xmlns") == "http://www.w3.org/2000/svg");
  const auto rects = all(elements, "rect");
  REQUIRE(rects.size() == 2);
  CHECK(rects[1].attributes.at("opacity") == "0.5");
  const auto texts = all(elements, "text");
  REQUIRE(texts.size() == 1);
  CHECK(texts[0].text == "x < y");
  CHECK(texts[0].attributes.at("text-anchor") == "end");
  CHECK(texts[0].attributes.at("transform") == "rotate(-90 10 20)");
  CHECK(all(elements, "path").at(0).attributes.at("stroke-dasharray") == "2 3");
}
