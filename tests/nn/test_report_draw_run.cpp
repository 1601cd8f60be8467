#include <cmath>

#include "core/error.hpp"
#include "core/file.hpp"
#include "nn/report/draw_run.hpp"
#include "nn/report/palette.hpp"
#include "tests/nn/test_report_xml.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;
using namespace atto::report;
using atto::test::Element;
using atto::test::parse_xml;

namespace {

std::vector<MetricsRow> run(int folds, int epochs) {
  std::vector<MetricsRow> rows;
  for (int fold = 0; fold < folds; ++fold)
    for (int epoch = 1; epoch <= epochs; ++epoch)
      rows.push_back({.fold = fold,
                      .epoch = epoch,
                      .seconds = 1,
                      .train_loss = 1.0 / epoch,
                      .train_metric = 0.5 + 0.1 * fold,
                      .valid_loss = 2.0 / epoch,
                      .valid_metric = 0.4 + 0.1 * fold});
  return rows;
}

std::vector<Element> curves(const std::string& svg, std::string_view colour, const char* width) {
  std::vector<Element> out;
  for (const Element& path : all(parse_xml(svg), "path"))
    if (path.attributes.count("stroke") && path.attributes.at("stroke") == colour &&
        path.attributes.at("stroke-width") == width)
      out.push_back(path);
  return out;
}

bool has(const std::string& svg, const std::string& text) {
  const auto texts = test::texts(svg);
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

/// The heights of a curve's points, in pixels.
std::vector<double> heights(const Element& path) {
  std::vector<double> out;
  const std::string& d = path.attributes.at("d");
  for (std::size_t at = d.find(' '); at != d.npos; at = d.find(' ', at + 1)) out.push_back(std::stod(d.substr(at + 1)));
  return out;
}

}  // namespace

TEST_CASE("a run without folds has one curve per measured split") {
  const std::string svg = run_curves(run(1, 5), true, {.title = "MUTAG"});
  CHECK(has(svg, "Loss"));
  CHECK(has(svg, "MUTAG"));
  CHECK(has(svg, "training"));
  CHECK(has(svg, "validation"));
  CHECK_FALSE(has(svg, "test"));
  CHECK(curves(svg, palette::series[0], "2").size() == 1);
  CHECK(curves(svg, palette::series[1], "2").size() == 1);
  CHECK(curves(svg, palette::series[2], "2").empty());
  CHECK(has(run_curves(run(1, 5), false, {.metric = "accuracy"}), "Accuracy"));
}

TEST_CASE("folds are thin lines around their mean") {
  const std::string svg = run_curves(run(3, 4), false, {.title = "MUTAG"});
  CHECK(has(svg, "MUTAG · 3 folds and their mean"));
  const auto thin = curves(svg, palette::series[0], "1"), mean = curves(svg, palette::series[0], "2");
  REQUIRE(thin.size() == 3);
  REQUIRE(mean.size() == 1);
  // The metric is constant, 0.5, 0.6 and 0.7: the mean lies on the middle fold.
  CHECK(mean[0].attributes.at("d") == thin[1].attributes.at("d"));
  CHECK(thin[0].attributes.at("d") != thin[1].attributes.at("d"));
}

TEST_CASE("the mean ends where less than half of the folds go on") {
  auto rows = run(4, 3);
  // Epochs 4 and 5 by two folds, 6 by one; a diverged fold does not count.
  for (const auto& [fold, epoch] : {std::pair{2, 4}, {2, 5}, {3, 4}, {3, 5}, {3, 6}})
    rows.push_back({.fold = fold, .epoch = epoch, .train_loss = 0.2});
  rows[0].train_loss = INFINITY;
  const auto mean = curves(run_curves(rows, true, {}), palette::series[0], "2");
  REQUIRE(mean.size() == 1);
  CHECK(heights(mean[0]).size() == 5);
}

TEST_CASE("a loss that falls far gets a log axis") {
  auto rows = run(1, 3);
  CHECK_FALSE(has(run_curves(rows, true, {}), "0.01"));
  rows[2].train_loss = 1e-4;
  CHECK(has(run_curves(rows, true, {}), "0.01"));
  rows[1].train_loss = 0;  // cannot stand on a log axis
  CHECK_FALSE(has(run_curves(rows, true, {}), "0.01"));
}

TEST_CASE("the decay curve is that of the paper") {
  // Oracle 1 of the specification, row 0 of a path of four nodes.
  CHECK(decay_curve(0.5, 0, 0, 3) == std::vector<double>{1, 0.5, 0.25, 0.125});
  CHECK(decay_curve(0.5, 1, 0, 3) == std::vector<double>{1, 1, 0.5, 0.25});
  const auto amplified = decay_curve(0.5, 2, 0.1, 3);
  CHECK(amplified[0] == Approx(1.148698355).epsilon(1e-9));
  CHECK(amplified[1] == Approx(1.0717734625).epsilon(1e-9));
  CHECK(amplified[2] == 1);
  CHECK(amplified[3] == 0.5);
}

TEST_CASE("each head has a panel with the initial curve dashed and the learned one solid") {
  const std::string svg = decay_curves({.decay = {{"head 1", {1, 0.5}, {1, 0.9}}, {"head 2", {1, 0.5}, {1, 0.2}}}});
  CHECK(has(svg, "head 1"));
  CHECK(has(svg, "head 2"));
  int dashed = 0, solid = 0;
  for (const Element& path : all(parse_xml(svg), "path"))
    ++(path.attributes.count("stroke-dasharray") ? dashed : solid);
  CHECK(dashed == 2);
  CHECK(solid == 2);
}

TEST_CASE("draw_run writes the plots of a run, also of an empty one") {
  test::TemporaryFolder temporary;
  const auto folder = temporary / "run" / "plots";
  const auto rows = run(2, 3);
  CHECK(draw_run(folder, rows, {.decay = {{"h", {1}, {1}}}}) ==
        std::vector{folder / "loss.svg", folder / "metric.svg", folder / "decay.svg"});
  CHECK(read_file(folder / "loss.svg") == run_curves(rows, true, {}));
  CHECK(read_file(folder / "metric.svg") == run_curves(rows, false, {}));
  CHECK(draw_run(folder, {}).size() == 2);
  CHECK(has(read_file(folder / "loss.svg"), "no data"));
  write_atomically(temporary / "file", "");
  CHECK_THROWS_AS(draw_run(temporary / "file", rows), FileError);
}
