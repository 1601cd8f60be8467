#include <cmath>
#include <random>

#include "core/error.hpp"
#include "nn/report/heat_map.hpp"
#include "nn/report/palette.hpp"
#include "nn/report/panel_grid.hpp"
#include "nn/report/plot.hpp"
#include "nn/report/svg.hpp"
#include "tests/nn/test_report_xml.hpp"
#include "tests/support/catch.hpp"

using namespace atto::report;
using atto::test::Element;
using atto::test::parse_xml;
using Texts = std::vector<std::string>;

namespace {

/// The place that a <text> element takes on the page.
Box box_of(const Element& e) {
  const double x = e.number("x"), y = e.number("y"), size = e.number("font-size");
  const double width = text_width(e.text, size, e.attributes.count("font-weight") > 0);
  const auto anchor = e.attributes.find("text-anchor");
  const double shift = anchor == e.attributes.end() ? 0 : anchor->second == "end" ? width : width / 2;
  // Turned by -90 degrees around (x, y): what ran to the right runs up.
  if (e.attributes.count("transform")) return {x - 0.76 * size, y + shift - width, 0.98 * size, width};
  return {x - shift, y - 0.76 * size, width, 0.98 * size};
}

/// Texts that lie over each other or leave the page; empty where all is well.
std::string misplaced(const std::string& svg) {
  const auto elements = parse_xml(svg);
  const double width = elements.at(0).number("width"), height = elements.at(0).number("height");
  const auto texts = all(elements, "text");
  std::string out;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Box a = box_of(texts[i]);
    if (a.x < 0 || a.y < 0 || a.right() > width || a.bottom() > height) out += "outside: " + texts[i].text + "\n";
    for (std::size_t k = 0; k < i; ++k) {
      const Box b = box_of(texts[k]);
      if (a.x < b.right() && b.x < a.right() && a.y < b.bottom() && b.y < a.bottom())
        out += texts[k].text + " and " + texts[i].text + "\n";
    }
  }
  return out;
}

bool has(const std::string& svg, const std::string& text) {
  const Texts all = atto::test::texts(svg);
  return std::find(all.begin(), all.end(), text) != all.end();
}

/// The curves: paths without a fill.
std::vector<Element> curves(const std::string& svg) {
  std::vector<Element> out;
  for (const Element& path : all(parse_xml(svg), "path"))
    if (path.attributes.at("fill") == "none") out.push_back(path);
  return out;
}

std::size_t count(const std::string& text, char c) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), c));
}

/// The cells of that colour; those of the colour bar come later in the document.
std::string cells(const std::string& svg, const std::string& colour) {
  for (const Element& path : all(parse_xml(svg), "path"))
    if (path.attributes.at("fill") == colour) return path.attributes.at("d");
  return "none";
}

HeatMap map_of(int rows, int columns, double first = 0) {
  HeatMap map{.rows = rows, .columns = columns};
  for (int i = 0; i < rows * columns; ++i) map.values.push_back(first + i);
  return map;
}

}  // namespace

TEST_CASE("the check for misplaced texts sees an overlap and a text outside") {
  Svg svg(100, 50, "t");
  svg.text(10, 20, "one");
  CHECK(misplaced(svg.str()).empty());
  svg.text(14, 25, "two");
  CHECK(misplaced(svg.str()) == "one and two\n");
  svg.text(95, 45, "three");
  CHECK(misplaced(svg.str()) == "one and two\noutside: three\n");
}

