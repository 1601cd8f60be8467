#include "nn/report/colours.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "nn/report/figure.hpp"
#include "nn/report/palette.hpp"

namespace atto::report::figure {
namespace {

constexpr int most_cells = 128, levels = 64;
constexpr double bar_width = 12;

bool shown(double value) {
  return drawable(value, Scale::linear);
}

Ticks bar_ticks(const ColourScale& scale, double height) {
  return nice_ticks(scale.range, std::max(2, static_cast<int>(height / 40)), {});
}

}  // namespace

std::string ColourScale::colour(double t) const {
  return palette::colour_at(diverging ? palette::diverging : palette::sequential, t);
}

ColourScale scale_of(const std::vector<const HeatMap*>& maps) {
  double low = INFINITY, high = -INFINITY;
  for (const HeatMap* map : maps) {
    double own_low = INFINITY, own_high = -INFINITY;
    for (const double v : map->values)
      if (shown(v)) own_low = std::min(own_low, v), own_high = std::max(own_high, v);
    low = std::min(low, map->low.value_or(own_low));
    high = std::max(high, map->high.value_or(own_high));
  }
  if (low < 0 && high > 0) {
    const double end = std::max(-low, high);
    return {{-end, end}, true};
  }
  if (low > high) return {{0, 1}, false};
  if (low == high) return {axis_range(std::vector{low}, {}), false};
  return {{low, high}, false};
}

void check(const HeatMap& map) {
  const auto need = [](const char* what, std::size_t got, std::size_t expected) {
    if (got != expected)
      throw ValueError({.op = "heat map",
                        .argument = what,
                        .got = std::to_string(got),
                        .expected = std::to_string(expected),
                        .hint = {}});
  };
  if (map.rows < 0 || map.columns < 0)
    throw ValueError({.op = "heat map",
                      .argument = "shape",
                      .got = fmt::format("{} x {}", map.rows, map.columns),
                      .expected = "no negative sizes",
                      .hint = {}});
  const auto rows = static_cast<std::size_t>(map.rows), columns = static_cast<std::size_t>(map.columns);
  need("number of values", map.values.size(), rows * columns);
  if (!map.row_labels.empty()) need("number of row labels", map.row_labels.size(), rows);
  if (!map.column_labels.empty()) need("number of column labels", map.column_labels.size(), columns);
}

HeatMap drawn_map(const HeatMap& map, int& block) {
  block = (std::max(map.rows, map.columns) + most_cells - 1) / most_cells;
  if (block <= 1) return map;
  HeatMap out = map;
  out.rows = (map.rows + block - 1) / block;
  out.columns = (map.columns + block - 1) / block;
  // Labels of single rows say nothing about blocks.
  out.row_labels.clear(), out.column_labels.clear();
  std::vector<double> sum(static_cast<std::size_t>(out.rows) * static_cast<std::size_t>(out.columns), 0), count = sum;
  for (int r = 0; r < map.rows; ++r)
    for (int c = 0; c < map.columns; ++c) {
      const double v =
          map.values[static_cast<std::size_t>(r) * static_cast<std::size_t>(map.columns) + static_cast<std::size_t>(c)];
      const auto cell = static_cast<std::size_t>(r / block) * static_cast<std::size_t>(out.columns) +
                        static_cast<std::size_t>(c / block);
      if (shown(v)) sum[cell] += v, count[cell] += 1;
    }
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = count[i] > 0 ? sum[i] / count[i] : NAN;
  out.values = std::move(sum);
  return out;
}

void draw_cells(Svg& svg, const Box& area, const HeatMap& map, const ColourScale& scale) {
  if (std::none_of(map.values.begin(), map.values.end(), shown)) {
    svg.frame(area, {.colour = palette::grid});
    draw_no_data(svg, area);
    return;
  }
  svg.rect(area, palette::missing);
  // One path per colour, cells of a row that share it merged: a tenth of the size of one rectangle per cell.
  std::vector<std::string> paths(levels);
  const auto level_at = [&](int r, int c) {
    const double v =
        map.values[static_cast<std::size_t>(r) * static_cast<std::size_t>(map.columns) + static_cast<std::size_t>(c)];
    if (!shown(v)) return -1;
    return std::clamp(static_cast<int>(scale.place(v) * levels), 0, levels - 1);
  };
  for (int r = 0; r < map.rows; ++r)
    for (int c = 0; c < map.columns;) {
      const int level = level_at(r, c), begin = c;
      while (c < map.columns && level_at(r, c) == level) ++c;
      if (level >= 0)
        paths[static_cast<std::size_t>(level)] += fmt::format("M{} {}h{}v1h-{}z", begin, r, c - begin, c - begin);
    }
  for (int level = 0; level < levels; ++level)
    if (const std::string& path = paths[static_cast<std::size_t>(level)]; !path.empty())
      svg.cells(area, map.columns, map.rows, path, scale.colour((level + 0.5) / levels));
  svg.frame(area, {.colour = palette::axis, .width = 0.75});
}

double colour_bar_width(const ColourScale& scale, double height) {
  return bar_width + 8 + label_width(bar_ticks(scale, height));
}

void draw_colour_bar(Svg& svg, const Box& bar, const ColourScale& scale) {
  const Box strip{bar.x, bar.y, bar_width, bar.height};
  for (int level = 0; level < levels; ++level)
    svg.cells(strip, 1, levels, fmt::format("M0 {}h1v1h-1z", levels - 1 - level), scale.colour((level + 0.5) / levels));
  svg.frame(strip, {.colour = palette::axis, .width = 0.75});
  const Ticks ticks = bar_ticks(scale, bar.height);
  for (std::size_t i = 0; i < ticks.at.size(); ++i) {
    const double y = strip.bottom() - scale.place(ticks.at[i]) * strip.height;
    svg.line(strip.right(), y, strip.right() + 4, y, {.colour = palette::axis});
    svg.text(strip.right() + 8, y + label_size * 0.36, ticks.labels[i], {.size = label_size, .colour = palette::muted});
  }
}

}  // namespace atto::report::figure
