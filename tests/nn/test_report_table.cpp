#include "core/error.hpp"
#include "nn/report/html.hpp"
#include "nn/report/svg.hpp"
#include "nn/report/table.hpp"
#include "tests/nn/test_report_xml.hpp"
#include "tests/support/catch.hpp"

using namespace atto::report;

namespace {

Table example() {
  Table table({{"split"}, {"accuracy", Align::right}, {"note"}});
  table.row({"train", "0.9 ± 0.01", "a|b<c"}).row({"test, all", "0.85"});
  return table;
}

}  // namespace

TEST_CASE("a table aligns its columns, also behind characters of several bytes") {
  CHECK(example().text() ==
        "split        accuracy  note\n"
        "---------  ----------  -----\n"
        "train      0.9 ± 0.01  a|b<c\n"
        "test, all        0.85\n");
  CHECK(Table({{"a"}}).row({"x\ny"}).text() == "a\n---\nx y\n");
}

TEST_CASE("a table as Markdown and CSV escapes what would end a cell") {
  CHECK(example().markdown() ==
        "| split | accuracy | note |\n"
        "| --- | ---: | --- |\n"
        "| train | 0.9 ± 0.01 | a\\|b<c |\n"
        "| test, all | 0.85 |  |\n");
  CHECK(Table({{"a"}}).row({"x\ny"}).markdown() == "| a |\n| --- |\n| x<br>y |\n");
  CHECK(example().csv() ==
        "split,accuracy,note\n"
        "train,0.9 ± 0.01,a|b<c\n"
        "\"test, all\",0.85,\n");
  CHECK(Table({{"a\"b"}}).row({"x\ny"}).csv() == "\"a\"\"b\"\n\"x\ny\"\n");
}

TEST_CASE("a row with too many cells is refused") {
  Table table({{"a"}, {"b"}});
  CHECK_THROWS_WITH(table.row({"1", "2", "3"}), "Table::row: row 1: got 3 cells, expected at most 2");
  CHECK(table.rows().empty());
}

TEST_CASE("an HTML page is well-formed, escaped and holds what was put in") {
  Svg drawing(10, 10, "nothing");
  HtmlPage page("A & B");
  page.heading("Results <1>", 1)
      .paragraph("x < y")
      .table(example(), "cap")
      .svg(drawing.str(), "fig")
      .preformatted("a\n b");
  const auto elements = atto::test::parse_xml(page.str());
  CHECK(all(elements, "title").at(0).text == "A & B");
  CHECK(all(elements, "h1").size() == 1);
  CHECK(all(elements, "h2").at(0).text == "Results <1>");
  CHECK(all(elements, "p").at(0).text == "x < y");
  CHECK(all(elements, "caption").at(0).text == "cap");
  CHECK(all(elements, "figcaption").at(0).text == "fig");
  CHECK(all(elements, "pre").at(0).text == "\na\n b");
  CHECK(all(elements, "svg").size() == 1);
  const auto cells = all(elements, "td");
  REQUIRE(cells.size() == 6);
  CHECK(cells[2].text == "a|b<c");
  CHECK(cells[4].text == "0.85");
  CHECK(cells[4].attributes.at("class") == "number");
  CHECK(cells[3].attributes.empty());
  // Self-contained: nothing is loaded or run.
  CHECK(page.str().find("<script") == std::string::npos);
  CHECK(all(elements, "link").empty());
}