TEST_CASE("a line plot holds title, legend, axis titles and one path per series") {
  const std::string svg = to_svg(LinePlot{
      .title = "Loss & <more>",
      .subtitle = "MUTAG",
      .x = {.title = "epoch", .whole_numbers = true, .pad = false},
      .y = {.title = "loss", .low = 0.0, .high = 4.0},
      .series = {
          {.name = "train", .y = {4, 2, 1}}, {.name = "test", .y = {4, 3, 3}, .dashed = true}, {.y = {1, 1, 1}}}});
  const Texts expected{
      "Loss & <more>", "MUTAG", "train", "test", "loss", "epoch", "0", "1", "2", "3", "4", "0", "1", "2"};
  CHECK(atto::test::texts(svg) == expected);
  const auto lines = curves(svg);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].attributes.at("stroke") == palette::series[0]);
  CHECK(lines[1].attributes.at("stroke") == palette::series[1]);
  CHECK(lines[1].attributes.at("stroke-dasharray") == "6 4");
  // Values go where the axis says: 4 at the top, 2 in the middle, 1 a quarter up.
  double x[3], y[3];
  REQUIRE(std::sscanf(lines[0].attributes.at("d").c_str(), "M%lf %lfL%lf %lfL%lf %lf", x, y, x + 1, y + 1, x + 2,
                      y + 2) == 6);
  const double height = (y[2] - y[0]) / 0.75;
  CHECK(y[1] - y[0] == Approx(height / 2).margin(0.02));
  CHECK(x[1] - x[0] == Approx(x[2] - x[1]).margin(0.02));
}

TEST_CASE("values that cannot be drawn are gaps, a point between gaps is a dot") {
  const std::string svg = to_svg(LinePlot{.series = {{.y = {1, 2, NAN, 3, INFINITY, 2, 1, 2}}}});
  const auto lines = curves(svg);
  REQUIRE(lines.size() == 2);
  CHECK(count(lines[0].attributes.at("d"), 'L') == 1);
  CHECK(count(lines[1].attributes.at("d"), 'L') == 2);
  CHECK(all(parse_xml(svg), "circle").size() == 1);
  const std::string log = to_svg(LinePlot{.y = {.scale = Scale::log}, .series = {{.y = {1, 10, 0, -5, 100, 1000}}}});
  CHECK(curves(log).size() == 2);
  CHECK(log.find("nan") == std::string::npos);
}

TEST_CASE("without a drawable point the plot says so and shows no scale") {
  for (const Series& series : {Series{}, Series{.name = "s", .y = {NAN, INFINITY}}}) {
    const std::string svg = to_svg(LinePlot{.title = "t", .x = {.title = "epoch"}, .series = {series}});
    CHECK(has(svg, "no data"));
    CHECK_FALSE(has(svg, "0"));
  }
  CHECK(has(to_svg(LinePlot{}), "no data"));
  CHECK(has(to_svg(LinePlot{.y = {.scale = Scale::log}, .series = {{.y = {-1, 0}}}}), "no data"));
}

TEST_CASE("constant series and single points are drawn in the middle") {
  const std::string constant = to_svg(LinePlot{.series = {{.y = {0.7, 0.7, 0.7}}}});
  CHECK(has(constant, "0.70"));
  REQUIRE(curves(constant).size() == 1);
  const std::string point = to_svg(LinePlot{.x = {.whole_numbers = true}, .series = {{.x = {3}, .y = {0}}}});
  CHECK(has(point, "3"));
  CHECK(all(parse_xml(point), "circle").size() == 1);
}

TEST_CASE("a band is a filled area behind the curve, cut at gaps") {
  const std::string svg = to_svg(
      LinePlot{.series = {{.y = {1, 2, 3, 4, 5}, .low = {0, 1, NAN, 3, 4}, .high = {2, 3, 4, 5, 6}, .colour = 2}}});
  std::vector<Element> bands;
  for (const Element& path : all(parse_xml(svg), "path"))
    if (path.attributes.at("fill") == palette::series[2]) bands.push_back(path);
  REQUIRE(bands.size() == 2);
  CHECK(count(bands[0].attributes.at("d"), 'L') == 3);
  CHECK(bands[0].attributes.at("d").back() == 'Z');
  CHECK(svg.find("fill=\"#009e73\"") < svg.find("stroke=\"#009e73\""));
  // mean - std below zero ends at the bottom of a log axis instead of breaking the band.
  const std::string log =
      to_svg(LinePlot{.y = {.scale = Scale::log}, .series = {{.y = {1, 1}, .low = {-1, 0.5}, .high = {2, 2}}}});
  CHECK(all(parse_xml(log), "path").size() == 2);
}

