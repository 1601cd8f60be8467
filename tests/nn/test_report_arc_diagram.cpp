#include <cmath>

#include "nn/report/arc_diagram.hpp"
#include "tests/nn/test_report_xml.hpp"
#include "tests/support/errors.hpp"

using namespace atto;
using namespace atto::report;
using atto::test::Element;
using atto::test::parse_xml;

namespace {

std::vector<Element> named(const std::vector<Element>& elements, const std::string& name) {
  std::vector<Element> result;
  for (const Element& element : elements)
    if (element.name == name) result.push_back(element);
  return result;
}

}  // namespace

TEST_CASE("arc diagram: an arc per edge, heavy ones thick and on top, loops as dots, nothing outside the drawing") {
  ArcDiagram diagram{.title = "t", .labels = {"a<b", "", "c", "d"}};
  diagram.arcs = {{0, 3, 1}, {2, 1, .5}, {2, 2, 1}, {0, 1, 0}, {0, 2, NAN}, {1, 2, -1}};
  const std::vector<Element> elements = parse_xml(to_svg(diagram));
  const std::vector<Element> arcs = named(elements, "path");
  REQUIRE(arcs.size() == 2);
  CHECK(arcs[0].number("stroke-width") < arcs[1].number("stroke-width"));
  CHECK(named(elements, "circle").size() == 1);
  CHECK(named(elements, "text").size() == 4);  // the title and three labels that are not empty

  diagram.labels.assign(200, "a token of some length");
  diagram.arcs = {{0, 199, 1}};
  const std::vector<Element> wide = parse_xml(to_svg(diagram));
  const double width = wide[0].number("width"), height = wide[0].number("height");
  CHECK(width > diagram.width);
  for (const Element& label : named(wide, "text")) {
    CHECK(label.number("x") < width);
    CHECK(label.number("y") < height);
  }
  CHECK(height < diagram.tallest + 300);
}

TEST_CASE("arc diagram: without things, and with arcs to nowhere") {
  CHECK(parse_xml(to_svg(ArcDiagram{})).size() > 1);
  CHECK(parse_xml(to_svg(ArcDiagram{.labels = {"one"}, .arcs = {{0, 0, 1}}})).size() > 1);
  CHECK_THAT_SAYS(ValueError, to_svg(ArcDiagram{.labels = {"a"}, .arcs = {{0, 1, 1}}}), "0 to 1");
  CHECK_THAT_SAYS(ValueError, to_svg(ArcDiagram{.labels = {"a"}, .arcs = {{-1, 0, 1}}}), "-1 to 0");
}