TEST_CASE("a long series is thinned to what the page can show and keeps its extremes") {
  Series series;
  for (int i = 0; i < 200'000; ++i) series.y.push_back(i == 123'456 ? 50 : std::sin(i * 0.7));
  const std::string svg = to_svg(LinePlot{.y = {.low = -2.0, .high = 50.0, .pad = false}, .series = {series}});
  CHECK(svg.size() < 150'000);
  const std::string path = curves(svg).at(0).attributes.at("d");
  double lowest = 1e9;
  for (std::size_t at = path.find(' '); at != path.npos; at = path.find(' ', at + 1))
    lowest = std::min(lowest, std::stod(path.substr(at + 1)));
  // The spike reaches the upper end of the axis, which is the top grid line.
  double top = 1e9;
  for (const Element& line : all(parse_xml(svg), "line")) top = std::min(top, line.number("y1"));
  CHECK(lowest == Approx(top).margin(0.02));
}

TEST_CASE("colours that are asked for are not given to others, and run out into dashes") {
  std::vector<Series> series(9, Series{.y = {1, 2}});
  series[4].colour = 0;
  const auto lines = curves(to_svg(LinePlot{.series = series}));
  REQUIRE(lines.size() == 9);
  CHECK(lines[0].attributes.at("stroke") == palette::series[1]);
  CHECK(lines[4].attributes.at("stroke") == palette::series[0]);
  CHECK(lines[7].attributes.at("stroke") == palette::series[0]);
  CHECK(lines[7].attributes.at("stroke-dasharray") == "2 3");
  CHECK(lines[6].attributes.count("stroke-dasharray") == 0);
}

TEST_CASE("vectors of different lengths are refused") {
  CHECK_THROWS_WITH(to_svg(LinePlot{.series = {{.name = "s", .x = {1, 2}, .y = {1}}}}),
                    "plot: x of series \"s\": got 2 values, expected 1, as many as y");
  CHECK_THROWS_AS(to_svg(LinePlot{.series = {{.y = {1}, .low = {1, 2}, .high = {1, 2}}}}), atto::ValueError);
  CHECK_THROWS_AS(to_svg(LinePlot{.series = {{.y = {1}, .low = {1}}}}), atto::ValueError);
  CHECK_THROWS_AS(to_svg(PanelGrid{.panels = {LinePlot{.series = {{.x = {1, 2}, .y = {1}}}}}}), atto::ValueError);
  CHECK_THROWS_WITH(to_svg(HeatMap{.rows = 2, .columns = 2, .values = {1}}),
                    "heat map: number of values: got 1, expected 4");
  CHECK_THROWS_AS(to_svg(HeatMap{.rows = 1, .columns = 1, .values = {1}, .row_labels = {"a", "b"}}), atto::ValueError);
}

TEST_CASE("panels share axes, legend and titles") {
  PanelGrid grid{.title = "Heads", .x_title = "hops", .y_title = "decay"};
  for (int h = 0; h < 5; ++h)
    grid.panels.push_back(LinePlot{.title = "head " + std::to_string(h),
                                   .x = {.whole_numbers = true, .pad = false},
                                   .y = {.low = 0.0, .high = 1.0, .pad = false},
                                   .series = {{.name = "initial", .y = {1, 0.5, 0.5 - 0.1 * h}, .colour = 6}}});
  const std::string svg = to_svg(grid);
  const Texts texts = atto::test::texts(svg);
  CHECK(std::count(texts.begin(), texts.end(), "initial") == 1);
  CHECK(std::count(texts.begin(), texts.end(), "hops") == 1);
  CHECK(has(svg, "head 4"));
  CHECK(curves(svg).size() == 5);
  // Five panels in three columns: y labels at two panels, x labels at three.
  CHECK(std::count(texts.begin(), texts.end(), "0.5") == 2);
  CHECK(std::count(texts.begin(), texts.end(), "2") == 3);
  grid.share_axes = false;
  const Texts own = atto::test::texts(to_svg(grid));
  CHECK(std::count(own.begin(), own.end(), "0.5") == 5);
  CHECK(has(to_svg(PanelGrid{.title = "empty"}), "no data"));
}

TEST_CASE("a heat map colours its cells by value") {
  HeatMap map{.title = "map", .rows = 2, .columns = 3, .values = {0, 0, 1, 1, NAN, 0}};
  const std::string low = palette::colour_at(palette::sequential, 0.5 / 64);
  const std::string high = palette::colour_at(palette::sequential, 63.5 / 64);
  CHECK(cells(to_svg(map), low) == "M0 0h2v1h-2zM2 1h1v1h-1z");
  CHECK(cells(to_svg(map), high) == "M2 0h1v1h-1zM0 1h1v1h-1z");
  // Both signs: the scale is symmetric around a near white.
  map.values = {-1, 0, 0, 0, 0, 4};
  const std::string svg = to_svg(map);
  CHECK(cells(svg, palette::colour_at(palette::diverging, 63.5 / 64)) == "M2 1h1v1h-1z");
  CHECK(cells(svg, palette::colour_at(palette::diverging, 32.5 / 64)) == "M1 0h2v1h-2zM0 1h2v1h-2z");
  CHECK(has(svg, "-4"));
  map.values.assign(6, NAN);
  CHECK(has(to_svg(map), "no data"));
  CHECK(has(to_svg(HeatMap{}), "no data"));
}

TEST_CASE("a large heat map is drawn in blocks and says so") {
  const std::string svg = to_svg(HeatMap{.rows = 300, .columns = 300, .values = std::vector<double>(90'000, 0.5)});
  CHECK(has(svg, "each cell is the mean of 3 x 3 values"));
  CHECK(has(svg, "200"));
  CHECK(svg.size() < 30'000);
  HeatMap one = map_of(1, 256);
  one.low = 0, one.high = 256;
  // 128 blocks of two neighbours.
  // The lowest of 64 levels holds what is below 4: the blocks 0.5 and 2.5.
  CHECK(cells(to_svg(one), palette::colour_at(palette::sequential, 0.5 / 64)) == "M0 0h2v1h-2z");
}

TEST_CASE("no text overlaps another or leaves the page, whatever is plotted") {
  std::mt19937 random(7);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const Texts names{"",           "loss",
                    "a name",     "validation accuracy, weighted by class and fold",
                    "γ^φ(d − h)", std::string(200, 'W'),
                    "図表の題",   "x\ny"};
  const auto name = [&] { return names[static_cast<std::size_t>(pick(static_cast<int>(names.size())))]; };
  const auto values = [&] {
    std::vector<double> out;
    const double scale = std::pow(10.0, pick(40) - 20), offset = pick(3) == 0 ? 1e6 * scale : 0;
    const int n = pick(4) == 0 ? pick(3) : pick(60);
    for (int i = 0; i < n; ++i) out.push_back(pick(10) == 0 ? NAN : offset + scale * (pick(2000) - pick(2) * 1000));
    return out;
  };
  const auto axis = [&] {
    return Axis{.title = name(),
                .scale = pick(3) ? Scale::linear : Scale::log,
                .whole_numbers = pick(2) == 0,
                .pad = pick(2) == 0};
  };
  const auto line_plot = [&] {
    LinePlot plot{.title = name(), .subtitle = name(), .x = axis(), .y = axis()};
    for (int s = pick(14); s > 0; --s)
      plot.series.push_back({.name = name() + std::to_string(s), .y = values(), .markers = pick(2) == 0});
    return plot;
  };
  const auto heat_map = [&] {
    HeatMap map = map_of(pick(40), pick(40), pick(2) ? -100 : 0);
    map.title = name(), map.subtitle = name(), map.x_title = name(), map.y_title = name();
    if (pick(2)) map.row_labels.assign(static_cast<std::size_t>(map.rows), name());
    if (pick(2)) map.column_labels.assign(static_cast<std::size_t>(map.columns), name());
    return map;
  };
  for (int round = 0; round < 150; ++round) {
    CAPTURE(round);
    CHECK(misplaced(to_svg(line_plot())) == "");
    CHECK(misplaced(to_svg(heat_map())) == "");
    PanelGrid grid{
        .title = name(), .subtitle = name(), .x_title = name(), .y_title = name(), .share_axes = pick(2) == 0};
    for (int p = pick(10); p > 0; --p) {
      if (pick(4) == 0) grid.panels.push_back(heat_map());
      else grid.panels.push_back(line_plot());
    }
    CHECK(misplaced(to_svg(grid)) == "");
  }
}
